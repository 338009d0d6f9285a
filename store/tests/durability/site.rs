//! A disk, an index and a clock that outlive the stores on them, and a cut of the power for all.

use crate::random::Random;
use archipel_store::clock::ManualClock;
use archipel_store::disk::{DirLock, Disk, DiskFile, FileEntry, SimulatedDisk};
use archipel_store::error::OpenError;
use archipel_store::index::{Backend, IndexError, IndexState, IndexWrite, Marker, MemoryIndex, Row};
use archipel_store::{Config, Store};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) disk: SimulatedDisk,
    pub(crate) index: MemoryIndex,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) gate: Gate,
    pub(crate) segment_bytes: u32,
}

impl Site {
    pub(crate) fn new(seed: u64, segment_bytes: u32) -> Site {
        Site::on(SimulatedDisk::new(seed), MemoryIndex::default(), segment_bytes)
    }

    pub(crate) fn on(disk: SimulatedDisk, index: MemoryIndex, segment_bytes: u32) -> Site {
        Site { disk, index, clock: Arc::new(ManualClock::at(1)), gate: Gate::default(), segment_bytes }
    }

    /// Without threads of its own but the log writer, and with a cache of a few values: most reads go to the disk.
    pub(crate) fn open(&self) -> Result<Store, OpenError> {
        let (segment_bytes, value_cache_bytes) = (self.segment_bytes, 1 << 10);
        let config = Config { background: false, segment_bytes, value_cache_bytes, ..Config::new("/site", "nantes") };
        let disk = Arc::new(GatedDisk { disk: self.disk.clone(), gate: self.gate.clone() });
        let index = PoweredIndex { index: self.index.clone(), disk: self.disk.clone(), asked: AtomicU64::new(0) };
        Store::open_on(config, disk, self.clock.clone(), Arc::new(index))
    }

    /// The same disk as it is now, with no index.
    pub(crate) fn without_index(&self) -> Site {
        Site::on(self.disk.image(), MemoryIndex::default(), self.segment_bytes)
    }

    /// How many segments were begun, and how many of them were given back.
    pub(crate) fn segments(&self) -> (u64, u64) {
        let files = self.disk.list(Path::new("/site/log")).unwrap();
        let number =
            |file: &FileEntry| file.name.strip_suffix(".segment").and_then(|n| u64::from_str_radix(n, 16).ok());
        let (newest, oldest) = (files.iter().filter_map(number).max(), files.iter().filter_map(number).min());
        (newest.unwrap_or_default(), oldest.map_or(0, |oldest| oldest - 1))
    }

    /// Ends the process of a store at once. The machine goes on, with what was written and not synced.
    pub(crate) fn kill(&self, store: Option<Store>) {
        self.disk.cut_after(0);
        drop(store);
        self.disk.kill();
    }

    /// Cuts the power below a store, and starts the machine again. Of what the index did not sync, all or nothing is left;
    /// sometimes it is gone altogether.
    pub(crate) fn crash(&mut self, store: Option<Store>, random: &mut Random) {
        // First, so that what the store does when it is dropped changes nothing.
        self.disk.cut_after(0);
        drop(store);
        self.disk.crash();
        match random.below(9) {
            0..4 => self.index.crash(),
            4 => self.index = MemoryIndex::default(),
            _ => {}
        }
    }
}

/// An index whose writes end when the power does. What was applied before is there.
#[derive(Debug)]
struct PoweredIndex {
    index: MemoryIndex,
    disk: SimulatedDisk,
    /// How often it was asked for its size.
    asked: AtomicU64,
}

impl PoweredIndex {
    fn spend(&self) -> Result<(), IndexError> {
        self.disk.spend().map_err(|error| IndexError(error.to_string()))
    }
}

impl Backend for PoweredIndex {
    fn load(&self, visit: &mut dyn FnMut(Row<'_>)) -> IndexState {
        self.index.load(visit)
    }

    fn begin(&self) -> Result<(), IndexError> {
        self.spend().and_then(|()| self.index.begin())
    }

    fn apply(&self, writes: &[IndexWrite], marker: Marker) -> Result<(), IndexError> {
        self.spend().and_then(|()| self.index.apply(writes, marker))
    }

    fn sync(&self) -> Result<(), IndexError> {
        self.spend().and_then(|()| self.index.sync())
    }

    fn clear(&self) -> Result<(), IndexError> {
        self.spend().and_then(|()| self.index.clear())
    }

    /// Large now and then: the index is written anew then.
    fn disk_bytes(&self) -> u64 {
        if self.asked.fetch_add(1, Ordering::SeqCst) % 3 == 1 { 1 << 30 } else { 0 }
    }
}

/// Holds syncs back, so that commits gather behind one and become a batch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Arc<GateState>);

#[derive(Debug, Default)]
struct GateState {
    shut: AtomicBool,
    waiting: Mutex<usize>,
    changed: Condvar,
}

impl Gate {
    pub(crate) fn shut(&self) {
        self.0.shut.store(true, Ordering::SeqCst);
    }

    pub(crate) fn open(&self) {
        let _waiting = self.0.waiting.lock().unwrap();
        self.0.shut.store(false, Ordering::SeqCst);
        self.0.changed.notify_all();
    }

    /// Until a sync waits, or `over` says that none will.
    pub(crate) fn await_sync(&self, over: impl Fn() -> bool) {
        let mut waiting = self.0.waiting.lock().unwrap();
        while *waiting == 0 && !over() {
            waiting = self.0.changed.wait_timeout(waiting, Duration::from_micros(200)).unwrap().0;
        }
    }

    fn pass(&self) {
        if !self.0.shut.load(Ordering::SeqCst) {
            return;
        }
        let mut waiting = self.0.waiting.lock().unwrap();
        *waiting += 1;
        self.0.changed.notify_all();
        while self.0.shut.load(Ordering::SeqCst) {
            waiting = self.0.changed.wait(waiting).unwrap();
        }
        *waiting -= 1;
    }
}

#[derive(Debug)]
struct GatedDisk {
    disk: SimulatedDisk,
    gate: Gate,
}

#[derive(Debug)]
struct GatedFile {
    file: Arc<dyn DiskFile>,
    gate: Gate,
}

impl GatedDisk {
    fn gated(&self, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(GatedFile { file, gate: self.gate.clone() })
    }
}

impl Disk for GatedDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.create_dir(dir)
    }

    fn lock_dir(&self, dir: &Path) -> io::Result<Box<dyn DirLock>> {
        self.disk.lock_dir(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<FileEntry>> {
        self.disk.list(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.create(path).map(|file| self.gated(file))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.open(path).map(|file| self.gated(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn free_space(&self, dir: &Path) -> io::Result<u64> {
        self.disk.free_space(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.sync_dir(dir)
    }
}

impl DiskFile for GatedFile {
    fn bytes(&self) -> io::Result<u64> {
        self.file.bytes()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.gate.pass();
        self.file.sync_data()
    }
}
