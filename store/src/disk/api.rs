//! What the store asks of a disk. Every call blocks.

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// One name in a directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileEntry {
    /// The file's name, without its directory.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// A directory tree that survives the process, and the power if it was synced.
///
/// Ordering promise: a file's bytes survive a power cut only after [`DiskFile::sync_data`]; a name that was created,
/// renamed or removed only after [`Disk::sync_dir`] on its directory. Until then each 512-byte sector and each change
/// of a name may be there or not.
pub trait Disk: Send + Sync + Debug {
    /// Makes the directory and its parents, readable by the owner only.
    ///
    /// # Errors
    /// What the system says; also if the directory exists and others than its owner may enter it.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes the directory for this process, until the lock is dropped. The lock ends with its process.
    ///
    /// # Errors
    /// `WouldBlock` if another process holds it.
    fn lock_dir(&self, dir: &Path) -> io::Result<Box<dyn DirLock>>;

    /// The files of a directory, sorted by name.
    ///
    /// # Errors
    /// What the system says.
    fn list(&self, dir: &Path) -> io::Result<Vec<FileEntry>>;

    /// Creates a file that must not exist, for reading and writing, readable by the owner only.
    ///
    /// # Errors
    /// What the system says.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens a file that exists, for reading and writing.
    ///
    /// # Errors
    /// What the system says.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Renames a file in one step. Files that are open stay open.
    ///
    /// # Errors
    /// What the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a name. Whoever has the file open can still read it.
    ///
    /// # Errors
    /// What the system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Bytes that this process may still write to the directory's file system.
    ///
    /// # Errors
    /// What the system says.
    fn free_space(&self, dir: &Path) -> io::Result<u64>;

    /// Makes creations, renames and removals in the directory durable.
    ///
    /// # Errors
    /// What the system says. The caller must not retry and go on.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// An open file. Reads and writes may run concurrently.
pub trait DiskFile: Send + Sync + Debug {
    /// Size in bytes.
    ///
    /// # Errors
    /// What the system says.
    fn bytes(&self) -> io::Result<u64>;

    /// Fills the buffer from the offset.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before; else what the system says.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all bytes at the offset, growing the file if need be.
    ///
    /// # Errors
    /// What the system says; then any part of the bytes may have been written.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes all earlier writes to this file durable.
    ///
    /// # Errors
    /// What the system says. The kernel may have dropped the writes: the caller must not retry and go on.
    fn sync_data(&self) -> io::Result<()>;
}

/// Holds a directory for this process until it is dropped.
pub trait DirLock: Send + Sync + Debug {}
