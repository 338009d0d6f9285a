//! What an operator sees of the disk: `archipel verify` and `archipel log dump` on the directory of a real process. What
//! could go wrong: damage that is not told, a status that a script takes for the other, a site that is called damaged
//! because it was killed.

use super::{is_foreign, site};
use archipel_storage_tests::{
    client::{
        Client,
        wire::{CompactionRequest, LeaseGrantRequest},
    },
    site::Site,
};
use serde_json::Value;
use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

/// All is well; something is damaged; the verb itself failed.
const CLEAN: Option<i32> = Some(0);
const DAMAGED: Option<i32> = Some(2);
const FAILED: Option<i32> = Some(1);

fn archipel(words: &[&str], dir: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_archipel-under-test")).args(words).arg("--data-dir").arg(dir).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(dir.join("log")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "segment"));
    paths.sort();
    paths
}

/// Changes one byte inside a value, and changes it back when it is called again.
fn flip(dir: &Path, value: &str) {
    for path in segments(dir) {
        let mut bytes = fs::read(&path).unwrap();
        let at = bytes.windows(value.len() - 1).position(|window| window == &value.as_bytes()[1..]);
        if let Some(at) = at {
            bytes[at - 1] ^= 0b101;
            fs::write(&path, bytes).unwrap();
            return;
        }
    }
    panic!("no segment holds {value}");
}

/// A site whose log holds one value that compaction hides and one that is live.
async fn site_with_dead_and_live() -> (Site, Client) {
    let (site, mut client) = site().await;
    client.put("dead", "the-dead-value").await.unwrap();
    client.put("live", "the-live-value").await.unwrap();
    let last = client.put("dead", "another").await.unwrap();
    client.kv.compact(CompactionRequest { revision: last, physical: true }).await.unwrap();
    (site, client)
}

#[tokio::test]
async fn what_is_damaged_on_disk_is_told_with_its_keys() {
    if is_foreign() {
        return;
    }
    let (mut site, mut client) = site_with_dead_and_live().await;
    let dir = site.data_dir();
    let in_use = archipel(&["verify"], &dir);
    assert_eq!(in_use.status.code(), FAILED);
    assert!(text(&in_use).contains("another process uses"), "{}", text(&in_use));

    client.put("tail", "the-last-value").await.unwrap();
    site.kill().unwrap();
    let killed = archipel(&["verify"], &dir);
    assert_eq!(killed.status.code(), CLEAN, "{}", text(&killed));
    flip(&dir, "the-last-value");
    let torn = archipel(&["verify", "-w", "json"], &dir);
    assert_eq!(torn.status.code(), CLEAN, "{}", text(&torn));
    let found: Value = serde_json::from_slice(&torn.stdout).unwrap();
    assert!(found["torn"]["bytes"].as_u64().unwrap() > 0 && found["clean"] == true, "{found}");
    flip(&dir, "the-last-value");

    site.launch().unwrap();
    site.terminate().unwrap();
    let clean = archipel(&["verify"], &dir);
    assert_eq!(clean.status.code(), CLEAN, "{}", text(&clean));
    assert!(text(&clean).contains("index: agrees with the log"), "{}", text(&clean));

    flip(&dir, "the-live-value");
    let live = archipel(&["verify"], &dir);
    assert_eq!(live.status.code(), DAMAGED);
    assert!(text(&live).contains("  lost: key live of revision 3\n"), "{}", text(&live));
    let dump = archipel(&["log", "dump"], &dir);
    assert_eq!(dump.status.code(), DAMAGED);
    assert!(text(&dump).contains("damaged  a record's checksum is wrong"), "{}", text(&dump));
    flip(&dir, "the-live-value");

    flip(&dir, "the-dead-value");
    let dead = archipel(&["verify", "--write-out=json"], &dir);
    assert_eq!(dead.status.code(), DAMAGED);
    let found: Value = serde_json::from_slice(&dead.stdout).unwrap();
    assert_eq!((&found["damage"][0]["segment"], &found["damage"][0]["lost_count"]), (&1.into(), &0.into()), "{found}");
    // The site serves with it: nobody needs what is damaged.
    site.launch().unwrap();
    site.terminate().unwrap();
}

#[tokio::test]
async fn the_log_is_shown_record_by_record() {
    if is_foreign() {
        return;
    }
    let (mut site, mut client) = site().await;
    client.put("a", "1").await.unwrap();
    client.lease.lease_grant(LeaseGrantRequest { id: 255, ttl: 60 }).await.unwrap();
    client.put("a", "23").await.unwrap();
    client.delete("a").await.unwrap();
    site.terminate().unwrap();
    let dir = site.data_dir();

    let table = archipel(&["log", "dump"], &dir);
    assert_eq!(table.status.code(), CLEAN);
    for line in
        ["put a at 2 version 1 created 2 1 bytes", "row put Lease ff ttl 60s", "delete a at 4", "opened", "closed"]
    {
        assert!(text(&table).contains(line), "no {line:?} in\n{}", text(&table));
    }
    let json = archipel(&["log", "dump", "-w", "json", "--from-revision=3", "--to-revision=3"], &dir);
    let lines: Vec<Value> = text(&json).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!((&lines[0]["revision"], &lines[0]["origin"]), (&3.into(), &"site".into()));
    assert_eq!(lines[0]["operations"][0]["value_bytes"], 2);
    assert_eq!(text(&archipel(&["log", "dump", "-w", "json", "--limit=2"], &dir)).lines().count(), 2);
}

/// `archipel log dump | head -1`, of a log that does not fit a pipe.
#[tokio::test]
async fn a_reader_that_has_seen_enough_is_no_error() {
    if is_foreign() {
        return;
    }
    let (mut site, mut client) = site().await;
    for at in 0..2_000 {
        client.put(format!("{at:0100}"), "1").await.unwrap();
    }
    site.terminate().unwrap();
    let mut dump = Command::new(env!("CARGO_BIN_EXE_archipel-under-test"))
        .args(["log", "dump", "-w", "json", "--data-dir"])
        .arg(site.data_dir())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = dump.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 100]).unwrap();
    drop(stdout);
    let ended = dump.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), text(&ended)), (CLEAN, String::new()));
}

/// A value is lost while the site is stopped, in a part of the log that a start does not read. The scrub finds it, and the site
/// refuses as etcd does, before anybody is given something wrong; damage to what nobody needs is told and serves on.
#[tokio::test]
async fn the_scrub_raises_the_alarm_for_what_is_lost_and_for_nothing_else() {
    if is_foreign() {
        return;
    }
    let (mut site, mut client) = site_with_dead_and_live().await;
    for at in 0..40 {
        client.put(format!("fill{at}"), vec![b'v'; 10_000]).await.unwrap();
    }
    site.terminate().unwrap();
    flip(&site.data_dir(), "the-dead-value");
    site.launch().unwrap();
    wait_for(&site, "archipel_scrub_errors_total", 1).await;
    assert_eq!(metric(&site, "archipel_scrub_lost_total"), 0);
    let mut client = Client::connect(site.url()).await.unwrap();
    client.put("served", "1").await.unwrap();
    site.terminate().unwrap();

    flip(&site.data_dir(), "the-live-value");
    site.launch().unwrap();
    wait_for(&site, "archipel_scrub_lost_total", 1).await;
    let mut client = Client::connect(site.url()).await.unwrap();
    let started = Instant::now();
    let refused = loop {
        match client.put("refused", "1").await {
            Err(refused) => break refused,
            Ok(_) => assert!(started.elapsed() < WAIT_MAX, "no alarm; log:\n{}", site.log()),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    assert_eq!(refused.message(), "etcdserver: corrupt cluster");
    assert!(site.log().contains("alarm CORRUPT") && site.log().contains("\"keys\":\"live\""), "{}", site.log());
    assert!(site.http_get("/metrics").unwrap().contains("archipel_scrub_last_pass_timestamp_seconds"));
}

const WAIT_MAX: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(20);

fn metric(site: &Site, name: &str) -> u64 {
    let metrics = site.http_get("/metrics").unwrap();
    let line = metrics.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

async fn wait_for(site: &Site, name: &str, least: u64) {
    let started = Instant::now();
    while metric(site, name) < least {
        assert!(started.elapsed() < WAIT_MAX, "{name} is not {least}; log:\n{}", site.log());
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
