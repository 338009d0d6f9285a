//! A server of either kind on an empty store, without fsync: only replies are compared here, not durability.

use crate::site::Site;
use std::{io, path::Path};

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum ServerKind {
    Etcd,
    Archipel,
}

/// A running server.
#[derive(Debug)]
pub struct Server(Site);

impl Server {
    /// Starts it.
    ///
    /// # Errors
    /// It does not start, or does not listen in time.
    pub fn start(kind: ServerKind, program: &Path) -> io::Result<Server> {
        let common = ["--unsafe-no-fsync", "--log-level", "error", "--quota-backend-bytes", "8589934592"];
        // etcd wants to be told what clients dial, and a port for members that do not exist.
        let only_etcd = ["--advertise-client-urls", "http://127.0.0.1:1", "--listen-peer-urls", "http://127.0.0.1:0"];
        let mut flags = common.to_vec();
        if kind == ServerKind::Etcd {
            let cluster = [
                "--initial-advertise-peer-urls",
                "http://127.0.0.1:1",
                "--initial-cluster",
                "nantes=http://127.0.0.1:1",
            ];
            flags.extend(only_etcd);
            flags.extend(cluster);
        }
        Site::start(program, &flags).map(Server)
    }

    /// Where clients reach it.
    #[must_use]
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.0.log()
    }
}
