//! How long the disk takes: the store's disk and index, with a watch in hand.

use archipel_store::{
    disk::{DirLock, Disk, DiskFile, FileEntry, RealDisk},
    index::{Backend, IndexError, IndexState, IndexWrite, Marker, Row, SledIndex},
};
use prometheus::{Histogram, HistogramOpts, IntCounter, Registry, exponential_buckets};
use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

/// Buckets from this many seconds, each twice the last: etcd's for its disk (server/storage/wal/metrics.go).
const FIRST_BUCKET_S: f64 = 0.001;
const BUCKETS: usize = 14;

/// What the disk does.
#[derive(Clone, Debug)]
pub struct DiskMetrics {
    log_sync: Histogram,
    log_write: Histogram,
    log_bytes: IntCounter,
    index_commit: Histogram,
}

impl DiskMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// A name is registered already.
    pub(super) fn register(registry: &Registry) -> prometheus::Result<DiskMetrics> {
        let histogram = |name: &str, help: &str| histogram(registry, name, help);
        let log_bytes = IntCounter::new("etcd_disk_wal_write_bytes_total", "Bytes written to the commit log.")?;
        registry.register(Box::new(log_bytes.clone()))?;
        let metrics = DiskMetrics {
            log_sync: histogram(
                "etcd_disk_wal_fsync_duration_seconds",
                "The latencies of fdatasync of the commit log.",
            )?,
            log_write: histogram("etcd_disk_wal_write_duration_seconds", "The latencies of writes to the commit log.")?,
            log_bytes,
            index_commit: histogram(
                "etcd_disk_backend_commit_duration_seconds",
                "The latencies of batches that the index takes over from the commit log.",
            )?,
        };
        histogram("etcd_disk_backend_defrag_duration_seconds", "0: cleaning runs all the time, beside the requests.")?;
        histogram("etcd_disk_backend_snapshot_duration_seconds", "0: a snapshot is a stream of a published state.")?;
        Ok(metrics)
    }

    /// The real disk, measured.
    #[must_use]
    pub fn disk(&self) -> Arc<dyn Disk> {
        Arc::new(MeasuredDisk { disk: RealDisk, metrics: self.clone() })
    }

    /// An index, measured.
    #[must_use]
    pub fn index(&self, index: SledIndex) -> Arc<dyn Backend> {
        Arc::new(MeasuredIndex { index, metrics: self.clone() })
    }
}

/// A registered histogram with etcd's buckets of disks.
fn histogram(registry: &Registry, name: &str, help: &str) -> prometheus::Result<Histogram> {
    let buckets = exponential_buckets(FIRST_BUCKET_S, 2.0, BUCKETS)?;
    let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))?;
    registry.register(Box::new(histogram.clone()))?;
    Ok(histogram)
}

#[derive(Debug)]
struct MeasuredDisk {
    disk: RealDisk,
    metrics: DiskMetrics,
}

#[derive(Debug)]
struct MeasuredFile {
    file: Arc<dyn DiskFile>,
    metrics: DiskMetrics,
    /// A file that was made is filled and synced before its first use, off the path of writes: that is not counted.
    in_use: AtomicBool,
}

impl MeasuredDisk {
    fn measured(&self, file: Arc<dyn DiskFile>, in_use: bool) -> Arc<dyn DiskFile> {
        Arc::new(MeasuredFile { file, metrics: self.metrics.clone(), in_use: AtomicBool::new(in_use) })
    }
}

impl Disk for MeasuredDisk {
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
        Ok(self.measured(self.disk.create(path)?, false))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.measured(self.disk.open(path)?, true))
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

impl DiskFile for MeasuredFile {
    fn bytes(&self) -> io::Result<u64> {
        self.file.bytes()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let started = Instant::now();
        self.file.write_all_at(bytes, offset)?;
        if self.in_use.load(Ordering::Relaxed) {
            self.metrics.log_write.observe(started.elapsed().as_secs_f64());
            self.metrics.log_bytes.inc_by(bytes.len() as u64);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let started = Instant::now();
        self.file.sync_data()?;
        if self.in_use.swap(true, Ordering::Relaxed) {
            self.metrics.log_sync.observe(started.elapsed().as_secs_f64());
        }
        Ok(())
    }
}

#[derive(Debug)]
struct MeasuredIndex {
    index: SledIndex,
    metrics: DiskMetrics,
}

impl Backend for MeasuredIndex {
    fn load(&self, visit: &mut dyn FnMut(Row)) -> IndexState {
        self.index.load(visit)
    }

    fn begin(&self) -> Result<(), IndexError> {
        self.index.begin()
    }

    fn apply(&self, writes: &[IndexWrite], marker: Marker) -> Result<(), IndexError> {
        let _timer = self.metrics.index_commit.start_timer();
        self.index.apply(writes, marker)
    }

    fn sync(&self) -> Result<(), IndexError> {
        self.index.sync()
    }

    fn clear(&self) -> Result<(), IndexError> {
        self.index.clear()
    }

    fn disk_bytes(&self) -> u64 {
        self.index.disk_bytes()
    }
}
