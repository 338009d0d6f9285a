//! A client that others wrote, from its published crate, finds nothing amiss. Our own tests speak through protos of ours: a
//! field number that is wrong in both would not show there.

// A step that cannot be done fails the test.
#![allow(clippy::unwrap_used)]

use archipel_storage_tests::{
    client::{
        Client,
        wire::{AuthRoleAddRequest, AuthUserAddRequest, AuthUserGrantRoleRequest},
    },
    site::Site,
};
use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
};

/// Where the client's own tests look for a server.
const OWN_TESTS_PORT: u16 = 2379;
/// What they are, but for the one that waits until a second member has joined.
const OWN_TESTS: usize = 27;

#[test]
fn the_published_etcd_client_drives_every_call() {
    let site = Site::start(program(), &[]).unwrap();
    let said = run(cargo("run", &our_manifest()).args(["--quiet", "--", &site.url()]));
    let held = said.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(held >= 35, "only {held} checks ran:\n{said}");
}

/// They are run where cargo has unpacked them, unchanged and with the lock file that was published with them.
#[tokio::test]
async fn the_published_etcd_clients_own_tests_pass() {
    if let Err(error) = TcpListener::bind(("localhost", OWN_TESTS_PORT)) {
        assert!(std::env::var("CI").is_err(), "port {OWN_TESTS_PORT}: {error}");
        eprintln!(
            "skipped: port {OWN_TESTS_PORT} is taken ({error}), which is where the client's tests look for a server"
        );
        return;
    }
    let flags = ["--auth-token-ttl=2", "--max-request-bytes=10240"];
    let site = Site::start_on(OWN_TESTS_PORT, program(), &flags).unwrap();
    let mut auth = Client::connect(site.url()).await.unwrap().auth;
    let (name, password) = ("root".to_owned(), "rootpwd".to_owned());
    auth.user_add(AuthUserAddRequest { name: name.clone(), password, ..Default::default() }).await.unwrap();
    auth.role_add(AuthRoleAddRequest { name: name.clone() }).await.unwrap();
    auth.user_grant_role(AuthUserGrantRoleRequest { user: name.clone(), role: name }).await.unwrap();

    let mut tests = cargo("test", &published_manifest());
    let said = run(tests.args(["--test", "client", "--", "--include-ignored", "--skip", "test_cluster"]));
    assert!(said.contains(&format!("test result: ok. {OWN_TESTS} passed; 0 failed; 0 ignored")), "{said}");
}

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_archipel-under-test"))
}

fn our_manifest() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("upstream/etcd-client/Cargo.toml")
}

/// The manifest of the crate itself, in cargo's registry folder.
fn published_manifest() -> PathBuf {
    let said = run(cargo("metadata", &our_manifest()).args(["--format-version=1"]));
    let metadata: serde_json::Value = serde_json::from_str(&said).unwrap();
    let packages = metadata.get("packages").and_then(|packages| packages.as_array()).unwrap();
    let ours = packages.iter().find(|package| package.get("name").is_some_and(|name| name == "etcd-client")).unwrap();
    ours.get("manifest_path").and_then(|path| path.as_str()).unwrap().into()
}

/// Cargo for a package that is not in the workspace, in a target folder of its own.
fn cargo(verb: &str, manifest: &Path) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args([verb, "--locked", "--manifest-path"]).arg(manifest);
    command.env("PROTOC", env!("CARGO_BIN_EXE_protoc"));
    command.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("etcd-client"));
    command
}

/// What it said; it has to succeed.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}\n{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}
