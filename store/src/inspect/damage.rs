//! What is damaged, and who needs it.

use crate::log::{Flip, Table, segment_name};
use bytes::Bytes;
use std::path::{Path, PathBuf};

/// A place of the data directory that does not hold what was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// The segment's number; 0 = the file is no segment.
    pub segment: u64,
    /// Where the damaged part begins.
    pub offset: u32,
    /// Its length; 0 = a point, or the whole file.
    pub bytes: u32,
    /// What is wrong.
    pub what: String,
    /// Kept versions and rows that lie there and cannot be read any more, the first of them.
    pub lost: Vec<DamagedKey>,
    /// Kept versions and rows that lie there, lost or not.
    pub kept: u64,
    /// How many of them are lost.
    pub lost_count: u64,
    /// What to do.
    pub remedy: &'static str,
}

/// Something that is lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DamagedKey {
    /// The etcd key, or the row's.
    pub key: Bytes,
    /// The row's table; None for an etcd key.
    pub table: Option<Table>,
    /// The version's main revision; 0 for a row.
    pub revision: i64,
}

/// For values that are gone.
pub(super) const RESTORE: &str =
    "these values are lost here: keep a copy of the directory, then restore the site from a snapshot or from a peer";
/// For what keeps the site from starting.
pub(super) const NO_START: &str = "the site does not start with it: keep a copy of the directory, then restore the site from a snapshot or from a peer";
/// For what nobody reads.
pub(super) const SPARE: &str = "nothing that is kept is lost, but the index could not be rebuilt: serve the site, save a \
     snapshot, and restore it to a new directory";
/// For one bit of the last record.
pub(super) const MENDED: &str = "nothing is lost: the next start turns it back; look at the disk";
/// For what only a program can have done.
pub(super) const REPORT: &str =
    "no disk does this: keep a copy of the directory and report it; restore the site from a snapshot or from a peer";

impl Damage {
    pub(super) fn new(file: PathBuf, segment: u64, what: impl Into<String>, remedy: &'static str) -> Damage {
        Damage {
            file,
            segment,
            offset: 0,
            bytes: 0,
            what: what.into(),
            lost: Vec::new(),
            kept: 0,
            lost_count: 0,
            remedy,
        }
    }

    /// A bit of the last record.
    pub(super) fn flipped(dir: &Path, Flip { at, bit }: Flip) -> Damage {
        let what = format!("bit {bit} of this byte has flipped");
        Damage::new(dir.join(segment_name(at.segment)), at.segment, what, MENDED).at(at.offset, 1)
    }

    /// The same at a place.
    pub(super) fn at(self, offset: u32, bytes: u32) -> Damage {
        Damage { offset, bytes, ..self }
    }
}
