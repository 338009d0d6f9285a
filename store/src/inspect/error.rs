//! Why a data directory could not be looked at.

use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Why a data directory could not be looked at. Damage inside is a finding, no error.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InspectError {
    /// There is no log.
    #[error("{} holds no commit log; give the site's --data-dir", dir.display())]
    NoLog {
        /// Where it was looked for.
        dir: PathBuf,
    },
    /// A process uses it, or the caller may not.
    #[error("cannot use {}: {source}", dir.display())]
    Dir {
        /// The log's directory.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Written by a newer version.
    #[error(
        "{} has format {version}, and this version knows formats up to {known}; use the version of Archipel that wrote it",
        path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// What it says.
        version: u32,
        /// What is known.
        known: u32,
    },
    /// The copy of the index, which is looked at in its place.
    #[error(
        "the index cannot be copied to {}: {source}; give a directory with room for {bytes} bytes in TMPDIR",
        dir.display()
    )]
    IndexCopy {
        /// Where to.
        dir: PathBuf,
        /// What it takes.
        bytes: u64,
        /// What the system said.
        source: io::Error,
    },
    /// What was found could not be shown.
    #[error("the output cannot be written: {0}")]
    Output(#[source] io::Error),
}
