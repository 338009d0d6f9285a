//! One random step of a site's life: a write, a transaction, a lease, a compaction, a checkpoint with cleaning, commits
//! that gather into one batch, a look back.

use crate::judge::{Depth, Follower, Verdict, judge, judge_view, watch_request};
use crate::life::{Going, Life, run, run_all};
use archipel_store::clock::Clock;
use archipel_store::error::RequestError;
use archipel_store::mvcc::{
    Compare, CompareResult, CompareTarget, DeleteRangeRequest, Op, PutReply, PutRequest, TxnRequest,
};
use bytes::Bytes;
use std::time::Duration;

/// Few keys, so that most writes supersede something.
const KEYS: u64 = 14;
const LEASES: u64 = 5;
const BURST_MAX: u64 = 6;

fn key(number: u64) -> Bytes {
    Bytes::from(format!("k{number:02}"))
}

fn delete_request(first: u64, end: Option<u64>) -> DeleteRangeRequest {
    let range_end = end.map(key).unwrap_or_default();
    DeleteRangeRequest { key: key(first), range_end, ..DeleteRangeRequest::default() }
}

impl Life<'_> {
    pub(crate) fn step(&mut self) -> Result<Going, String> {
        let done = match self.random.below(40) {
            0..14 => self.put()?,
            14..18 => self.delete()?,
            18..25 => self.txn()?,
            25..27 => self.grant()?,
            27 => self.revoke()?,
            28 => self.expire()?,
            29..31 => self.compact()?,
            31..34 => self.maintain()?,
            34..36 => self.burst()?,
            36 => self.pin().map(|()| true)?,
            37 => self.keep_alive()?,
            38 => self.follow().map(|()| true)?,
            _ => judge(&self.store, self.possible.newest(), Depth::Some(3)).map(|()| true)?,
        };
        Ok(if done { Going::On } else { Going::Stopped })
    }

    fn put_request(&mut self, number: u64) -> PutRequest {
        let lease = if self.random.one_in(4) { 1 + self.random.below(LEASES) as i64 } else { 0 };
        let lease = if self.possible.newest().leases.contains_key(&lease) { lease } else { 0 };
        PutRequest { key: key(number), value: self.random.value(), lease, ..PutRequest::default() }
    }

    fn put(&mut self) -> Result<bool, String> {
        let number = self.random.below(KEYS);
        let mut request = self.put_request(number);
        if self.random.one_in(40) {
            request.lease = 99;
            let refused = run(self.store.put(request));
            return if refused == Err(RequestError::LeaseNotFound) { Ok(true) } else { Err(format!("{refused:?}")) };
        }
        self.possible.ask(|model| model.change(&[Op::Put(request.clone())]));
        let outcome = run(self.store.put(request));
        let reply = self.outcome(outcome)?;
        self.revision_is(reply.map(|(revision, _)| revision))
    }

    fn delete(&mut self) -> Result<bool, String> {
        let first = self.random.below(KEYS);
        let end = self.random.one_in(4).then(|| first + 1 + self.random.below(3));
        let request = delete_request(first, end);
        let covered = self.possible.newest().covered(&request);
        self.possible.ask(|model| model.change(&[Op::DeleteRange(request.clone())]));
        let outcome = run(self.store.delete_range(request));
        match self.outcome(outcome)? {
            Some((_, reply)) if reply.deleted != covered => Err(format!("deleted {} of {covered}", reply.deleted)),
            reply => self.revision_is(reply.map(|(revision, _)| revision)),
        }
    }

    /// Several changes of distinct keys, one of them nested; now and then the comparison says no.
    fn txn(&mut self) -> Result<bool, String> {
        let compared = self.random.below(KEYS);
        let number = self.possible.newest().live.get(&key(compared)).map_or(0, |version| version.number);
        let holds = !self.random.one_in(4);
        let target = CompareTarget::Version(if holds { number } else { number + 1 });
        let (key, range_end) = (key(compared), Bytes::new());
        let compare = vec![Compare { key, range_end, result: CompareResult::Equal, target }];
        let first = self.random.below(KEYS);
        let count = 1 + self.random.below(4);
        let mut changes: Vec<Op> = (first..first + count).map(|number| self.change(number % KEYS)).collect();
        if self.random.one_in(3)
            && let Some(last) = changes.pop()
        {
            changes.push(Op::Txn(TxnRequest { success: vec![last], ..TxnRequest::default() }));
        }
        let other = vec![self.change(first)];
        let (success, failure) = if holds { (changes, other) } else { (other, changes) };
        self.possible.ask(|model| model.change(if holds { &success } else { &failure }));
        let outcome = run(self.store.txn(TxnRequest { compare, success, failure }));
        match self.outcome(outcome)? {
            Some((_, reply)) if reply.succeeded != holds => Err(format!("a comparison that is {holds} is not")),
            reply => self.revision_is(reply.map(|(revision, _)| revision)),
        }
    }

    fn change(&mut self, number: u64) -> Op {
        if self.random.one_in(4) {
            Op::DeleteRange(delete_request(number, None))
        } else {
            Op::Put(self.put_request(number))
        }
    }

    /// Whether there is a reply, and its header says what it should.
    fn revision_is(&self, replied: Option<i64>) -> Result<bool, String> {
        match (replied, self.possible.newest().revision) {
            (None, _) => Ok(false),
            (Some(replied), right) if replied == right => Ok(true),
            (Some(replied), right) => Err(format!("the header says revision {replied} instead of {right}")),
        }
    }

    fn grant(&mut self) -> Result<bool, String> {
        let id = 1 + self.random.below(LEASES) as i64;
        let granted_s = 2 + self.random.below(60) as i64;
        let exists = self.possible.newest().leases.contains_key(&id);
        if !exists {
            self.possible.ask(|model| model.leases.extend([(id, granted_s)]));
        }
        let outcome = run(self.store.lease_grant(id, granted_s));
        if exists {
            let refused = outcome == Err(RequestError::LeaseExists);
            return if refused { Ok(true) } else { Err(format!("lease {id} is granted twice: {outcome:?}")) };
        }
        self.deadlines.insert(id, self.site.clock.monotonic() + Duration::from_secs(granted_s.unsigned_abs()));
        self.outcome(outcome).map(|reply| reply.is_some())
    }

    fn revoke(&mut self) -> Result<bool, String> {
        let id = 1 + self.random.below(LEASES) as i64;
        if !self.possible.newest().leases.contains_key(&id) {
            return Ok(true);
        }
        self.possible.ask(|model| model.revoke(id));
        self.deadlines.remove(&id);
        let outcome = run(self.store.lease_revoke(id));
        let reply = self.outcome(outcome)?;
        self.revision_is(reply)
    }

    fn keep_alive(&mut self) -> Result<bool, String> {
        let id = 1 + self.random.below(LEASES) as i64;
        let granted_s = self.possible.newest().leases.get(&id).copied();
        let renewed = run(self.store.lease_keep_alive(id));
        if renewed != granted_s {
            return Err(format!("lease {id} of {granted_s:?} s is renewed for {renewed:?}"));
        }
        let now = self.site.clock.monotonic();
        self.deadlines.extend(granted_s.map(|granted_s| (id, now + Duration::from_secs(granted_s.unsigned_abs()))));
        Ok(true)
    }

    /// Time passes, and leases end: one revision each.
    fn expire(&mut self) -> Result<bool, String> {
        self.site.clock.advance(Duration::from_secs(self.random.below(30)));
        let now = self.site.clock.monotonic();
        let mut over: Vec<(Duration, i64)> =
            self.deadlines.iter().map(|(id, end)| (*end, *id)).filter(|(end, _)| *end <= now).collect();
        over.sort_unstable();
        for (_, id) in &over {
            self.possible.ask(|model| model.revoke(*id));
            self.deadlines.remove(id);
        }
        let outcome = self.store.expire_leases();
        match self.outcome(outcome)? {
            Some(count) if count != over.len() => Err(format!("{count} leases ended instead of {over:?}")),
            reply => Ok(reply.is_some()),
        }
    }

    fn compact(&mut self) -> Result<bool, String> {
        let model = self.possible.newest();
        let revision = model.revision - self.random.below(12) as i64;
        if revision <= model.compact_revision.max(1) {
            return Ok(true);
        }
        self.possible.ask(|model| model.compact(revision));
        let outcome = run(self.store.compact(revision, self.random.one_in(2)));
        self.tally.compactions += 1;
        self.outcome(outcome).map(|reply| reply.is_some())
    }

    /// A checkpoint, and as much cleaning as there is to do: also what a defragmentation does.
    pub(crate) fn maintain(&mut self) -> Result<bool, String> {
        let before = self.site.disk.is_cut();
        let done = self.store.maintain();
        self.tally.in_maintenance += u64::from(!before && self.site.disk.is_cut());
        match done {
            Ok(()) => Ok(true),
            Err(RequestError::Stopped(_)) => Ok(false),
            Err(error) => Err(format!("maintenance is refused: {error}")),
        }
    }

    /// Some commits come while another one is being synced: they become one batch.
    fn burst(&mut self) -> Result<bool, String> {
        let numbers: Vec<u64> = (0..2 + self.random.below(BURST_MAX)).map(|_| self.random.below(KEYS)).collect();
        let requests: Vec<PutRequest> = numbers.into_iter().map(|number| self.put_request(number)).collect();
        for request in &requests {
            self.possible.ask(|model| model.change(&[Op::Put(request.clone())]));
        }
        self.tally.bursts += 1;
        let outcomes = self.put_behind_one(requests);
        let acknowledged = outcomes.iter().take_while(|outcome| outcome.is_ok()).count();
        for outcome in &outcomes[acknowledged..] {
            match outcome {
                Err(RequestError::Stopped(_)) => {}
                other => return Err(format!("behind a refused commit: {other:?}")),
            }
        }
        self.tally.acknowledged += acknowledged as u64;
        self.possible.acknowledge(acknowledged);
        Ok(acknowledged == outcomes.len())
    }

    fn put_behind_one(&self, requests: Vec<PutRequest>) -> Vec<Result<(i64, PutReply), RequestError>> {
        let mut requests = requests.into_iter();
        let first = requests.next().expect("at least two");
        self.site.gate.shut();
        std::thread::scope(|scope| {
            let first = scope.spawn(|| run(self.store.put(first)));
            self.site.gate.await_sync(|| first.is_finished());
            // Each is evaluated when it is asked for the first time: in this order.
            let rest = requests.map(|request| Box::pin(self.store.put(request))).collect();
            let rest = run_all(rest, || self.site.gate.open());
            let first = first.join().expect("a put does not panic");
            std::iter::once(first).chain(rest).collect()
        })
    }

    /// A state that is held while the store goes on, as a snapshot holds it, stays as it was.
    fn pin(&mut self) -> Verdict {
        if let Some((view, model)) = &self.pinned {
            judge_view(view, model, Depth::Some(3)).map_err(|broken| format!("a pinned state: {broken}"))?;
        }
        let keeps = self.pinned.is_some() && self.random.one_in(2);
        if !keeps {
            self.pinned = Some((self.store.view(), self.possible.newest().clone()));
        }
        Ok(())
    }

    /// Catches up with the watch of this life; now and then begins another, anywhere in the history.
    fn follow(&mut self) -> Verdict {
        let model = self.possible.newest();
        self.follower.follow(model, self.random.below(600) as usize)?;
        if self.random.one_in(3) {
            let oldest = model.compact_revision.max(1);
            let start = oldest + self.random.below((model.revision + 2 - oldest) as u64) as i64;
            self.follower = Follower::new(self.store.watch(watch_request(start)), start);
        }
        Ok(())
    }
}
