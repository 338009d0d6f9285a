//! A disk in memory that forgets like a real one.
//!
//! A write is seen by reads at once, and is durable after [`DiskFile::sync_data`] on its file. A change of a name is
//! durable after [`Disk::sync_dir`]. At a crash each 512-byte sector that was written since the last sync keeps one of
//! the contents that it had since then, each by the seed's choice and independent of its neighbours: writes are lost,
//! reordered and torn. Of the changes of names in a directory a prefix survives, as in a journal. Files that were open
//! before the crash fail afterwards.

use super::api::{DirLock, Disk, DiskFile, FileEntry};
use super::world::{Content, FileId, NameChange, Random, Verdict, World, cut, error};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What can fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// `write_all_at`.
    Write,
    /// `sync_data`.
    Sync,
    /// `create`, `rename`, `remove` and `sync_dir`.
    Directory,
    /// `list`, `open`, `bytes` and `read_exact_at`. A cut of the power does not count them.
    Read,
    /// What [`SimulatedDisk::spend`] counts.
    Other,
}

/// How it fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultKind {
    /// The device failed. A failed sync drops what was to be synced, and the next one succeeds.
    Eio,
    /// The disk is full. A write may have been done in part.
    Enospc,
}

/// An error to come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// What fails.
    pub operation: Operation,
    /// How many of these operations succeed before.
    pub after: u64,
    /// How it fails.
    pub kind: FaultKind,
    /// Whether all later ones fail too.
    pub forever: bool,
}

/// A disk in memory. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct SimulatedDisk {
    world: Arc<Mutex<World>>,
}

impl SimulatedDisk {
    /// An empty disk. All of its choices follow from the seed.
    pub fn new(seed: u64) -> SimulatedDisk {
        let world = World { random: Random(seed ^ 0x9e37_79b9_7f4a_7c15), ..World::default() };
        SimulatedDisk { world: Arc::new(Mutex::new(world)) }
    }

    /// Lets an operation fail.
    pub fn fail(&self, fault: Fault) {
        let mut world = self.world();
        world.faults.push((fault, 0));
        world.faults_met = 0;
    }

    /// Removes all faults that were set.
    pub fn heal(&self) {
        let mut world = self.world();
        world.faults.clear();
        world.operations_left = None;
    }

    /// Cuts the power in the operation after this many more writes, syncs and changes of names. It and all that follow
    /// fail until [`SimulatedDisk::crash`] is called.
    pub fn cut_after(&self, operations: u64) {
        self.world().operations_left = Some(operations);
    }

    /// Whether the power was cut by [`SimulatedDisk::cut_after`].
    pub fn is_cut(&self) -> bool {
        self.world().operations_left == Some(0)
    }

    /// Counts one operation of something else that hangs on the same power.
    ///
    /// # Errors
    /// The power is cut.
    pub fn spend(&self) -> io::Result<()> {
        match self.world().judge(Operation::Other) {
            Verdict::Cut => Err(cut()),
            Verdict::Failed(kind) => Err(error(kind)),
            Verdict::Done => Ok(()),
        }
    }

    /// Sets how many bytes all files together may have; a write beyond fails, and may be done in part.
    pub fn set_capacity(&self, bytes: u64) {
        self.world().capacity = Some(bytes);
    }

    /// Bytes of all files.
    pub fn used(&self) -> u64 {
        self.world().used()
    }

    /// A planted bug, to show that a test would notice it: `sync_data` reports success and does nothing.
    pub fn plant_no_sync(&self, planted: bool) {
        self.world().no_sync = planted;
    }

    /// A planted bug, to show that a test would notice it: `sync_dir` reports success and does nothing.
    pub fn plant_no_sync_dir(&self, planted: bool) {
        self.world().no_sync_dir = planted;
    }

    /// Power cut and restart: keeps what is durable, and of the rest what the seed chooses. Faults are removed.
    pub fn crash(&self) {
        self.world().crash();
    }

    /// The process dies and the machine goes on: what was written stays to be read, synced or not. Faults are removed.
    pub fn kill(&self) {
        self.world().restart();
    }

    /// How often a fault struck since they were set.
    pub fn faults_met(&self) -> u64 {
        self.world().faults_met
    }

    /// Changes one bit of a file at rest.
    ///
    /// # Errors
    /// The file or the byte does not exist.
    pub fn flip_bit(&self, path: &Path, offset: u64, bit: u8) -> io::Result<()> {
        self.edit(path, |file| {
            let at = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
            for bytes in [&mut file.seen, &mut file.durable] {
                *bytes.get_mut(at).ok_or(io::ErrorKind::UnexpectedEof)? ^= 1 << (bit % 8);
            }
            Ok(())
        })
    }

    /// Overwrites a file from an offset to its end, at rest: a cut with zeros, or with garbage.
    ///
    /// # Errors
    /// The file does not exist.
    pub fn overwrite_from(&self, path: &Path, offset: u64, mut byte: impl FnMut() -> u8) -> io::Result<()> {
        self.edit(path, |file| {
            let at = usize::try_from(offset).unwrap_or(usize::MAX);
            for (seen, durable) in file.seen.iter_mut().zip(&mut file.durable).skip(at) {
                *seen = byte();
                *durable = *seen;
            }
            Ok(())
        })
    }

    /// A disk with the same durable content and no open files: an image of this one.
    pub fn image(&self) -> SimulatedDisk {
        let world = self.world();
        let copy = World {
            random: Random(world.random.0),
            files: world.files.clone(),
            seen: world.seen.clone(),
            durable: world.durable.clone(),
            file_next: world.file_next,
            ..World::default()
        };
        SimulatedDisk { world: Arc::new(Mutex::new(copy)) }
    }

    /// How many writes, syncs and changes of names there were.
    pub fn operations(&self) -> u64 {
        self.world().operations
    }

    fn edit(&self, path: &Path, change: impl FnOnce(&mut Content) -> io::Result<()>) -> io::Result<()> {
        let mut world = self.world();
        let id = *world.seen.get(path).ok_or(io::ErrorKind::NotFound)?;
        change(world.files.get_mut(&id).ok_or(io::ErrorKind::NotFound)?)
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk for SimulatedDisk {
    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock_dir(&self, dir: &Path) -> io::Result<Box<dyn DirLock>> {
        let mut world = self.world();
        if !world.locked.insert(dir.into()) {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "another process uses the directory"));
        }
        Ok(Box::new(SimulatedLock { disk: self.clone(), dir: dir.into(), life: world.life }))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<FileEntry>> {
        let mut world = self.world();
        world.judge_read()?;
        let entry = |(path, id): (&PathBuf, &FileId)| {
            let bytes = world.files.get(id)?.seen.len() as u64;
            let name = path.file_name()?.to_str()?.to_owned();
            (path.parent() == Some(dir)).then_some(FileEntry { name, bytes })
        };
        Ok(world.seen.iter().filter_map(entry).collect())
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut world = self.world();
        world.judge_name()?;
        if world.seen.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let id = world.file_next;
        world.file_next += 1;
        world.files.insert(id, Content::default());
        world.change_name(NameChange::Bind(path.into(), id));
        Ok(Arc::new(SimulatedFile { disk: self.clone(), id, life: world.life }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut world = self.world();
        world.judge_read()?;
        let id = *world.seen.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(SimulatedFile { disk: self.clone(), id, life: world.life }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.judge_name()?;
        if !world.seen.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        world.change_name(NameChange::Rename(from.into(), to.into()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.judge_name()?;
        if !world.seen.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        world.change_name(NameChange::Remove(path.into()));
        Ok(())
    }

    fn free_space(&self, _dir: &Path) -> io::Result<u64> {
        Ok(self.world().free_space())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.judge_name()?;
        if world.no_sync_dir {
            return Ok(());
        }
        let changes = std::mem::take(&mut world.name_changes);
        let (of_dir, rest): (Vec<_>, Vec<_>) = changes.into_iter().partition(|change| change.dir() == Some(dir));
        world.name_changes = rest;
        for change in of_dir {
            change.apply(&mut world.durable);
        }
        Ok(())
    }
}

#[derive(Debug)]
struct SimulatedFile {
    disk: SimulatedDisk,
    id: FileId,
    life: u64,
}

impl DiskFile for SimulatedFile {
    fn bytes(&self) -> io::Result<u64> {
        let mut world = self.disk.world();
        world.judge_read()?;
        Ok(world.file(self.id, self.life)?.seen.len() as u64)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut world = self.disk.world();
        world.judge_read()?;
        let content = world.file(self.id, self.life)?;
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let bytes = content.seen.get(start..start.saturating_add(buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut world = self.disk.world();
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let grows = world.file(self.id, self.life)?.growth(start + bytes.len());
        let verdict = match world.judge(Operation::Write) {
            Verdict::Done if grows > world.free_space() => Verdict::Failed(FaultKind::Enospc),
            verdict => verdict,
        };
        let written = match verdict {
            Verdict::Done => bytes.len(),
            Verdict::Failed(_) | Verdict::Cut => world.random.below(bytes.len() as u64 + 1) as usize,
        };
        let content = world.file(self.id, self.life)?;
        content.write(bytes.get(..written).unwrap_or_default(), start);
        match verdict {
            Verdict::Done => Ok(()),
            Verdict::Failed(kind) => Err(error(kind)),
            Verdict::Cut => Err(cut()),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut world = self.disk.world();
        let verdict = world.judge(Operation::Sync);
        let no_sync = world.no_sync;
        let content = world.file(self.id, self.life)?;
        match verdict {
            Verdict::Done if no_sync => Ok(()),
            Verdict::Done => {
                content.sync();
                Ok(())
            }
            Verdict::Failed(kind) => {
                // As the kernel does: the pages are clean afterwards, though the device does not have them.
                content.unsynced.clear();
                Err(error(kind))
            }
            Verdict::Cut => Err(cut()),
        }
    }
}

#[derive(Debug)]
struct SimulatedLock {
    disk: SimulatedDisk,
    dir: PathBuf,
    life: u64,
}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        let mut world = self.disk.world();
        if world.life == self.life {
            world.locked.remove(&self.dir);
        }
    }
}

impl DirLock for SimulatedLock {}
