//! The twelve faults of etcd's correctness track record (etcd tests/robustness/README.md) that one server can have by itself.
//! Each test says what went wrong there, and what is promised here.

use super::{judge, judged, site};
use archipel_storage_tests::{
    client::{
        Client, delete_op, kv, put_op, range_op, revision,
        wire::{
            AuthDisableRequest, AuthEnableRequest, AuthRoleAddRequest, AuthUserAddRequest, AuthUserGrantRoleRequest,
            AuthenticateRequest, CompactionRequest, DefragmentRequest, PutRequest, RangeRequest, RequestOp,
            WatchCreateRequest, event::EventType, request_op::Request,
        },
    },
    workload::{Fault, Mix, Plan, drive},
};
use std::time::Duration;
use tonic::Code;

/// Kills of the tests that kill at one certain moment.
const CYCLES: i64 = 25;

async fn compact(client: &mut Client, revision: i64) {
    client.kv.compact(CompactionRequest { revision, physical: false }).await.unwrap();
}

fn watch_from(start_revision: i64) -> WatchCreateRequest {
    WatchCreateRequest {
        key: "r/".into(),
        range_end: "r0".into(),
        start_revision,
        prev_kv: true,
        ..WatchCreateRequest::default()
    }
}

/// etcd 14370: a member that is alone acknowledged a write before the write was durable, so a crash right after the answer
/// lost it. Promised: the process that is killed at the moment of an answer has what it answered, and so has what a
/// concurrent reader saw.
#[tokio::test(flavor = "multi_thread")]
async fn issue_14370_acknowledged_before_durable() {
    let mut site = site();
    for cycle in 0..CYCLES {
        let mut client = Client::connect(site.url()).await.unwrap();
        let mut reader = client.clone();
        let reading = tokio::spawn(async move {
            let mut seen = 0;
            while let Ok(found) = reader.get("r/new").await {
                seen = found.map_or(seen, |found| found.mod_revision);
            }
            seen
        });
        for number in 0..=cycle % 4 {
            client.put("r/new", format!("{cycle}.{number}")).await.unwrap();
        }
        let acknowledged = client.put("r/kept", cycle.to_string()).await.unwrap();
        site.kill().unwrap();
        let seen = reading.await.unwrap();
        site.launch().unwrap();
        let mut client = Client::connect(site.url()).await.unwrap();
        let kept = client.get("r/kept").await.unwrap().expect("what was acknowledged is there");
        assert_eq!((kept.mod_revision, kept.value.as_ref()), (acknowledged, cycle.to_string().as_bytes()));
        let now = client.get("r/new").await.unwrap().map_or(0, |found| found.mod_revision);
        assert!(seen <= now, "revision {seen} was read, and after the crash there is {now}");
    }
}

/// etcd 13766: after a crash under high load the consistent index was ahead of the data, and entries were lost or applied
/// twice. Promised: with many clients at full speed and a crash in between, no write is lost or done twice, and no revision
/// is given twice.
#[tokio::test(flavor = "multi_thread")]
async fn issue_13766_crash_under_high_load() {
    let faults = vec![Fault::Kill; 6];
    let load = Duration::from_millis(150);
    judged(Plan { clients: 32, between: Duration::ZERO, watches: 2, faults, load, ..Plan::new(13_766) }).await;
}

/// etcd 14685: a crash during a defragmentation left data and consistent index of different times, so entries were applied
/// twice and the revision was wrong. Promised: the same as under load, while defragmentation is asked for all the time.
#[tokio::test(flavor = "multi_thread")]
async fn issue_14685_crash_in_defragmentation() {
    let mut site = site();
    let url = site.url();
    let defragmenting = tokio::spawn(async move {
        loop {
            if let Ok(mut client) = Client::connect(url.clone()).await {
                while client.maintenance.defragment(DefragmentRequest {}).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let plan = Plan { faults: vec![Fault::Kill; 6], load: Duration::from_millis(150), ..Plan::new(14_685) };
    let history = drive(&mut site, &plan).await.unwrap();
    defragmenting.abort();
    judge(&history, &plan);
}

/// A request, with a token if there is one.
fn with<T>(token: Option<&str>, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    if let Some(token) = token {
        request.metadata_mut().insert("token", token.parse().unwrap());
    }
    request
}

/// etcd 14571: that authentication was enabled was applied, but lost or applied a second time by a crash, and with it what
/// was written meanwhile. Promised: enabled stays enabled and disabled disabled over every crash, accounts stay, and what was
/// written before and after is there with its own revision.
#[tokio::test(flavor = "multi_thread")]
async fn issue_14571_enabling_authentication_and_a_crash() {
    const TOGGLES: usize = 10;
    let mut site = site();
    let mut client = Client::connect(site.url()).await.unwrap();
    let user = AuthUserAddRequest { name: "root".into(), password: "p".into(), ..AuthUserAddRequest::default() };
    client.auth.user_add(user).await.unwrap();
    client.auth.role_add(AuthRoleAddRequest { name: "root".into() }).await.unwrap();
    let grant = AuthUserGrantRoleRequest { user: "root".into(), role: "root".into() };
    client.auth.user_grant_role(grant).await.unwrap();
    let put = |value: usize| PutRequest { key: "r/a".into(), value: value.to_string().into(), ..PutRequest::default() };
    let mut last = 1;
    for toggle in 0..TOGGLES {
        let enable = toggle % 2 == 0;
        let root = AuthenticateRequest { name: "root".into(), password: "p".into() };
        if enable {
            last = revision(client.kv.put(put(toggle)).await.unwrap().into_inner().header);
            client.auth.auth_enable(AuthEnableRequest {}).await.unwrap();
        } else {
            let token = client.auth.authenticate(root.clone()).await.unwrap().into_inner().token;
            let reply = client.kv.put(with(Some(&token), put(toggle))).await.unwrap();
            last = revision(reply.into_inner().header).max(last + 1);
            client.auth.auth_disable(with(Some(&token), AuthDisableRequest {})).await.unwrap();
        }
        site.kill().unwrap();
        site.launch().unwrap();
        client = Client::connect(site.url()).await.unwrap();
        let read = RangeRequest { key: "r/a".into(), ..RangeRequest::default() };
        let plain = client.range(read.clone()).await;
        let reply = if enable {
            assert_eq!(plain.unwrap_err().message(), "etcdserver: user name is empty", "toggle {toggle}");
            let token = client.auth.authenticate(root).await.unwrap().into_inner().token;
            client.kv.range(with(Some(&token), read)).await.unwrap().into_inner()
        } else {
            plain.unwrap()
        };
        let found = kv(&reply.kvs[0]);
        assert_eq!((found.value.as_ref(), found.mod_revision), (toggle.to_string().as_bytes(), last));
        assert_eq!(revision(reply.header), last, "accounts cost no revision");
    }
}

/// etcd 15220: a progress notification overtook events that were still on their way, so a client that resumed behind it
/// never saw them. Promised: everything up to a notification's revision was sent before it, on each of many watches, with
/// notifications asked for all the time.
#[tokio::test(flavor = "multi_thread")]
async fn issue_15220_progress_overtakes_events() {
    judged(Plan { watches: 24, between: Duration::ZERO, load: Duration::from_secs(2), ..Plan::new(15_220) }).await;
}

/// etcd 17529: on a stream that was slow, events of a watch could be left out when the watch was moved between the synced and
/// the unsynced group. Promised: of many watches on one stream that is not read for a while, none misses an event.
#[tokio::test(flavor = "multi_thread")]
async fn issue_17529_starved_watches_lose_events() {
    const WATCHES: i64 = 16;
    const WRITES: i64 = 3000;
    let site = site();
    let mut client = Client::connect(site.url()).await.unwrap();
    let mut stream = client.watch_stream().await.unwrap();
    for _ in 0..WATCHES {
        let created = stream.create(watch_from(2)).await;
        assert!(created.created && !created.canceled);
    }
    let value = "v".repeat(1000);
    let mut last = 1;
    for number in 0..WRITES {
        last = client.put(format!("r/{}", number % 7), value.clone()).await.unwrap();
    }
    let mut next = vec![2; usize::try_from(WATCHES).unwrap()];
    while next.iter().any(|next| *next <= last) {
        let response = stream.next().await;
        let next = &mut next[usize::try_from(response.watch_id).unwrap()];
        for event in &response.events {
            assert_eq!(kv(&event.kv).mod_revision, *next, "watch {} has a gap", response.watch_id);
            *next += 1;
        }
    }
}

/// etcd 17780: when a crash met a compaction whose last revisions were deletions, the revision after the restart was lower
/// than before. Promised: a revision that was answered never comes again, also if all that it did was deleted and compacted.
#[tokio::test(flavor = "multi_thread")]
async fn issue_17780_revision_decreases_after_compaction() {
    let mut site = site();
    let mut highest = 1;
    for cycle in 0..CYCLES {
        let mut client = Client::connect(site.url()).await.unwrap();
        for number in 0..20 {
            client.put(format!("r/{number}"), "v").await.unwrap();
        }
        for number in 0..20 {
            highest = client.delete(format!("r/{number}")).await.unwrap();
        }
        let mut compacting = client.clone();
        let compaction = tokio::spawn(async move {
            compacting.kv.compact(CompactionRequest { revision: highest, physical: cycle % 2 == 0 }).await.is_ok()
        });
        if cycle % 3 > 0 {
            tokio::time::sleep(Duration::from_millis(cycle.unsigned_abs() % 5)).await;
        }
        site.kill().unwrap();
        let _answered = compaction.await.unwrap();
        site.launch().unwrap();
        let mut client = Client::connect(site.url()).await.unwrap();
        let now =
            revision(client.range(RangeRequest { key: "r".into(), ..RangeRequest::default() }).await.unwrap().header);
        assert_eq!(now, highest, "cycle {cycle}");
        assert_eq!(client.put("r/next", "v").await.unwrap(), highest + 1);
        highest += 1;
    }
}

/// etcd 18089: the tombstone at the compacted revision was removed, so a watch from that very revision did not see the
/// deletion. Promised: a watch from the compact revision sees everything that happened at it.
#[tokio::test(flavor = "multi_thread")]
async fn issue_18089_deletion_at_the_compacted_revision() {
    let site = site();
    let mut client = Client::connect(site.url()).await.unwrap();
    for cycle in 0..CYCLES {
        client.put("r/a", cycle.to_string()).await.unwrap();
        let deleted = client.delete("r/a").await.unwrap();
        if cycle % 2 == 0 {
            client.put("r/b", "later").await.unwrap();
        }
        compact(&mut client, deleted).await;
        let mut stream = client.watch_stream().await.unwrap();
        stream.create(watch_from(deleted)).await;
        let response = stream.next().await;
        let first = &response.events[0];
        assert_eq!(first.r#type, i32::from(EventType::Delete), "cycle {cycle}");
        assert_eq!((kv(&first.kv).key.as_ref(), kv(&first.kv).mod_revision), (b"r/a".as_slice(), deleted));
    }
}

/// etcd 19179: a watch on the compacted revision missed the deletion when a compaction ran while it was being opened.
/// Promised: with creations and deletions only, compactions all the time and watches at the compacted revision, no watch
/// misses one.
#[tokio::test(flavor = "multi_thread")]
async fn issue_19179_deletion_during_a_compaction() {
    let (mix, compact_every) = (Mix::CREATE_DELETE, Duration::from_millis(15));
    judged(Plan { mix, compact_every, watches: 16, load: Duration::from_secs(2), ..Plan::new(19_179) }).await;
}

/// etcd 18667: a transaction with a read at a compacted revision was refused after its writes had been done. Promised: it is
/// refused as a whole, in either branch and nested.
#[tokio::test]
async fn issue_18667_transaction_that_reads_a_compacted_revision() {
    let site = site();
    let mut client = Client::connect(site.url()).await.unwrap();
    client.put("r/a", "1").await.unwrap();
    let last = client.put("r/a", "2").await.unwrap();
    compact(&mut client, last).await;
    let old = |revision| {
        let mut op = range_op("r/a");
        if let Some(Request::RequestRange(range)) = &mut op.request {
            range.revision = revision;
        }
        op
    };
    let nested = |ops: Vec<RequestOp>| {
        let txn = archipel_storage_tests::client::wire::TxnRequest { success: ops, ..Default::default() };
        RequestOp { request: Some(Request::RequestTxn(txn)) }
    };
    let cases = [
        vec![put_op("r/b", "1"), old(2)],
        vec![old(2), put_op("r/b", "1")],
        vec![delete_op("r/a"), old(2)],
        vec![put_op("r/b", "1"), nested(vec![old(2)])],
        vec![nested(vec![put_op("r/b", "1"), old(2)])],
    ];
    for ops in cases {
        let refused = client.txn(vec![], ops.clone(), vec![]).await.unwrap_err();
        assert_eq!(refused.code(), Code::OutOfRange, "{ops:?}");
        assert_eq!(client.get("r/b").await.unwrap(), None, "{ops:?}");
        let kept = client.get("r/a").await.unwrap().unwrap();
        assert_eq!((kept.value.as_ref(), kept.mod_revision), (b"2".as_slice(), last), "{ops:?}");
    }
    // At the compacted revision itself it is served.
    client.txn(vec![], vec![put_op("r/b", "1"), old(last)], vec![]).await.unwrap();
}

/// etcd 20221: a watch that starts at a future revision got older events and notifications, so a client resumed too early or
/// saw what it had not asked for. Promised: nothing below its start, whether the start lies before or behind the revision.
#[tokio::test(flavor = "multi_thread")]
async fn issue_20221_watch_from_the_future() {
    const AROUND: i64 = 40;
    let site = site();
    let mut client = Client::connect(site.url()).await.unwrap();
    let mut now = 1;
    for number in 0..AROUND {
        now = client.put(format!("r/{number}"), "v").await.unwrap();
    }
    let mut streams = Vec::new();
    for start in (now - AROUND + 1).max(2)..=now + AROUND {
        let mut stream = client.watch_stream().await.unwrap();
        stream.create(WatchCreateRequest { progress_notify: true, ..watch_from(start) }).await;
        stream.ask_progress().await;
        streams.push((start, stream));
    }
    tokio::time::sleep(Duration::from_millis(250)).await;
    for number in 0..2 * AROUND {
        now = client.put(format!("r/{}", number % 9), "w").await.unwrap();
    }
    for (start, mut stream) in streams {
        let mut next = start;
        while next <= now {
            let response = stream.next().await;
            if response.events.is_empty() {
                let at = revision(response.header);
                assert!(at >= start, "a notification at {at} on the watch from {start}");
                assert!(at < next, "a notification at {at}, and the next event is the one at {next}");
            }
            for event in &response.events {
                assert_eq!(kv(&event.kv).mod_revision, next, "the watch from {start}");
                next += 1;
            }
        }
    }
}

/// etcd 17247: with many transactions an event could come twice, or a transaction show in part. Promised: each revision's
/// events come once, and in one response.
#[tokio::test(flavor = "multi_thread")]
async fn issue_17247_transactions_show_twice() {
    let mix = Mix::TRANSACTIONS;
    judged(Plan { mix, between: Duration::ZERO, watches: 12, load: Duration::from_secs(2), ..Plan::new(17_247) }).await;
}
