//! What a simulated disk remembers, and what it forgets at a crash. Used by `simulated`.

use super::simulated::{Fault, FaultKind, Operation};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// What a power cut cannot tear.
const SECTOR_BYTES: usize = 512;

pub(super) type FileId = u64;

#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    pub(super) seen: Vec<u8>,
    pub(super) durable: Vec<u8>,
    /// For each sector that was written since the last sync, what it held in between.
    pub(super) unsynced: BTreeMap<usize, Vec<Vec<u8>>>,
}

/// A change of a name that is not durable yet.
#[derive(Clone, Debug)]
pub(super) enum NameChange {
    Bind(PathBuf, FileId),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl NameChange {
    pub(super) fn dir(&self) -> Option<&Path> {
        match self {
            NameChange::Bind(path, _) | NameChange::Rename(_, path) | NameChange::Remove(path) => path.parent(),
        }
    }

    pub(super) fn apply(self, names: &mut BTreeMap<PathBuf, FileId>) {
        match self {
            NameChange::Bind(path, file) => {
                names.insert(path, file);
            }
            NameChange::Rename(from, to) => {
                if let Some(file) = names.remove(&from) {
                    names.insert(to, file);
                }
            }
            NameChange::Remove(path) => {
                names.remove(&path);
            }
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) random: Random,
    pub(super) files: BTreeMap<FileId, Content>,
    pub(super) seen: BTreeMap<PathBuf, FileId>,
    pub(super) durable: BTreeMap<PathBuf, FileId>,
    pub(super) name_changes: Vec<NameChange>,
    pub(super) file_next: FileId,
    pub(super) locked: BTreeSet<PathBuf>,
    /// Counts crashes: a file that was opened in an earlier life is dead.
    pub(super) life: u64,
    pub(super) operations: u64,
    pub(super) operations_left: Option<u64>,
    pub(super) faults: Vec<(Fault, u64)>,
    pub(super) faults_met: u64,
    pub(super) no_sync: bool,
    /// None: without end.
    pub(super) capacity: Option<u64>,
    pub(super) no_sync_dir: bool,
}

/// What becomes of one operation.
pub(super) enum Verdict {
    Done,
    Failed(FaultKind),
    Cut,
}

impl World {
    pub(super) fn judge(&mut self, operation: Operation) -> Verdict {
        self.operations += 1;
        match &mut self.operations_left {
            Some(0) => return Verdict::Cut,
            Some(left) => {
                *left -= 1;
                if *left == 0 {
                    return Verdict::Cut;
                }
            }
            None => {}
        }
        self.fault(operation).map_or(Verdict::Done, Verdict::Failed)
    }

    /// For reads, which change nothing and go on without power until the crash.
    pub(super) fn judge_read(&mut self) -> io::Result<()> {
        self.fault(Operation::Read).map_or(Ok(()), |kind| Err(error(kind)))
    }

    fn fault(&mut self, operation: Operation) -> Option<FaultKind> {
        let mut failed = None;
        for (fault, seen) in self.faults.iter_mut().filter(|(fault, _)| fault.operation == operation) {
            if *seen == fault.after || (fault.forever && *seen > fault.after) {
                failed = Some(fault.kind);
            }
            *seen += 1;
        }
        self.faults_met += u64::from(failed.is_some());
        failed
    }

    /// Names only count: what was removed takes no room, though somebody may still read it.
    pub(super) fn used(&self) -> u64 {
        self.seen.values().filter_map(|id| self.files.get(id)).map(|content| content.seen.len() as u64).sum()
    }

    pub(super) fn free_space(&self) -> u64 {
        self.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.used()))
    }

    /// For changes of names, which happen or do not.
    pub(super) fn judge_name(&mut self) -> io::Result<()> {
        match self.judge(Operation::Directory) {
            Verdict::Done => Ok(()),
            Verdict::Failed(kind) => Err(error(kind)),
            Verdict::Cut => Err(cut()),
        }
    }

    pub(super) fn change_name(&mut self, change: NameChange) {
        change.clone().apply(&mut self.seen);
        self.name_changes.push(change);
    }

    pub(super) fn file(&mut self, id: FileId, life: u64) -> io::Result<&mut Content> {
        if life != self.life {
            return Err(io::Error::other("the file was opened before the crash"));
        }
        self.files.get_mut(&id).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn crash(&mut self) {
        let mut dirs: Vec<PathBuf> =
            self.name_changes.iter().filter_map(|change| change.dir().map(Into::into)).collect();
        dirs.sort();
        dirs.dedup();
        let mut changes = std::mem::take(&mut self.name_changes);
        for dir in dirs {
            let (of_dir, rest): (Vec<_>, Vec<_>) = changes.into_iter().partition(|c| c.dir() == Some(dir.as_path()));
            changes = rest;
            let kept = self.random.below(of_dir.len() as u64 + 1) as usize;
            for change in of_dir.into_iter().take(kept) {
                change.apply(&mut self.durable);
            }
        }
        self.seen = self.durable.clone();
        let named: BTreeSet<FileId> = self.seen.values().copied().collect();
        self.files.retain(|id, _| named.contains(id));
        for content in self.files.values_mut() {
            content.crash(&mut self.random);
        }
        self.restart();
    }

    pub(super) fn restart(&mut self) {
        self.locked.clear();
        self.life += 1;
        self.operations_left = None;
        self.faults.clear();
    }
}

impl Content {
    /// How much longer a write up to `end` makes it.
    pub(super) fn growth(&self, end: usize) -> u64 {
        end.saturating_sub(self.seen.len()) as u64
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: usize) {
        let end = offset + bytes.len();
        if self.seen.len() < end {
            self.seen.resize(end, 0);
        }
        if let Some(target) = self.seen.get_mut(offset..end) {
            target.copy_from_slice(bytes);
        }
        for sector in offset / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES) {
            let now = self.seen.chunks(SECTOR_BYTES).nth(sector).unwrap_or_default().to_vec();
            self.unsynced.entry(sector).or_default().push(now);
        }
    }

    pub(super) fn sync(&mut self) {
        for sector in std::mem::take(&mut self.unsynced).into_keys() {
            let now = self.seen.chunks(SECTOR_BYTES).nth(sector).unwrap_or_default().to_vec();
            self.put_durable(sector, &now);
        }
    }

    pub(super) fn put_durable(&mut self, sector: usize, bytes: &[u8]) {
        let start = sector * SECTOR_BYTES;
        if self.durable.len() < start + bytes.len() {
            self.durable.resize(start + bytes.len(), 0);
        }
        if let Some(target) = self.durable.get_mut(start..start + bytes.len()) {
            target.copy_from_slice(bytes);
        }
    }

    pub(super) fn crash(&mut self, random: &mut Random) {
        // Half of the crashes lose nearly all or nearly nothing, the others mix.
        let odds = [1, 2, 8, 15].get(random.below(4) as usize).copied().unwrap_or(8);
        for (sector, contents) in std::mem::take(&mut self.unsynced) {
            if random.below(16) < odds {
                let chosen = random.below(contents.len() as u64) as usize;
                let chosen = contents.get(chosen).cloned().unwrap_or_default();
                self.put_durable(sector, &chosen);
            }
        }
        self.seen = self.durable.clone();
    }
}

pub(super) fn error(kind: FaultKind) -> io::Error {
    match kind {
        FaultKind::Eio => io::Error::other("input/output error"),
        FaultKind::Enospc => io::ErrorKind::StorageFull.into(),
    }
}

pub(super) fn cut() -> io::Error {
    io::Error::other("the power was cut")
}

/// splitmix64: enough for choices, and the same on every machine.
#[derive(Clone, Debug, Default)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}
