//! The folders that the servers write to: each run has its own, which is gone afterwards.

use std::io::{ErrorKind, Result};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

const PREFIX: &str = "archipel-bench-";
/// The unit of [`MetadataExt::blocks`], whatever the file system's own block is.
const BLOCK_BYTES: u64 = 512;

/// A new, empty folder; dropping it removes it with everything in it.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Makes one below `parent`.
    pub(crate) fn new(parent: &Path) -> Result<Folder> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("{PREFIX}{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Folder(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next run's sweep.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Removes what runs that were interrupted left below `parent`.
pub(crate) fn sweep(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|rest| rest.split('-').next());
        let running = |pid: &str| Path::new("/proc").join(pid).exists();
        if owner.is_some_and(|pid| pid.parse::<u32>().is_ok() && !running(pid)) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Bytes that the files below `path` occupy on the disk: what was allocated, not what was written.
///
/// # Errors
/// A folder cannot be read. What vanishes meanwhile, as files of a running server do, counts for nothing.
pub(super) fn disk_bytes(path: &Path) -> Result<u64> {
    let entries = match std::fs::read_dir(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut bytes = 0;
    for entry in entries {
        let entry = entry?;
        let metadata = match entry.metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            metadata => metadata?,
        };
        bytes += metadata.blocks() * BLOCK_BYTES;
        if metadata.is_dir() {
            bytes += disk_bytes(&entry.path())?;
        }
    }
    Ok(bytes)
}

/// The type of the file system that holds `path`, such as `ext4`; `None` when the kernel does not say.
pub(crate) fn file_system(path: &Path) -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    file_system_in(&mounts, &path.canonicalize().ok()?)
}

/// The last of the longest matching mount points: a later mount hides an earlier one.
fn file_system_in(mounts: &str, path: &Path) -> Option<String> {
    let mut best: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let (Some(point), Some((_, after))) = (line.split(' ').nth(4), line.split_once(" - ")) else { continue };
        let is_longer = best.is_none_or(|(length, _)| point.len() >= length);
        if path.starts_with(point) && is_longer {
            best = Some((point.len(), after.split(' ').next().unwrap_or_default()));
        }
    }
    best.map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_mount_decides() {
        let mounts = "22 1 0:5 / / rw - ext4 /dev/vda1 rw\n23 22 0:6 / /tmp rw shared:1 - tmpfs tmpfs rw\n";
        assert_eq!(file_system_in(mounts, Path::new("/tmp/x")).as_deref(), Some("tmpfs"));
        assert_eq!(file_system_in(mounts, Path::new("/tmpx")).as_deref(), Some("ext4"));
    }

    #[test]
    fn a_folder_is_counted_and_removed_and_a_dead_one_is_swept() {
        let parent = std::env::temp_dir().join(format!("bench-folder-test-{}", std::process::id()));
        let folder = Folder::new(&parent).unwrap();
        std::fs::create_dir(folder.path().join("inner")).unwrap();
        std::fs::write(folder.path().join("inner/file"), vec![1; 100_000]).unwrap();
        assert!(disk_bytes(folder.path()).unwrap() >= 100_000);
        // No process has this id: it is above the kernel's maximum.
        let dead = parent.join(format!("{PREFIX}99999999-0"));
        std::fs::create_dir(&dead).unwrap();
        sweep(&parent);
        assert!(!dead.exists() && folder.path().exists());
        let path = folder.path().to_owned();
        drop(folder);
        assert!(!path.exists());
        std::fs::remove_dir(parent).unwrap();
    }
}
