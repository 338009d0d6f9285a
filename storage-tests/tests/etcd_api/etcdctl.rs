//! etcd's own command-line client, as published: the subcommands that etcd's black-box tests leave out.

use super::{is_foreign, site, start};
use archipel_storage_tests::{
    client::{Client, kv},
    site::Site,
    upstream::{self, Program},
};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// What etcdctl does in the background is done in this time.
const DUE: Duration = Duration::from_secs(20);
/// Set it to run what takes a minute.
const SLOW: &str = "ARCHIPEL_SLOW_TESTS";

/// etcdctl, which is built at the first use; None where there is no Go.
fn etcdctl() -> Option<PathBuf> {
    upstream::program_or_skip(Program::Etcdctl, Path::new(env!("CARGO_TARGET_TMPDIR")))
}

/// One site's etcdctl.
struct Ctl {
    program: PathBuf,
    endpoint: String,
}

impl Ctl {
    fn of(site: &Site) -> Option<Ctl> {
        Some(Ctl { program: etcdctl()?, endpoint: site.url() })
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["--endpoints", &self.endpoint]).args(words).stdin(Stdio::null());
        command
    }

    fn output(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// Standard output of what has to succeed.
    fn run(&self, words: &[&str]) -> String {
        let output = self.output(words);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "etcdctl {}: {said}", words.join(" "));
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, words: &[&str]) -> Value {
        let text = self.run(&[words, &["-w", "json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The last line on standard error of what has to fail.
    fn refusal(&self, words: &[&str]) -> String {
        let output = self.output(words);
        assert!(!output.status.success(), "etcdctl {} succeeded", words.join(" "));
        let said = String::from_utf8(output.stderr).unwrap();
        said.lines().last().unwrap_or_default().to_owned()
    }

    fn spawn(&self, words: &[&str]) -> Background {
        let child = self.command(words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        Background(child)
    }
}

/// Ends with its test.
struct Background(Child);

impl Background {
    fn lines(&mut self) -> impl Iterator<Item = String> {
        BufReader::new(self.0.stdout.take().unwrap()).lines().map(Result::unwrap)
    }

    fn interrupt(&mut self) {
        assert!(Command::new("kill").args(["-s", "INT", &self.0.id().to_string()]).status().unwrap().success());
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

async fn until_value(client: &mut Client, key: &str, value: &str) {
    let began = Instant::now();
    let key = bytes::Bytes::copy_from_slice(key.as_bytes());
    loop {
        let found = client.get(key.clone()).await.unwrap();
        if found.as_ref().is_some_and(|kv| kv.value == value) {
            return;
        }
        assert!(began.elapsed() < DUE, "{key:?} is {found:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn maintenance_commands_speak_of_one_member() {
    let (site, mut client) = site().await;
    let Some(ctl) = Ctl::of(&site) else { return };
    client.put("a", "1").await.unwrap();
    let status = ctl.json(&["endpoint", "status"]);
    let status = &status[0]["Status"];
    assert_eq!((&status["version"], &status["header"]["revision"]), (&Value::from("3.7.3"), &Value::from(2)));
    let this = format!("{:x}", status["leader"].as_u64().unwrap());
    assert!(ctl.run(&["endpoint", "status"]).contains(&this));
    assert_eq!(ctl.json(&["endpoint", "hashkv"])[0]["HashKV"]["hash_revision"], 2);
    assert!(ctl.run(&["defrag"]).starts_with("Finished defragmenting etcd member"));
    assert_eq!(ctl.run(&["alarm", "list"]), "");
    assert!(ctl.json(&["alarm", "list"])["header"].is_object());
    assert_eq!(ctl.run(&["alarm", "disarm"]), "");

    assert!(ctl.run(&["move-leader", &this]).starts_with("Leadership transferred"));
    assert_eq!(ctl.refusal(&["move-leader", "1234"]), "Error: etcdserver: bad leader transferee");
    assert_eq!(ctl.run(&["downgrade", "validate", "3.6"]), "Downgrade validate success, cluster version 3.7\n");
    assert_eq!(ctl.run(&["downgrade", "enable", "3.6"]), "Downgrade enable success, cluster version 3.7\n");
    let busy = "Error: etcdserver: cluster has a downgrade job in progress";
    assert_eq!(ctl.refusal(&["downgrade", "enable", "3.6"]), busy);
    assert_eq!(ctl.run(&["downgrade", "cancel"]), "Downgrade cancel success, cluster version 3.7\n");
    assert_eq!(ctl.json(&["downgrade", "cancel"])["version"], "3.7");
}

#[tokio::test]
async fn members_are_added_listed_and_removed() {
    let (site, _client) = site().await;
    let Some(ctl) = Ctl::of(&site) else { return };
    let added = ctl.json(&["member", "add", "learner", "--learner", "--peer-urls=http://localhost:123"]);
    let id = format!("{:x}", added["member"]["ID"].as_u64().unwrap());
    let listed = ctl.run(&["member", "list"]);
    assert!(listed.contains(&format!("{id}, unstarted, , http://localhost:123, , true")), "{listed}");
    let behind = "Error: etcdserver: can only promote a learner member which is in sync with leader";
    assert_eq!(ctl.refusal(&["member", "promote", &id]), behind);
    assert!(ctl.run(&["member", "update", &id, "--peer-urls=http://localhost:124"]).contains("updated"));
    assert!(ctl.run(&["member", "remove", &id]).contains("removed"));
    assert_eq!(ctl.json(&["member", "list"])["members"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_lock_runs_one_command_at_a_time_and_is_given_back() {
    let (site, mut client) = site().await;
    let Some(ctl) = Ctl::of(&site) else { return };
    assert_eq!(ctl.run(&["lock", "jobs", "echo", "held"]), "held\n");
    let mut holder = ctl.spawn(&["lock", "jobs"]);
    let key = holder.lines().next().unwrap();
    assert!(key.starts_with("jobs/"), "{key}");
    let mut waiter = ctl.spawn(&["lock", "jobs", "echo", "next"]);
    holder.interrupt();
    assert_eq!(waiter.lines().next().unwrap(), "next");
    waiter.0.wait().unwrap();
    assert!(client.get(bytes::Bytes::from(key)).await.unwrap().is_none());
}

#[tokio::test]
async fn an_election_is_won_watched_and_lost() {
    let (site, mut client) = site().await;
    let Some(ctl) = Ctl::of(&site) else { return };
    let mut listener = ctl.spawn(&["elect", "-l", "el"]);
    let mut heard = listener.lines();
    let mut first = ctl.spawn(&["elect", "el", "one"]);
    let said: Vec<String> = first.lines().take(2).collect();
    assert!(said[0].starts_with("el/") && said[1] == "one", "{said:?}");
    assert_eq!([heard.next().unwrap(), heard.next().unwrap()], [said[0].as_str(), "one"]);
    let mut second = ctl.spawn(&["elect", "el", "two"]);
    first.interrupt();
    let said: Vec<String> = second.lines().take(2).collect();
    assert_eq!(said[1], "two");
    assert_eq!(heard.nth(1).unwrap(), "two");
    assert_eq!(client.get(bytes::Bytes::from(said[0].clone())).await.unwrap().unwrap().value, "two");
}

#[tokio::test]
async fn a_mirror_follows_a_prefix() {
    let (site, mut client) = site().await;
    let Some(ctl) = Ctl::of(&site) else { return };
    let (mirror, mut copy) = super::site().await;
    for n in 0..50 {
        client.put(format!("from/{n}"), format!("{n}")).await.unwrap();
    }
    let destination = mirror.url();
    let words = ["make-mirror", "--prefix", "from/", "--dest-prefix", "to/", &destination];
    let _follows = ctl.spawn(&words);
    until_value(&mut copy, "to/49", "49").await;
    client.put("from/49", "new").await.unwrap();
    client.put("elsewhere", "1").await.unwrap();
    until_value(&mut copy, "to/49", "new").await;
    client.delete("from/0").await.unwrap();
    client.put("from/last", "1").await.unwrap();
    until_value(&mut copy, "to/last", "1").await;
    assert!(copy.get("to/0").await.unwrap().is_none());
    assert!(copy.get("elsewhere").await.unwrap().is_none());
}

/// Saved with etcdctl, checked and restored with ours, served again.
#[tokio::test]
async fn a_snapshot_that_etcdctl_saved_becomes_a_site() {
    let (site, mut client) = site().await;
    let Some(ctl) = Ctl::of(&site) else { return };
    for n in 0..500 {
        client.put(format!("key/{n:03}"), "v".repeat(2000)).await.unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup.db");
    let said = ctl.run(&["snapshot", "save", file.to_str().unwrap()]);
    assert!(said.contains("Snapshot saved at") && said.contains("Server version 3.7.0"), "{said}");
    if is_foreign() {
        return;
    }
    let archipel = |words: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_archipel-under-test")).arg("snapshot").args(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let status: Value = serde_json::from_str(&archipel(&["status", file.to_str().unwrap(), "-w", "json"])).unwrap();
    assert_eq!(
        (&status["revision"], &status["totalKey"], &status["site"]),
        (&501.into(), &500.into(), &"nantes".into())
    );

    let own = dir.path().join("own.snapshot");
    archipel(&["save", own.to_str().unwrap(), "--data-dir", site.data_dir().to_str().unwrap()]);
    let status: Value = serde_json::from_str(&archipel(&["status", own.to_str().unwrap(), "-o", "json"])).unwrap();
    assert_eq!(status["totalKey"], 500);

    let mut restored = start(&[]);
    restored.kill().unwrap();
    std::fs::remove_dir_all(restored.data_dir()).unwrap();
    let data_dir = restored.data_dir();
    let bump = ["--bump-revision", "1000", "--mark-compacted"];
    let words = [&["restore", file.to_str().unwrap(), "--data-dir", data_dir.to_str().unwrap()][..], &bump].concat();
    assert!(archipel(&words).contains("restored 500 keys"));
    restored.launch().unwrap();
    let mut client = Client::connect(restored.url()).await.unwrap();
    let request = archipel_storage_tests::client::wire::RangeRequest {
        key: "key/".into(),
        range_end: "key0".into(),
        ..Default::default()
    };
    let reply = client.range(request.clone()).await.unwrap();
    assert_eq!((reply.kvs.len(), reply.header.unwrap().revision), (500, 1501));
    assert_eq!((kv(&reply.kvs[7]).create_revision, kv(&reply.kvs[7]).value.len()), (9, 2000));
    let old = archipel_storage_tests::client::wire::RangeRequest { revision: 1500, ..request };
    assert!(client.range(old).await.unwrap_err().message().contains("compacted"));
    assert_eq!(client.put("key/new", "1").await.unwrap(), 1502);
}

#[tokio::test]
async fn check_perf_passes_its_small_load() {
    if std::env::var_os(SLOW).is_none() {
        eprintln!("skipped: it takes a minute; set {SLOW}");
        return;
    }
    let (site, _client) = site().await;
    let Some(ctl) = Ctl::of(&site) else { return };
    let said = ctl.run(&["check", "perf", "--load", "s"]);
    assert!(said.lines().last().unwrap().contains("PASS"), "{said}");
    let said = ctl.run(&["check", "datascale", "--load", "s"]);
    assert!(said.contains("PASS"), "{said}");
}
