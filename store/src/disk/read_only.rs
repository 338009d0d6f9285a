//! Files of the operating system, for whoever must not change them.

use super::api::{DirLock, Disk, DiskFile, FileEntry};
use super::real::{LOCK_NAME, RealDisk};
use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// The operating system's file systems, which it never changes: also one that is mounted read-only.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadOnlyDisk;

fn refused<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "this disk is only read"))
}

impl Disk for ReadOnlyDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        std::fs::read_dir(dir).map(drop)
    }

    /// A directory without a lock file is one that no process uses: a copy, or one that was never served.
    fn lock_dir(&self, dir: &Path) -> io::Result<Box<dyn DirLock>> {
        let file = match File::open(dir.join(LOCK_NAME)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Box::new(ReadOnlyLock { _file: None })),
            file => file?,
        };
        match file.try_lock() {
            Ok(()) => Ok(Box::new(ReadOnlyLock { _file: Some(file) })),
            Err(TryLockError::WouldBlock) => Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                format!("another process uses {}; stop it, or look at a copy of the directory", dir.display()),
            )),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<FileEntry>> {
        RealDisk.list(dir)
    }

    fn create(&self, _: &Path) -> io::Result<Arc<dyn DiskFile>> {
        refused()
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(ReadOnlyFile(File::open(path)?)))
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        refused()
    }

    fn remove(&self, _: &Path) -> io::Result<()> {
        refused()
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        refused()
    }

    fn free_space(&self, dir: &Path) -> io::Result<u64> {
        RealDisk.free_space(dir)
    }
}

#[derive(Debug)]
struct ReadOnlyFile(File);

impl DiskFile for ReadOnlyFile {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn write_all_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        refused()
    }

    fn sync_data(&self) -> io::Result<()> {
        refused()
    }
}

/// The system releases the lock with the file.
#[derive(Debug)]
struct ReadOnlyLock {
    _file: Option<File>,
}

impl DirLock for ReadOnlyLock {}
