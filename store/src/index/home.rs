//! Where the index lies: each one that is written anew gets a directory of its own, and a file names the one that counts.
//! An index in one directory for good would grow: sled gives room back slowly. Used by `sled_index`.
//!
//! ```text
//! DIR/current      the number of the directory that counts, as text
//! DIR/NUMBER/      sled's files
//! ```

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

const CURRENT: &str = "current";
const CURRENT_NEW: &str = "current.new";

/// See the module.
#[derive(Debug)]
pub(super) struct Home {
    dir: PathBuf,
}

impl Home {
    pub(super) fn new(dir: &Path) -> Home {
        Home { dir: dir.into() }
    }

    /// The directory of an index by its number.
    pub(super) fn path(&self, number: u64) -> PathBuf {
        self.dir.join(number.to_string())
    }

    /// The number of the one that counts. None: there is none, or nothing says which.
    pub(super) fn current(&self) -> Option<u64> {
        let number: u64 = std::fs::read_to_string(self.dir.join(CURRENT)).ok()?.parse().ok()?;
        self.path(number).is_dir().then_some(number)
    }

    /// Makes an empty directory for a number, and the home if need be.
    pub(super) fn make(&self, number: u64) -> io::Result<PathBuf> {
        let path = self.path(number);
        remove(&path)?;
        DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
        Ok(path)
    }

    /// Lets the index of this number count from now on, durably, and removes all others.
    pub(super) fn switch_to(&self, number: u64) -> io::Result<()> {
        sync_all(&self.path(number))?;
        let new = self.dir.join(CURRENT_NEW);
        std::fs::write(&new, number.to_string())?;
        File::open(&new)?.sync_all()?;
        std::fs::rename(&new, self.dir.join(CURRENT))?;
        File::open(&self.dir)?.sync_all()?;
        self.keep_only(Some(number))
    }

    /// Removes everything but the index of this number, and what names it.
    pub(super) fn keep_only(&self, number: Option<u64>) -> io::Result<()> {
        let entries = match std::fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        let kept = number.map(|number| number.to_string());
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let is_kept = kept.as_deref().is_some_and(|kept| name == kept || name == CURRENT);
            if !is_kept {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A real fsync of every file, then of the directories that name them.
pub(super) fn sync_all(dir: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_all(&entry.path())?;
        } else {
            match File::open(entry.path()) {
                Ok(file) => file.sync_all()?,
                // sled removes old files on its own threads.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    File::open(dir)?.sync_all()
}
