//! Which suites there are, and how each is built and run.

use super::expected::Expected;
use super::go::{self, GoError, Program, Stamp, at};
use super::one_node;
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

/// A suite that others wrote.
#[derive(Debug)]
pub struct Suite {
    /// What it is called in a test's name.
    pub name: &'static str,
    expected: &'static str,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// k8s.io/apiserver, pkg/storage and its users, which start servers through the stand-in for etcd's embed package. The
    /// module of ours that fixes the version.
    Kubernetes(&'static str),
    /// go.etcd.io/etcd/tests/v3, common, which starts a program called etcd and drives it with etcdctl.
    Etcd(Nodes),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nodes {
    /// As published: what needs one node only.
    Published,
    /// With every cluster made one node, so that what is published for three runs too.
    One,
}

/// All suites, in the order in which they are shown.
pub const SUITES: &[Suite] = &[
    Suite {
        name: "kubernetes-0.36",
        expected: include_str!("../../upstream/kubernetes-0.36/expected.tsv"),
        kind: Kind::Kubernetes("kubernetes-0.36"),
    },
    Suite {
        name: "kubernetes-0.37",
        expected: include_str!("../../upstream/kubernetes-0.37/expected.tsv"),
        kind: Kind::Kubernetes("kubernetes-0.37"),
    },
    Suite {
        name: "etcd",
        expected: include_str!("../../upstream/etcd/published.tsv"),
        kind: Kind::Etcd(Nodes::Published),
    },
    Suite {
        name: "etcd-one-node",
        expected: include_str!("../../upstream/etcd/one-node.tsv"),
        kind: Kind::Etcd(Nodes::One),
    },
];

/// What no single node can do: lose its leader, its quorum or a member, or compare itself with others. In an alternative of
/// `-test.skip` each element between slashes is matched on its own, and an alternative with more elements than a name has
/// hides those after it: the long ones come last.
const SKIP_ONE_NODE: &str = "TestAuthMemberRemove|TestWaitLeader_MemberStop|TestKVGetNoQuorum|TestEndpointHashKV|\
    TestVerifyHashKVAfterCompact$|TestVerifyHashKVAfterTwoCompactsOnTombstone|\
    TestVerifyHashKVAfterCompactOnLastTombstone|TestAuthority/Size:_3";
/// In addition what has three nodes as published: tests of the default size, and subtests of clusters with peer TLS.
const SKIP_PUBLISHED: &str = "TestEndpoint|TestCompact|TestDefrag|TestHashKVWith|TestStatusWith";
const SKIP_PEERS: &str = "/Peer|//Peer|///Peer|////Peer";

/// A suite whose test binaries are built.
#[derive(Debug)]
pub(super) struct Built {
    kind: &'static Kind,
    /// Where the test binaries are.
    folder: PathBuf,
    server: PathBuf,
}

impl Suite {
    /// What it does on etcd.
    #[must_use]
    pub fn expected(&self) -> Expected {
        Expected::read(self.expected)
    }

    /// Suites of one lane run one after the other; lanes run at the same time. Kubernetes' suites find free ports by
    /// listening and closing, so that two of them would take each other's; etcd's use fixed ones, below those.
    pub(super) fn lane(&self) -> &'static str {
        match self.kind {
            Kind::Kubernetes(_) => "kubernetes",
            Kind::Etcd(_) => "etcd",
        }
    }

    /// Builds the test binaries of all packages below `target`. They will start `server`.
    pub(super) fn build(&'static self, server: &Path, target: &Path) -> Result<Built, GoError> {
        let folder = target.join("upstream").join(self.name);
        let _lock = go::lock(&folder)?;
        match &self.kind {
            Kind::Kubernetes(module) => {
                let module = go::module(module);
                let stamp = Stamp::of(&folder.join("stamp"), &[&module, &go::module("etcd-server-stand-in")])?;
                self.build_tests(&module, &folder, &stamp, &[])?;
            }
            Kind::Etcd(nodes) => {
                let module = go::module("etcd");
                link_programs(&folder.join("bin"), server, target)?;
                let stamp = Stamp::of(&folder.join("stamp"), &[&module])?;
                let mut flags = vec!["-tags=e2e".to_owned()];
                if *nodes == Nodes::One && !stamp.holds() {
                    flags.push(format!("-modfile={}", one_node::generate(&module, &folder)?.display()));
                }
                self.build_tests(&module, &folder, &stamp, &flags)?;
            }
        }
        Ok(Built { kind: &self.kind, folder, server: server.to_owned() })
    }

    fn build_tests(&self, module: &Path, folder: &Path, stamp: &Stamp, flags: &[String]) -> Result<(), GoError> {
        if stamp.holds() {
            return Ok(());
        }
        let packages = self.expected();
        let mut build = go::go(module);
        build.args(["test", "-c", "-vet=off", "-trimpath", "-ldflags", "-s -w"]).args(flags);
        // The slash makes it a folder: one binary for each package.
        go::run(build.arg("-o").arg(folder.join("")).args(packages.0.keys()))?;
        let mut list = go::go(module);
        list.args(["list", "-f", "{{.ImportPath}}\t{{.Dir}}"]).args(flags).args(packages.0.keys());
        let path = folder.join("packages.tsv");
        fs::write(&path, go::run(&mut list)?).map_err(at(&path))?;
        stamp.write()
    }
}

/// A folder with the names that the framework of etcd's tests looks for.
fn link_programs(folder: &Path, server: &Path, target: &Path) -> Result<(), GoError> {
    fs::create_dir_all(folder).map_err(at(folder))?;
    let (etcdctl, etcdutl) = (go::program(Program::Etcdctl, target)?, go::program(Program::Etcdutl, target)?);
    for (name, program) in [("etcd", server), ("etcdctl", &etcdctl), ("etcdutl", &etcdutl)] {
        relink(program, &folder.join(name))?;
    }
    Ok(())
}

fn relink(from: &Path, to: &Path) -> Result<(), GoError> {
    if to.is_symlink() {
        fs::remove_file(to).map_err(at(to))?;
    }
    symlink(from, to).map_err(at(to))
}

impl Built {
    /// Runs those `tests` of `package`, with Go's own protocol on standard output.
    pub(super) fn command(&self, package: &str, tests: &[String]) -> Result<Command, GoError> {
        let binary = package.rsplit('/').next().unwrap_or(package);
        let mut command = Command::new(self.folder.join(format!("{binary}.test")));
        command.args(["-test.v=test2json", "-test.timeout=20m", "-test.run"]).arg(format!("^({})$", tests.join("|")));
        command.current_dir(self.package_folder(package)?);
        match self.kind {
            Kind::Kubernetes(_) => command.env("SERVER_UNDER_TEST", &self.server),
            Kind::Etcd(nodes) => {
                let skip = match nodes {
                    Nodes::Published => format!("{SKIP_ONE_NODE}|{SKIP_PUBLISHED}|{SKIP_PEERS}"),
                    Nodes::One => SKIP_ONE_NODE.to_owned(),
                };
                command.args(["-test.skip", &skip]).arg("-bin-dir").arg(self.folder.join("bin"))
            }
        };
        Ok(command)
    }

    /// Where what a package's tests write to standard error goes.
    pub(super) fn log(&self, package: &str) -> PathBuf {
        self.folder.join(format!("{}.log", package.replace('/', "_")))
    }

    /// Where the verdicts of a package's last run are written, in the form of what is expected.
    pub(super) fn seen(&self, package: &str) -> PathBuf {
        self.folder.join(format!("{}.tsv", package.replace('/', "_")))
    }

    /// Go runs a test in the folder of its package, where its test data are.
    fn package_folder(&self, package: &str) -> Result<PathBuf, GoError> {
        let path = self.folder.join("packages.tsv");
        let table = fs::read_to_string(&path).map_err(at(&path))?;
        let mut rows = table.lines().filter_map(|line| line.split_once('\t'));
        let row = rows.find(|(name, _)| *name == package);
        row.map(|(_, folder)| folder.into()).ok_or_else(|| GoError::Module(format!("{package} is not in it")))
    }
}
