//! A copy of the index: the index engine writes to whatever it opens, so the site's own is never opened.

use super::error::InspectError;
use crate::index::{Backend, IndexError, IndexState, Row, SledIndex};
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// A copy in the system's directory for temporary files, which only its owner can enter. Removed when it is dropped.
#[derive(Debug)]
pub(super) struct IndexCopy {
    dir: PathBuf,
}

impl IndexCopy {
    /// Copies the index of a data directory; None if there is none.
    ///
    /// # Errors
    /// The copy could not be made.
    pub(super) fn of(data_dir: &Path) -> Result<Option<IndexCopy>, InspectError> {
        let from = data_dir.join("index");
        if !from.is_dir() {
            return Ok(None);
        }
        let copy = IndexCopy { dir: std::env::temp_dir().join(format!("archipel-index-{}", Uuid::new_v4())) };
        let copied = copy_dir(&from, &copy.dir);
        copied.map_err(|source| InspectError::IndexCopy {
            dir: copy.dir.clone(),
            bytes: dir_bytes(&from).unwrap_or_default(),
            source,
        })?;
        Ok(Some(copy))
    }

    /// Visits what it holds, as [`Backend::load`].
    pub(super) fn load(&self, visit: &mut dyn FnMut(Row<'_>)) -> IndexState {
        match SledIndex::open(&self.dir) {
            Ok(index) => index.load(visit),
            Err(IndexError(reason)) => IndexState::Rebuild(reason),
        }
    }
}

impl Drop for IndexCopy {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.dir) {
            tracing::warn!(dir = %self.dir.display(), %error, "the copy of the index could not be removed");
        }
    }
}

fn copy_dir(from: &Path, to: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_dir(&from, &to)?;
        } else {
            std::fs::copy(&from, &to)?;
        }
    }
    Ok(())
}

fn dir_bytes(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { dir_bytes(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
