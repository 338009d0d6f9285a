//! A client that others wrote, from its published crate, finds nothing amiss. Our own tests speak through protos of ours: a
//! field number that is wrong in both would not show there.

// A step that cannot be done fails the test.
#![allow(clippy::unwrap_used)]

use archipel_storage_tests::site::Site;
use std::path::Path;
use std::process::Command;

#[test]
fn the_published_etcd_client_drives_every_call() {
    let site = Site::start(Path::new(env!("CARGO_BIN_EXE_archipel-under-test")), &[]).unwrap();
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("upstream/etcd-client/Cargo.toml");
    let run = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--locked", "--manifest-path"])
        .arg(manifest)
        .args(["--", &site.url()])
        .env("PROTOC", env!("CARGO_BIN_EXE_protoc"))
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("etcd-client"))
        .output()
        .unwrap();
    let (said, complained) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{said}{complained}");
    let held = said.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(held >= 35, "only {held} checks ran:\n{said}");
}
