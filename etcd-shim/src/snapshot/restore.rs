//! Makes a data directory of a snapshot. The site that starts on it is a new one: it makes itself a name, an id and an
//! incarnation, so that no peer takes it for the original.

use super::{
    format::TABLES,
    reader::{self, Item, SnapshotError, Summary},
};
use archipel_store::Import;
use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// What to restore, and where.
#[derive(Clone, Debug)]
pub(crate) struct Restore<'a> {
    /// The snapshot.
    pub(crate) file: &'a Path,
    /// The new data directory: absent or empty.
    pub(crate) data_dir: &'a Path,
    /// How far the new site's revision lies above the snapshot's; all below it is compacted then, so that clients notice
    /// that they went back in time. 0 = it goes on where the snapshot ends.
    pub(crate) bump_revision: u64,
}

/// Checks the snapshot, then writes the new directory beside its place, and puts it there when it is whole. `progress`
/// is told the bytes that were read, of three times the file's size.
///
/// # Errors
/// The snapshot or the directory. The place is as it was then.
pub(crate) fn restore(request: &Restore<'_>, progress: &mut dyn FnMut(u64)) -> Result<Summary, SnapshotError> {
    let Restore { file, data_dir, bump_revision } = request;
    must_be_empty(data_dir)?;
    let summary = reader::open(file, progress)?;
    let unfinished = beside(data_dir);
    let io = |source| SnapshotError::Io { path: unfinished.clone(), source };
    match fs::remove_dir_all(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&unfinished).map_err(io)?;
    let revision = match (bump_revision, summary.header.compact_revision) {
        (0, ..1) => None,
        (0, compacted) => Some(compacted),
        (bump, _) => Some(summary.header.revision.saturating_add_unsigned(*bump)),
    };
    let mut read = 2 * summary.bytes;
    let mut progress = |bytes| {
        read += bytes;
        progress(read);
    };
    let imported = import(file, &unfinished, revision, &mut progress);
    let placed = imported.and_then(|()| {
        fs::rename(&unfinished, data_dir).map_err(|source| SnapshotError::Io { path: data_dir.to_path_buf(), source })
    });
    if placed.is_err() {
        // Best effort: the next restore to this place removes it, too.
        let _ = fs::remove_dir_all(&unfinished);
    }
    placed?;
    sync_parent(data_dir)?;
    Ok(summary)
}

fn import(
    file: &Path,
    dir: &Path,
    compact_revision: Option<i64>,
    progress: &mut dyn FnMut(u64),
) -> Result<(), SnapshotError> {
    let mut import = Import::begin(dir)?;
    reader::read(file, progress, &mut |item| {
        match item {
            Item::Version(kv) => import.version(kv)?,
            Item::Event { kv, is_delete } => import.event(kv, is_delete)?,
            Item::Row { table, key, value } if TABLES.contains(&table) => import.row(table, key, value)?,
            // A later release may have decided to save more; it is not this one's to restore.
            Item::Row { .. } => {}
        }
        Ok(())
    })?;
    Ok(import.finish(compact_revision)?)
}

fn must_be_empty(dir: &Path) -> Result<(), SnapshotError> {
    match fs::read_dir(dir) {
        Ok(mut entries) => match entries.next() {
            Some(_) => Err(SnapshotError::NotEmpty(dir.to_owned())),
            None => Ok(()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(SnapshotError::Io { path: dir.to_owned(), source }),
    }
}

/// A directory in the same place, so that a rename is enough.
fn beside(dir: &Path) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_os_string();
    name.push(".restoring");
    dir.with_file_name(name)
}

fn sync_parent(dir: &Path) -> Result<(), SnapshotError> {
    let parent = match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let synced = fs::File::open(parent).and_then(|parent| parent.sync_all());
    synced.map_err(|source| SnapshotError::Io { path: parent.to_owned(), source })
}
