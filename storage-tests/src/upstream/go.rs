//! What is built with Go: programs and test binaries, from the modules in `upstream/`, once, below cargo's target folder.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::Command,
};

/// Why there is nothing to run.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GoError {
    #[error("needs `go` on PATH: install Go 1.26 or newer")]
    Missing,
    #[error("{path}: {why}; free some space or check the permissions")]
    File { path: PathBuf, why: String },
    #[error("`{command}` failed; run it in {folder} to see it alone\n{said}")]
    Failed { command: String, folder: PathBuf, said: String },
    #[error("the published module has changed: {0}; see upstream/README.md")]
    Module(String),
}

/// A program of etcd 3.7.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Etcd,
    Etcdctl,
    Etcdutl,
}

impl Program {
    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Program::Etcd => "etcd",
            Program::Etcdctl => "etcdctl",
            Program::Etcdutl => "etcdutl",
        }
    }

    fn package(self) -> &'static str {
        match self {
            Program::Etcd => "go.etcd.io/etcd/server/v3",
            Program::Etcdctl => "go.etcd.io/etcd/etcdctl/v3",
            Program::Etcdutl => "go.etcd.io/etcd/etcdutl/v3",
        }
    }
}

/// Where `program` is; it is built below `target` at the first use.
///
/// # Errors
/// No Go, or it does not build.
pub fn program(program: Program, target: &Path) -> Result<PathBuf, GoError> {
    let folder = target.join("upstream").join("programs");
    let _lock = lock(&folder)?;
    let module = module("etcd");
    let path = folder.join(program.name());
    let stamp = Stamp::of(&folder.join(format!("{}.stamp", program.name())), &[&module])?;
    if !stamp.holds() || !path.is_file() {
        let mut command = go(&module);
        run(command.args(["build", "-trimpath", "-ldflags", "-s -w", "-o"]).arg(&path).arg(program.package()))?;
        stamp.write()?;
    }
    Ok(path)
}

/// As [`program`], for a test: None where there is no Go, which is said.
///
/// # Panics
/// It cannot be built, or there is no Go in CI.
#[must_use]
pub fn program_or_skip(wanted: Program, target: &Path) -> Option<PathBuf> {
    match program(wanted, target) {
        Ok(program) => Some(program),
        Err(GoError::Missing) if std::env::var_os("CI").is_none() => {
            eprintln!("skipped: {}", GoError::Missing);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Whether there is a Go: a version, or [`GoError::Missing`].
///
/// # Errors
/// There is none.
pub fn go_program() -> Result<String, GoError> {
    let output = Command::new("go").arg("version").output().map_err(|_| GoError::Missing)?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The folder of a module of ours.
pub(super) fn module(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("upstream").join(name)
}

/// `go` in the folder of a module. A workspace or a cross-compilation of the user must not change what is built; without
/// cgo and with trimmed paths, as everything else here is built, most packages are compiled once for all.
pub(super) fn go(module: &Path) -> Command {
    let mut command = Command::new("go");
    command.current_dir(module).env("CGO_ENABLED", "0").env("GOWORK", "off").env_remove("GOOS").env_remove("GOARCH");
    command
}

/// Runs a command to its end; returns what it wrote to standard output.
pub(super) fn run(command: &mut Command) -> Result<String, GoError> {
    let said = match command.output() {
        Ok(output) if output.status.success() => return Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    let folder = command.get_current_dir().unwrap_or(Path::new(".")).to_owned();
    Err(GoError::Failed { command: format!("{command:?}"), folder, said })
}

pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> GoError {
    let path = path.to_owned();
    move |error| GoError::File { path: path.clone(), why: error.to_string() }
}

/// Makes `folder`, and keeps other processes out of it until it is dropped.
pub(super) fn lock(folder: &Path) -> Result<File, GoError> {
    fs::create_dir_all(folder).map_err(at(folder))?;
    let path = folder.join("lock");
    let file = File::create(&path).map_err(at(&path))?;
    file.lock().map_err(at(&path))?;
    Ok(file)
}

/// Says for which source something was built: Go would link everything anew to find out that nothing has changed.
#[derive(Debug)]
pub(super) struct Stamp {
    path: PathBuf,
    text: String,
}

impl Stamp {
    /// For what is built by this Go from all files of `modules`.
    pub(super) fn of(path: &Path, modules: &[&Path]) -> Result<Stamp, GoError> {
        let mut text = go_program()?;
        for module in modules {
            append_files(module, &mut text)?;
        }
        Ok(Stamp { path: path.to_owned(), text })
    }

    pub(super) fn holds(&self) -> bool {
        fs::read_to_string(&self.path).is_ok_and(|text| text == self.text)
    }

    pub(super) fn write(&self) -> Result<(), GoError> {
        fs::write(&self.path, &self.text).map_err(at(&self.path))
    }
}

fn append_files(folder: &Path, text: &mut String) -> Result<(), GoError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        paths.push(entry.map_err(at(folder))?.path());
    }
    paths.sort();
    for path in paths {
        if path.is_dir() {
            append_files(&path, text)?;
        } else if path.extension().is_some_and(|kind| kind == "go" || kind == "mod" || kind == "sum") {
            text.push_str(&fs::read_to_string(&path).map_err(at(&path))?);
        }
    }
    Ok(())
}
