//! A pair of sites for one test, in a folder that is kept when the test fails.

use std::path::{Path, PathBuf};

use archipel::demo::kubernetes::{Binaries, StorageEncoding, eventually, stop_everything_on_signals};
use archipel::demo::narrator::Narrator;
use archipel::demo::pair::{Pair, PairConfig};
use serde_json::{Value, json};

/// Names a folder with the Kubernetes programs, as `archipel demo --kubernetes-bin` does.
const BINARIES_VARIABLE: &str = "ARCHIPEL_KUBERNETES_BIN";

/// Finds or builds the Kubernetes programs. `None` when there is no way to get them on this machine, which is a reason to
/// skip a test, except in CI: there it fails.
///
/// # Panics
/// When they cannot be had and `CI` is `true`.
pub async fn binaries() -> Option<Binaries> {
    let directory = std::env::var_os(BINARIES_VARIABLE).map(PathBuf::from);
    match Binaries::find(directory.as_deref()).await {
        Ok(binaries) => Some(binaries),
        Err(error) if std::env::var("CI").is_ok_and(|value| value == "true") => panic!("{error}"),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

/// Two running sites and the narrator who remembers what did not hold.
#[derive(Debug)]
pub struct Rig {
    pub pair: Pair,
    pub narrator: Narrator,
    directory: PathBuf,
}

impl Rig {
    /// Starts nantes and rennes below `directory`/`name`. `program` is the binary under test.
    ///
    /// # Panics
    /// When a site does not start.
    pub async fn start(
        binaries: &Binaries,
        program: &Path,
        directory: &Path,
        name: &str,
        encodings: (StorageEncoding, StorageEncoding),
    ) -> Rig {
        stop_everything_on_signals();
        let directory = directory.join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("the test's folder can be made");
        let config = PairConfig { directory: directory.clone(), program: program.to_owned(), encodings, strict: true };
        let pair = Pair::start(binaries, config).await;
        let pair = pair.unwrap_or_else(|error| panic!("{error}\nlogs are in {}", directory.display()));
        Rig { pair, narrator: Narrator::new(), directory }
    }

    /// Creates namespace `name` at nantes and shares it with rennes, which must not have it yet.
    ///
    /// # Panics
    /// When a site refuses.
    pub async fn share_new(&self, name: &str) {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.pair.nantes.api().create("/api/v1/namespaces", &namespace).await.expect("nantes takes a namespace");
        self.share(name, &[]).await;
    }

    /// Both sites agree to share `name`; `how` goes to `share accept`.
    ///
    /// # Panics
    /// When a verb fails, or the share does not become active.
    pub async fn share(&self, name: &str, how: &[&str]) {
        let Pair { nantes, rennes, .. } = &self.pair;
        nantes.archipel(&["share", "attach", "-n", name, "--with", "rennes"]).await.expect("nantes attaches");
        let accept = [&["share", "accept", "-n", name, "--from", "nantes"], how].concat();
        rennes.archipel(&accept).await.expect("rennes accepts");
        let active = eventually(async || {
            nantes.share_active(name).await?;
            rennes.share_active(name).await
        });
        expect(active.await);
    }

    /// Tells what could not be kept back any longer, and takes the folder away.
    ///
    /// # Panics
    /// When a step of the story did not hold, or a program has ended.
    pub fn finish(self) {
        let broken = self.narrator.broken().to_vec();
        let running = self.pair.check();
        assert!(
            broken.is_empty() && running.is_ok(),
            "{broken:#?} {running:?}\nlogs are in {}",
            self.directory.display()
        );
        drop(self.pair);
        // What cannot be removed is only in the way of `cargo clean`.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// The value of a condition that came true, or a panic that says what was seen instead.
///
/// # Panics
/// When it did not come true.
#[track_caller]
pub(crate) fn expect<T>(outcome: Result<(T, std::time::Duration), String>) -> T {
    match outcome {
        Ok((value, _)) => value,
        Err(seen) => panic!("{seen}"),
    }
}

/// A ConfigMap with one entry.
pub(crate) fn config_map(name: &str, key: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {key: value}})
}

/// A Deployment of one container.
pub(crate) fn deployment(name: &str, replicas: u32) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": name, "image": "registry.example/app:1"}]},
            },
        },
    })
}
