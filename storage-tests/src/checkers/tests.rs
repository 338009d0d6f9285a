//! A history without fault passes every checker; one mutation, and the checker whose promise it breaks says so.

use super::*;
use crate::history::{Change, Kv, Operation, Outcome, Read, Request, Response, State, Watch, Write, WriteOp};
use std::collections::BTreeMap;

/// A server without fault, and the history that its only client writes.
#[derive(Default)]
struct Model {
    history: History,
    state: State,
    log: Log,
    revision: i64,
    now_ns: u64,
}

fn put(key: &str, value: &str, lease: i64) -> WriteOp {
    WriteOp::Put { key: key.into(), value: value.into(), lease }
}

fn delete(key: &str) -> WriteOp {
    WriteOp::Delete { key: key.into() }
}

impl Model {
    fn new() -> Model {
        Model { revision: 1, ..Model::default() }
    }

    fn operation(&mut self, request: Request, outcome: Outcome) {
        let called_ns = self.now_ns + 10;
        self.now_ns += 20;
        self.history.operations.push(Operation { client: 0, called_ns, returned_ns: self.now_ns, request, outcome });
    }

    fn apply(&mut self, ops: &[WriteOp]) {
        self.revision += 1;
        let changes = ops.iter().map(|op| {
            let kv = match op {
                WriteOp::Put { key, value, lease } => {
                    let before = self.state.get(key);
                    Kv {
                        key: key.clone(),
                        value: value.clone(),
                        lease: *lease,
                        create_revision: before.map_or(self.revision, |before| before.create_revision),
                        mod_revision: self.revision,
                        version: before.map_or(1, |before| before.version + 1),
                    }
                }
                WriteOp::Delete { key } => Kv { key: key.clone(), mod_revision: self.revision, ..Kv::default() },
            };
            let previous = self.state.get(op.key()).cloned();
            (op.key().to_owned(), Change { delete: matches!(op, WriteOp::Delete { .. }), kv, previous })
        });
        let changes: BTreeMap<String, Change> = changes.collect();
        self.state.apply(self.revision, &changes);
        self.log.revisions.insert(self.revision, changes);
    }

    fn write(&mut self, guard: Option<(&str, i64)>, ops: Vec<WriteOp>) {
        let succeeded = guard.is_none_or(|(key, wanted)| self.state.get(key).map_or(0, |kv| kv.mod_revision) == wanted);
        let previous =
            if succeeded { ops.iter().map(|op| self.state.get(op.key()).cloned()).collect() } else { vec![] };
        if succeeded {
            self.apply(&ops);
        }
        let guard = guard.map(|(key, revision)| (key.to_owned(), revision));
        let outcome = Outcome::Written { revision: self.revision, succeeded, previous };
        self.operation(Request::Write(Write { guard, ops }), outcome);
    }

    fn unanswered(&mut self, ops: Vec<WriteOp>, applied: bool) {
        if applied {
            self.apply(&ops);
        }
        self.operation(Request::Write(Write { guard: None, ops }), Outcome::Unknown);
    }

    fn read(&mut self, revision: i64, limit: usize) {
        let read = Read { key: "a".into(), end: "z".into(), revision, limit };
        let mut state = State::default();
        let at = if revision == 0 { self.revision } else { revision };
        self.log.replay(&[at], |_, there| state = there.clone());
        let all: Vec<Kv> = state.range(&read).cloned().collect();
        let (count, shown) = (all.len() as i64, if limit == 0 { all.len() } else { all.len().min(limit) });
        let kvs = all.into_iter().take(shown).collect();
        let outcome = Outcome::Found { revision: self.revision, kvs, count, more: (shown as i64) < count };
        self.operation(Request::Read(read), outcome);
    }

    /// Watches everything from the start, a revision a response, with a notification after every third.
    fn watch(&mut self, prev_kv: bool, start: i64) {
        let interval = Read { key: "a".into(), end: "z".into(), revision: start, limit: 0 };
        let mut responses = vec![Response::Created { revision: self.revision }];
        for (revision, changes) in self.log.revisions.range(start..) {
            let changes = changes
                .values()
                .map(|change| Change { previous: change.previous.clone().filter(|_| prev_kv), ..change.clone() });
            responses.push(Response::Events { revision: *revision, changes: changes.collect() });
            if revision % 3 == 0 {
                responses.push(Response::Progress { revision: *revision });
            }
        }
        self.history.watches.push(Watch { interval, prev_kv, responses, ..Watch::default() });
    }

    fn done(&mut self, request: Request) {
        self.operation(request, Outcome::Done { revision: self.revision });
    }
}

/// A bit of everything. Revisions 2 to 11.
fn faultless() -> History {
    let mut model = Model::new();
    model.write(None, vec![put("a", "1", 0)]);
    model.write(None, vec![put("b", "2", 0), put("c", "3", 0)]);
    model.write(Some(("a", 2)), vec![put("a", "4", 0), delete("b")]);
    model.write(Some(("a", 2)), vec![put("a", "never", 0)]);
    model.read(0, 0);
    model.unanswered(vec![put("d", "5", 0)], true);
    model.unanswered(vec![put("d", "lost", 0)], false);
    model.write(None, vec![delete("a")]);
    model.write(None, vec![put("a", "6", 0)]);
    model.done(Request::Grant { lease: 7, ttl_s: 60 });
    model.write(None, vec![put("l", "7", 7), put("m", "8", 7)]);
    model.read(0, 2);
    model.read(4, 0);
    model.apply(&[delete("l"), delete("m")]);
    model.done(Request::Revoke(7));
    model.unanswered(vec![delete("c")], true);
    model.write(None, vec![put("e", "9", 0)]);
    model.done(Request::Compact(5));
    model.read(5, 0);
    let refused = Request::Read(Read { key: "a".into(), end: "z".into(), revision: 3, limit: 0 });
    model.operation(refused, Outcome::Refused("etcdserver: mvcc: required revision has been compacted".into()));
    model.watch(true, 2);
    model.watch(false, 5);
    model.history
}

/// Names of the checkers that find something.
fn finders(history: &History) -> Vec<&'static str> {
    let log = Log::of(history);
    ALL.iter().filter(|(_, checker)| !checker(history, &log).is_empty()).map(|(name, _)| *name).collect()
}

#[track_caller]
fn caught_by(name: &str, mutate: impl FnOnce(&mut History)) {
    let mut history = faultless();
    mutate(&mut history);
    let found = check(&history);
    assert!(finders(&history).contains(&name), "{name} finds nothing; all that is found: {found:#?}");
}

/// The events of a watch's response number `index`, notifications not counted.
fn events(history: &mut History, watch: usize, index: usize) -> &mut Vec<Change> {
    let responses = history.watches[watch].responses.iter_mut();
    let mut all = responses.filter_map(|response| match response {
        Response::Events { changes, .. } => Some(changes),
        _ => None,
    });
    all.nth(index).expect("the watch has as many responses")
}

/// Where the response of a revision's events stands.
fn place(history: &History, watch: usize, wanted: i64) -> usize {
    let responses = &history.watches[watch].responses;
    let found = responses
        .iter()
        .position(|response| matches!(response, Response::Events { revision, .. } if *revision == wanted));
    found.expect("the watch shows the revision")
}

#[test]
fn a_faultless_history_passes() {
    assert_eq!(check(&faultless()), Vec::<String>::new());
}

#[test]
fn a_dropped_event() {
    caught_by("watch_reliable", |history| drop(events(history, 1, 2).pop()));
    caught_by("watch_resumable", |history| {
        let at = place(history, 1, 5);
        history.watches[1].responses.remove(at);
    });
}

#[test]
fn a_duplicated_event() {
    caught_by("watch_unique", |history| {
        let at = place(history, 0, 4);
        let again = history.watches[0].responses[at].clone();
        history.watches[0].responses.insert(at + 1, again);
    });
}

#[test]
fn two_events_out_of_order() {
    caught_by("watch_ordered", |history| {
        let at = place(history, 0, 4);
        history.watches[0].responses.swap(at, at + 1);
    });
}

#[test]
fn a_transaction_in_two_responses() {
    caught_by("watch_atomic", |history| {
        let at = place(history, 0, 3);
        let Response::Events { revision, changes } = &mut history.watches[0].responses[at] else { unreachable!() };
        let rest = Response::Events { revision: *revision, changes: changes.split_off(1) };
        history.watches[0].responses.insert(at + 1, rest);
    });
}

#[test]
fn a_transaction_in_two_revisions() {
    caught_by("revision_replay", |history| {
        // Every watch shows the second half one revision later, as the server that did it would.
        for watch in &mut history.watches {
            for response in &mut watch.responses {
                let Response::Events { changes, .. } = response else { continue };
                for change in changes.iter_mut().filter(|change| change.kv.key == "m" && !change.delete) {
                    change.kv.mod_revision += 1;
                }
            }
        }
    });
}

#[test]
fn a_notification_that_comes_early() {
    caught_by("watch_bookmarkable", |history| {
        let at = place(history, 0, 4);
        history.watches[0].responses.insert(at, Response::Progress { revision: 4 });
    });
    caught_by("watch_bookmarkable", |history| {
        let early = Response::Progress { revision: 2 };
        history.watches[1].responses.insert(1, early);
    });
}

#[test]
fn a_wrong_former_version() {
    caught_by("watch_fields", |history| {
        let change = &mut events(history, 0, 2)[0];
        change.previous.as_mut().expect("there was one").version += 1;
    });
    // Above the compaction, where nothing may be missing.
    caught_by("watch_fields", |history| events(history, 0, 4)[0].previous = None);
    caught_by("watch_fields", |history| {
        // An update that looks like a creation.
        let change = &mut events(history, 0, 2)[0];
        change.kv.create_revision = change.kv.mod_revision;
    });
}

#[test]
fn a_stale_read() {
    caught_by("linearizable", |history| {
        let read = &mut history.operations[4];
        let Outcome::Found { revision, .. } = &mut read.outcome else { unreachable!() };
        *revision -= 1;
    });
    caught_by("revision_replay", |history| {
        let Outcome::Found { kvs, .. } = &mut history.operations[4].outcome else { unreachable!() };
        kvs[0].value = "1".into();
    });
}

#[test]
fn a_write_that_was_acknowledged_and_lost() {
    caught_by("no_lost_ack", |history| {
        for watch in &mut history.watches {
            watch.responses.retain(|response| !matches!(response, Response::Events { revision: 2, .. }));
        }
    });
}

#[test]
fn a_revision_that_is_given_twice() {
    caught_by("linearizable", |history| {
        let Outcome::Written { revision, .. } = &mut history.operations[1].outcome else { unreachable!() };
        *revision = 2;
    });
}

#[test]
fn a_revision_that_nobody_made() {
    caught_by("linearizable", |history| {
        history.operations.retain(|operation| operation.outcome != Outcome::Unknown);
    });
}

#[test]
fn a_guard_that_did_not_hold() {
    caught_by("revision_replay", |history| {
        let Request::Write(write) = &mut history.operations[2].request else { unreachable!() };
        write.guard = Some(("a".into(), 1));
    });
}

#[test]
fn a_read_below_the_compaction_and_a_refusal_without_one() {
    caught_by("compaction", |history| {
        history.operations.last_mut().expect("there are some").outcome =
            Outcome::Found { revision: 11, kvs: vec![], count: 0, more: false };
    });
    caught_by("compaction", |history| {
        history.operations.retain(|operation| !matches!(operation.request, Request::Compact(_)));
    });
    caught_by("compaction", |history| {
        history.watches[1].responses.push(Response::Compacted { compact_revision: 5 });
    });
}

#[test]
fn a_lease_that_ends_early_or_in_part() {
    caught_by("lease", |history| {
        history.operations.retain(|operation| !matches!(operation.request, Request::Revoke(_)));
    });
    caught_by("lease", |history| {
        for watch in &mut history.watches {
            for response in &mut watch.responses {
                let Response::Events { changes, .. } = response else { continue };
                changes.retain(|change| !(change.delete && change.kv.key == "m"));
            }
        }
    });
}
