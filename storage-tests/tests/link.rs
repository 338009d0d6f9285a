//! Two real processes that share a namespace over a real link.
//!
//! What could go wrong: an entry that a cut or a kill loses or doubles, an acknowledgement that left before its entries were
//! on the disk, a revoked peer that still hears, a verb that says it worked. The promise: whatever happens to the link and to
//! one of the processes, both sites come to show the same, and nothing but what is shared leaves a site.

// A step that cannot be done fails the test.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used)]

use archipel_storage_tests::{client::Client, site::Site};
use serde_json::{Value, json};
use std::{
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_archipel-under-test");
/// What is due happens in this time.
const DUE: Duration = Duration::from_secs(30);
/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// What must not happen has this time to happen.
const QUIET: Duration = Duration::from_secs(2);

fn start(name: &str) -> Site {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let listen = format!("--link-listen-url=https://127.0.0.1:{port}");
    Site::start(Path::new(PROGRAM), &["--log-level", "info", "--name", name, &listen]).unwrap()
}

fn verb(site: &Site, words: &[&str]) -> Output {
    Command::new(PROGRAM).args(words).arg("--data-dir").arg(site.data_dir()).output().unwrap()
}

fn done(site: &Site, words: &[&str]) -> String {
    let output = verb(site, words);
    assert!(output.status.success(), "{words:?}: {}\n{}", String::from_utf8_lossy(&output.stderr), site.log());
    String::from_utf8(output.stdout).unwrap()
}

fn refused(site: &Site, words: &[&str], code: i32) -> String {
    let output = verb(site, words);
    assert_eq!(output.status.code(), Some(code), "{words:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

/// `status`, which exits with 2 while something is down.
fn status(site: &Site) -> Value {
    let output = verb(site, &["status", "-o", "json"]);
    assert!(matches!(output.status.code(), Some(0 | 2)), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn connected(site: &Site) -> bool {
    status(site)["peers"].as_array().unwrap().iter().all(|peer| peer["connected"] == true)
}

fn eventually(what: &str, sites: [&Site; 2], mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        let told = || sites.map(|site| format!("{:#}\n{}", status(site), site.log())).join("\n----\n");
        assert!(started.elapsed() < DUE, "never: {what}\n{}", told());
        std::thread::sleep(LOOK_EVERY);
    }
}

fn key(kind: &str, name: &str) -> String {
    format!("/registry/{kind}/team-a/{name}")
}

fn uid(name: &str) -> String {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    format!("00000000-0000-4000-8000-{:012x}", hash & 0xffff_ffff_ffff)
}

fn namespace() -> String {
    let object = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": { "name": "team-a", "uid": uid("team-a"), "creationTimestamp": "2026-01-01T00:00:00Z" },
        "spec": { "finalizers": ["kubernetes"] }, "status": { "phase": "Active" },
    });
    format!("{object}\n")
}

fn object(kind: &str, name: &str, data: &Value) -> String {
    let metadata = json!({
        "name": name, "namespace": "team-a", "uid": uid(name), "creationTimestamp": "2026-01-01T00:00:00Z",
    });
    format!("{}\n", json!({ "apiVersion": "v1", "kind": kind, "metadata": metadata, "data": data }))
}

async fn write(site: &Site, name: &str, data: &Value) {
    let mut client = Client::connect(site.url()).await.unwrap();
    client.put(key("configmaps", name), object("ConfigMap", name, data)).await.unwrap();
}

/// The data of a ConfigMap; None if it is not there.
async fn read(site: &Site, name: &str) -> Option<Value> {
    let mut client = Client::connect(site.url()).await.unwrap();
    let found = client.get(key("configmaps", name)).await.unwrap()?;
    // The accepting site has no object of its own to take the encoding from: it stores protobuf.
    let object = archipel_crdt::value::decode(&found.value).unwrap().tree;
    Some(object.get("data").map_or(Value::Null, |data| serde_json::from_str(&data.to_json()).unwrap()))
}

async fn shows(site: &Site, other: &Site, name: &str, data: Option<Value>) {
    let started = Instant::now();
    loop {
        let found = read(site, name).await;
        if found == data {
            return;
        }
        let told = || format!("{:#}\n{}\n----\n{}", status(site), site.log(), other.log());
        assert!(started.elapsed() < DUE, "{name} is {found:?}, not {data:?}\n{}", told());
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Two peers, nantes and rennes.
fn peers() -> (Site, Site) {
    let (nantes, rennes) = (start("nantes"), start("rennes"));
    let token = done(&nantes, &["peer", "invite", "--ttl", "5m"]);
    done(&rennes, &["peer", "accept", token.trim()]);
    eventually("both links are up", [&nantes, &rennes], || connected(&nantes) && connected(&rennes));
    (nantes, rennes)
}

/// Two peers that share team-a.
async fn sharing() -> (Site, Site) {
    let (nantes, rennes) = peers();
    let mut client = Client::connect(nantes.url()).await.unwrap();
    client.put("/registry/namespaces/team-a", namespace()).await.unwrap();
    write(&nantes, "before", &json!({ "a": "1" })).await;
    done(&nantes, &["share", "attach", "-n", "team-a", "--with", "rennes"]);
    done(&rennes, &["share", "accept", "-n", "team-a", "--from", "nantes"]);
    shows(&rennes, &nantes, "before", Some(json!({ "a": "1" }))).await;
    (nantes, rennes)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_namespace_survives_kills_of_either_process() {
    let (nantes, mut rennes) = sharing().await;
    write(&rennes, "there", &json!({ "b": "1" })).await;
    shows(&nantes, &rennes, "there", Some(json!({ "b": "1" }))).await;

    for cycle in 0..5 {
        let (mine, theirs) = (format!("n{cycle}"), format!("r{cycle}"));
        write(&rennes, &theirs, &json!({ "cycle": theirs })).await;
        rennes.kill().unwrap();
        write(&nantes, &mine, &json!({ "cycle": mine })).await;
        rennes.launch().unwrap();
        shows(&rennes, &nantes, &mine, Some(json!({ "cycle": mine }))).await;
        shows(&nantes, &rennes, &theirs, Some(json!({ "cycle": theirs }))).await;
    }
    done(&nantes, &["status", "--wait"]);
    done(&rennes, &["status", "--wait"]);
    let share = &status(&nantes)["shares"][0];
    assert_eq!((share["lag_entries_out"].as_u64(), share["lag_entries_in"].as_u64()), (Some(0), Some(0)), "{share:#}");
    assert_eq!(share["entries"], status(&rennes)["shares"][0]["entries"], "both hold the same entries");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_shared_stays_and_a_revoked_peer_hears_no_more() {
    let (nantes, rennes) = sharing().await;
    let mut client = Client::connect(nantes.url()).await.unwrap();
    let secret = "not-for-rennes";
    client.put("/registry/configmaps/team-b/x", object("ConfigMap", "x", &json!({ "s": secret }))).await.unwrap();
    client.put("/registry/leases/team-a/x", object("Lease", "x", &json!({ "s": secret }))).await.unwrap();
    write(&nantes, "after", &json!({ "a": "2" })).await;
    shows(&rennes, &nantes, "after", Some(json!({ "a": "2" }))).await;
    let mut other = Client::connect(rennes.url()).await.unwrap();
    for absent in ["/registry/configmaps/team-b/x", "/registry/leases/team-a/x"] {
        assert_eq!(other.get(absent).await.unwrap(), None, "{absent}");
    }

    let told = done(&nantes, &["peer", "revoke", "rennes"]);
    assert!(told.contains("archipel share detach -n team-a --keep"), "{told}");
    let before = Instant::now();
    eventually("rennes is cut off", [&nantes, &rennes], || !connected(&rennes));
    assert!(before.elapsed() < Duration::from_secs(5));
    write(&nantes, "secret", &json!({ "s": secret })).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(read(&rennes, "secret").await, None);
    assert_eq!(verb(&rennes, &["status"]).status.code(), Some(2), "degraded");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_detach_both_keep_their_objects_and_hear_nothing() {
    let (nantes, rennes) = sharing().await;
    done(&rennes, &["share", "detach", "-n", "team-a", "--keep"]);
    write(&nantes, "later", &json!({ "a": "3" })).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(read(&rennes, "before").await, Some(json!({ "a": "1" })));
    assert_eq!(read(&rennes, "later").await, None);
    assert!(done(&rennes, &["share", "list"]).contains("share attach"), "nothing is shared");
    eventually("nantes knows", [&nantes, &rennes], || status(&nantes)["shares"] == json!([]));
}

#[test]
fn verbs_that_cannot_work_say_what_to_do() {
    let (nantes, rennes) = peers();
    let spent = done(&nantes, &["peer", "invite"]);
    let brest = start("brest");
    done(&brest, &["peer", "accept", spent.trim()]);
    for (site, words, code, text) in [
        (&rennes, &["peer", "accept", spent.trim()][..], 1, "ask for a new one"),
        (&rennes, &["peer", "accept", "nonsense"], 1, "archipel peer invite"),
        (&nantes, &["peer", "accept", spent.trim()], 1, "at the other site"),
        (&nantes, &["peer", "revoke", "lyon"], 1, "archipel peer list"),
        (&nantes, &["share", "attach", "-n", "team-a", "--with", "lyon"], 1, "archipel peer list"),
        (&nantes, &["share", "attach", "-n", "team-a", "--with", "rennes"], 1, "kubectl create namespace team-a"),
        (&rennes, &["share", "accept", "-n", "team-a", "--from", "nantes"], 1, "team-a"),
        (&nantes, &["share", "detach", "-n", "team-a", "--keep"], 1, "archipel share list"),
        (&nantes, &["share", "detach", "-n", "team-a"], 64, "--keep"),
        (&nantes, &["peer", "invite", "--ttl", "soon"], 64, "soon"),
        (&nantes, &["peer", "invite", "--ttl", "1000h"], 1, "--ttl"),
    ] {
        let told = refused(site, words, code);
        assert!(told.contains(text), "{words:?}: {told}");
    }
    let nowhere = Command::new(PROGRAM).args(["status", "--data-dir", "/nonexistent"]).output().unwrap();
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("--admin-socket"));
}
