//! kill -9 of the real process under load.
//!
//! What could go wrong: a reply that left before its data were on the disk, a torn record taken for a whole one, a revision
//! given out twice. The promise: what was acknowledged is there after the restart with its own revision, revisions only
//! grow, and none is given to two writes.

// A step that cannot be done fails the test.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use archipel_storage_tests::{
    client::{Client, kv, revision, wire::RangeRequest},
    site::Site,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};
use tokio::task::JoinSet;

const CYCLES: u64 = 50;
const WRITERS: usize = 8;
/// Keys of one writer: rewritten and deleted over and over.
const KEYS: usize = 40;
/// Load before a kill: between this and twice this, so that kills hit different moments.
const LOAD: Duration = Duration::from_millis(150);

/// What one writer knows.
#[derive(Clone, Debug, Default)]
struct Writer {
    /// Key → acknowledged revision, and the value if it was a put.
    acknowledged: BTreeMap<String, (i64, Option<String>)>,
    /// The write that got no answer: it may have happened or not.
    in_flight: Option<String>,
    /// Every revision that this writer was given.
    revisions: Vec<i64>,
    count: usize,
}

impl Writer {
    /// Writes until the server is gone.
    async fn write(mut self, mut client: Client, number: usize) -> Writer {
        loop {
            let key = format!("w{number}/{:02}", self.count % KEYS);
            let delete = self.count % 7 == 6 && self.acknowledged.get(&key).is_some_and(|(_, value)| value.is_some());
            let value = format!("{}", self.count);
            self.in_flight = Some(key.clone());
            self.count += 1;
            let outcome =
                if delete { client.delete(key.clone()).await } else { client.put(key.clone(), value.clone()).await };
            let Ok(revision) = outcome else { return self };
            self.in_flight = None;
            self.revisions.push(revision);
            self.acknowledged.insert(key, (revision, (!delete).then_some(value)));
        }
    }

    /// Compares what was acknowledged with what is there; an unanswered write that happened counts from now on.
    fn check(&mut self, stored: &BTreeMap<String, (i64, String)>) {
        let in_flight = self.in_flight.take();
        for (key, acknowledged) in &mut self.acknowledged {
            let found = stored.get(key).map(|(revision, value)| (*revision, value.clone()));
            let as_acknowledged = match &acknowledged.1 {
                Some(value) => found == Some((acknowledged.0, value.clone())),
                None => found.is_none(),
            };
            if in_flight.as_ref() == Some(key) && !as_acknowledged {
                let newer = found.as_ref().is_none_or(|(revision, _)| *revision > acknowledged.0);
                assert!(newer, "{key}: an older version came back: {found:?}, acknowledged {acknowledged:?}");
                *acknowledged = found.map_or((acknowledged.0, None), |(revision, value)| (revision, Some(value)));
                continue;
            }
            assert!(as_acknowledged, "{key}: acknowledged {acknowledged:?}, found {found:?}");
        }
        // A first put without an answer that happened all the same.
        if let Some(key) = in_flight
            && let Some((revision, value)) = stored.get(&key)
        {
            self.acknowledged.entry(key).or_insert((*revision, Some(value.clone())));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_kills_lose_nothing_acknowledged() {
    let mut site = Site::start(Path::new(env!("CARGO_BIN_EXE_archipel-under-test")), &["--log-level", "warn"]).unwrap();
    let mut writers = vec![Writer::default(); WRITERS];
    let mut given = BTreeSet::new();
    let mut highest = 1;
    for cycle in 0..CYCLES {
        let mut running = JoinSet::new();
        for (number, writer) in writers.drain(..).enumerate() {
            let client = Client::connect(site.url()).await.unwrap();
            running.spawn(async move { (number, writer.write(client, number).await) });
        }
        tokio::time::sleep(LOAD + LOAD.mul_f64(cycle as f64 / CYCLES as f64)).await;
        site.kill().unwrap();
        let mut ended = running.join_all().await;
        ended.sort_by_key(|(number, _)| *number);
        writers = ended.into_iter().map(|(_, writer)| writer).collect();

        site.launch().unwrap();
        let mut client = Client::connect(site.url()).await.unwrap();
        let reply = client
            .range(RangeRequest { key: "w".into(), range_end: "x".into(), ..RangeRequest::default() })
            .await
            .unwrap();
        let stored = reply.kvs.iter().map(|bytes| {
            let version = kv(bytes);
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            (text(&version.key), (version.mod_revision, text(&version.value)))
        });
        let stored: BTreeMap<_, _> = stored.collect();
        let mut fresh = 0;
        for writer in &mut writers {
            writer.check(&stored);
            for given_now in writer.revisions.drain(..) {
                assert!(given_now > highest, "cycle {cycle}: revision {given_now} was passed before the kill");
                assert!(given.insert(given_now), "cycle {cycle}: revision {given_now} was given twice");
                fresh += 1;
            }
        }
        assert!(fresh > 0, "cycle {cycle}: nothing was written, so nothing was tested");
        let now = revision(reply.header);
        assert!(given.last().is_some_and(|last| *last <= now), "cycle {cycle}: the revision went back to {now}");
        highest = now;
    }
    println!("{} acknowledged writes over {CYCLES} kills", given.len());
}
