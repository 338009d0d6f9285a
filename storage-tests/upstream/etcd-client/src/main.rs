//! The published etcd client drives every call of one site: `etcd-client-drives URL`. One line a call that held; the first
//! that does not ends the program with 1.

use etcd_client::{
    AlarmAction, AlarmType, Client, Compare, CompareOp, DeleteOptions, Error, EventType, GetOptions, LeaseGrantOptions,
    LeaseTimeToLiveOptions, PutOptions, SortOrder, SortTarget, Txn, TxnOp, TxnOpResponse, WatchFilterType, WatchOptions,
};
use std::process::ExitCode;

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn hold(what: &str, holds: bool) -> Outcome {
    if !holds {
        return Err(format!("does not hold: {what}").into());
    }
    println!("ok {what}");
    Ok(())
}

/// The code and the text of a refusal.
fn refusal<T>(result: Result<T, Error>) -> (i32, String) {
    match result {
        Err(Error::GRpcStatus(status)) => (status.code() as i32, status.message().to_owned()),
        Err(other) => (-1, other.to_string()),
        Ok(_) => (0, String::new()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(url) = std::env::args().nth(1) else {
        eprintln!("etcd-client-drives URL");
        return ExitCode::from(2);
    };
    match drive(&url).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn drive(url: &str) -> Outcome {
    let mut client = Client::connect([url], None).await?;
    puts_and_ranges(&mut client).await?;
    range_stream(&client).await?;
    transactions(&mut client).await?;
    watches(&mut client).await?;
    leases(&mut client).await?;
    compaction(&mut client).await?;
    the_site_itself(&mut client).await
}

async fn puts_and_ranges(client: &mut Client) -> Outcome {
    for (key, value) in [("a1", "3"), ("a2", "1"), ("a3", "2"), ("b", "0")] {
        client.put(key, value, None).await?;
    }
    let put = client.put("b", "1", Some(PutOptions::new().with_prev_key())).await?;
    hold("put returns the former value", put.prev_key().is_some_and(|kv| kv.value() == b"0"))?;
    let revision = put.header().map_or(0, |header| header.revision());
    let kept = client.put("b", "", Some(PutOptions::new().with_ignore_value())).await;
    hold("put keeps the value when asked", kept.is_ok())?;
    let all = client.get("a", Some(GetOptions::new().with_prefix())).await?;
    hold("range by prefix", all.count() == 3 && all.kvs().len() == 3 && !all.more())?;
    let page = client.get("a", Some(GetOptions::new().with_prefix().with_limit(2))).await?;
    hold("a page counts the whole interval", page.count() == 3 && page.kvs().len() == 2 && page.more())?;
    let sort = GetOptions::new().with_prefix().with_sort(SortTarget::Value, SortOrder::Descend);
    let sorted = client.get("a", Some(sort)).await?;
    let values: Vec<&[u8]> = sorted.kvs().iter().map(|kv| kv.value()).collect();
    hold("range sorted by value", values == [b"3", b"2", b"1"])?;
    let keys = client.get("a", Some(GetOptions::new().with_prefix().with_keys_only())).await?;
    hold("keys only", keys.kvs().iter().all(|kv| kv.value().is_empty() && kv.mod_revision() > 0))?;
    let count = client.get("a", Some(GetOptions::new().with_prefix().with_count_only())).await?;
    hold("count only", count.count() == 3 && count.kvs().is_empty())?;
    let young = GetOptions::new().with_from_key().with_min_mod_revision(revision);
    hold("range by modification", client.get("a", Some(young)).await?.kvs().len() == 1)?;
    let old = client.get("b", Some(GetOptions::new().with_revision(revision - 1))).await?;
    hold("range at an old revision", old.kvs().first().is_some_and(|kv| kv.value() == b"0"))?;
    let deleted = client.delete("a2", Some(DeleteOptions::new().with_prev_key())).await?;
    let former = deleted.prev_kvs().first().is_some_and(|kv| kv.value() == b"1");
    hold("delete returns what it deleted", deleted.deleted() == 1 && former)?;
    let refused = refusal(client.get("", None).await);
    hold("an empty key is refused", refused == (3, "etcdserver: key is not provided".into()))
}

async fn range_stream(client: &Client) -> Outcome {
    let mut kv = client.kv_client();
    let mut stream = kv.get_stream("a", Some(GetOptions::new().with_prefix())).await?;
    let (mut keys, mut count) = (0, 0);
    while let Some(chunk) = stream.message().await? {
        keys += chunk.kvs().len();
        count = chunk.count();
    }
    hold("range as a stream", keys == 2 && count == 2)
}

async fn transactions(client: &mut Client) -> Outcome {
    let compares = [
        Compare::version("t", CompareOp::Equal, 0),
        Compare::create_revision("t", CompareOp::Equal, 0),
        Compare::mod_revision("t", CompareOp::Equal, 0),
        Compare::lease("t", CompareOp::Equal, 0),
        Compare::value("b", CompareOp::NotEqual, "nothing"),
    ];
    let nested = Txn::new().when([Compare::version("t", CompareOp::Equal, 0)]).and_then([TxnOp::put("u", "2", None)]);
    let success = [TxnOp::put("t", "1", None), TxnOp::get("t", None), TxnOp::txn(nested), TxnOp::delete("a1", None)];
    let txn = Txn::new().when(compares).and_then(success).or_else([TxnOp::get("t", None)]);
    let first = client.txn(txn.clone()).await?;
    let seen = match first.op_responses().get(1) {
        Some(TxnOpResponse::Get(get)) => get.kvs().first().is_some_and(|kv| kv.value() == b"1"),
        _ => false,
    };
    hold("a transaction with every compare, a range, nesting and a delete", first.succeeded() && seen)?;
    let second = client.txn(txn).await?;
    hold("its other branch", !second.succeeded() && second.op_responses().len() == 1)?;
    let ranged = Compare::version("t", CompareOp::Greater, 0).with_range("v");
    hold("a compare over a range", client.txn(Txn::new().when([ranged])).await?.succeeded())?;
    let twice = Txn::new().and_then([TxnOp::put("d", "1", None), TxnOp::put("d", "2", None)]);
    let refused = refusal(client.txn(twice).await);
    hold("one key put twice is refused", refused == (3, "etcdserver: duplicate key given in txn request".into()))
}

async fn watches(client: &mut Client) -> Outcome {
    let start = client.put("w", "1", None).await?.header().map_or(0, |header| header.revision());
    let options = WatchOptions::new().with_start_revision(start).with_prev_key().with_prefix();
    let mut stream = client.watch("w", Some(options)).await?;
    client.put("w", "2", None).await?;
    client.delete("w", None).await?;
    let mut events = Vec::new();
    let mut id = -1;
    while events.len() < 3 {
        let response = stream.message().await?.ok_or("the watch ended")?;
        id = response.watch_id();
        events.extend(response.events().iter().map(|event| {
            let former = event.prev_kv().map(|kv| kv.value().to_vec());
            (event.event_type() == EventType::Put, former)
        }));
    }
    let expected = [(true, None), (true, Some(b"1".to_vec())), (false, Some(b"2".to_vec()))];
    hold("a watch from the past, with former values", events == expected)?;
    stream.request_progress().await?;
    let progress = stream.message().await?.ok_or("the watch ended")?;
    hold("progress on request", progress.events().is_empty() && progress.header().is_some())?;
    stream.cancel(id).await?;
    hold("cancel", stream.message().await?.is_some_and(|response| response.canceled()))?;
    let filtered = WatchOptions::new().with_start_revision(start).with_filters([WatchFilterType::NoPut]);
    let mut stream = client.watch("w", Some(filtered)).await?;
    loop {
        let response = stream.message().await?.ok_or("the watch ended")?;
        if let Some(event) = response.events().first() {
            return hold("a filtered watch", event.event_type() == EventType::Delete);
        }
    }
}

async fn leases(client: &mut Client) -> Outcome {
    let lease = client.lease_grant(60, Some(LeaseGrantOptions::new().with_id(77))).await?;
    hold("grant", lease.id() == 77 && lease.ttl() == 60)?;
    let refused = refusal(client.lease_grant(60, Some(LeaseGrantOptions::new().with_id(77))).await);
    hold("an id in use is refused", refused == (9, "etcdserver: lease already exists".into()))?;
    client.put("l", "1", Some(PutOptions::new().with_lease(77))).await?;
    let (mut keeper, mut renewals) = client.lease_keep_alive(77).await?;
    keeper.keep_alive().await?;
    hold("keep alive", renewals.message().await?.is_some_and(|renewal| renewal.ttl() == 60))?;
    let left = client.lease_time_to_live(77, Some(LeaseTimeToLiveOptions::new().with_keys())).await?;
    hold("time to live, with keys", left.granted_ttl() == 60 && left.keys() == [b"l".to_vec()])?;
    hold("all leases", client.leases().await?.leases().iter().any(|lease| lease.id() == 77))?;
    client.lease_revoke(77).await?;
    hold("revoke deletes the keys", client.get("l", None).await?.count() == 0)?;
    let refused = refusal(client.lease_revoke(77).await);
    hold("an unknown lease is refused", refused == (5, "etcdserver: requested lease not found".into()))
}

async fn compaction(client: &mut Client) -> Outcome {
    let revision = client.put("c", "1", None).await?.header().map_or(0, |header| header.revision());
    client.compact(revision, None).await?;
    let at = |revision| Some(GetOptions::new().with_revision(revision));
    hold("the compact revision can be read", client.get("c", at(revision)).await?.count() == 1)?;
    hold("old live keys stay", client.get("b", at(revision)).await?.count() == 1)?;
    let below = refusal(client.get("c", at(revision - 1)).await);
    hold("below it is refused", below == (11, "etcdserver: mvcc: required revision has been compacted".into()))?;
    let future = refusal(client.get("c", at(revision + 100)).await);
    hold("the future is refused", future == (11, "etcdserver: mvcc: required revision is a future revision".into()))?;
    let again = refusal(client.compact(revision, None).await);
    hold("twice is refused", again == (11, "etcdserver: mvcc: required revision has been compacted".into()))
}

async fn the_site_itself(client: &mut Client) -> Outcome {
    let status = client.status().await?;
    hold("status", status.version().starts_with("3.7.") && status.db_size() > 0 && status.leader() != 0)?;
    let members = client.member_list().await?;
    hold("members", members.members().len() == 1 && members.members()[0].id() == status.leader())?;
    let alarms = client.alarm(AlarmAction::Get, AlarmType::None, None).await?;
    hold("alarms", alarms.alarms().is_empty())?;
    hold("defragment", client.defragment().await.is_ok())
}
