//! Reads a snapshot's file, which may hold anything.

use super::format::{
    ALIGNMENT, DIGEST_BYTES, FORMAT, FRAME_HEAD_BYTES, Header, Kind, MAGIC, PAYLOAD_BYTES_MAX, PREAMBLE_BYTES, Totals,
};
use archipel_store::{error::ImportError, log::Table};
use bytes::Bytes;
use ring::digest::{Context, SHA256};
use std::{
    fs::File,
    io::{self, BufReader, Read, Seek},
    path::{Path, PathBuf},
};
use thiserror::Error;

/// Bytes that are read at a time.
const READ_BYTES: usize = 1 << 20;

/// Why a snapshot cannot be read or restored.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// A file or directory.
    #[error("{path}: {source}")]
    Io {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another kind of file.
    #[error("{0} is no snapshot of a site: `archipel snapshot save` and `etcdctl snapshot save` at a site make one")]
    NotASnapshot(PathBuf),
    /// A newer format.
    #[error("the snapshot has format {0}, and this release reads up to {FORMAT}; restore it with a newer release")]
    Newer(u32),
    /// Cut off or changed.
    #[error("the snapshot is damaged: {0}; take another one")]
    Damaged(&'static str),
    /// The directory of the new site.
    #[error("{0} is not empty: a snapshot is restored into a new data directory")]
    NotEmpty(PathBuf),
    /// The new site's log.
    #[error(transparent)]
    Import(#[from] ImportError),
}

/// What a snapshot's file holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Summary {
    pub(crate) header: Header,
    pub(crate) totals: Totals,
    /// The file's size.
    pub(crate) bytes: u64,
    /// Its digest in hexadecimal.
    pub(crate) digest: String,
}

/// One thing in a snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Item {
    Version(Bytes),
    Event { kv: Bytes, is_delete: bool },
    Row { table: Table, key: Bytes, value: Bytes },
}

/// Checks a file's digest and everything in it; `progress` is told the bytes that were read, of twice the file's size.
///
/// # Errors
/// It is no snapshot, or damaged.
pub(crate) fn open(path: &Path, progress: &mut dyn FnMut(u64)) -> Result<Summary, SnapshotError> {
    let io = |source| SnapshotError::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(io)?;
    let bytes = file.metadata().map_err(io)?.len();
    check_preamble(path, &mut file)?;
    let digest = check_digest(path, &mut file, bytes, progress)?;
    let mut base = bytes;
    let (header, totals) = read(
        path,
        &mut |read| {
            base += read;
            progress(base);
        },
        &mut |_| Ok(()),
    )?;
    Ok(Summary { header, totals, bytes, digest })
}

fn check_preamble(path: &Path, file: &mut File) -> Result<(), SnapshotError> {
    let mut preamble = [0; PREAMBLE_BYTES];
    let whole = file.read_exact(&mut preamble).is_ok();
    let [magic @ .., a, b, c, d] = preamble;
    if !whole || magic != *MAGIC {
        return Err(SnapshotError::NotASnapshot(path.to_owned()));
    }
    match u32::from_be_bytes([a, b, c, d]) {
        FORMAT => Ok(()),
        newer if newer > FORMAT => Err(SnapshotError::Newer(newer)),
        _ => Err(SnapshotError::NotASnapshot(path.to_owned())),
    }
}

fn check_digest(
    path: &Path,
    file: &mut File,
    bytes: u64,
    progress: &mut dyn FnMut(u64),
) -> Result<String, SnapshotError> {
    let io = |source| SnapshotError::Io { path: path.to_owned(), source };
    if bytes % ALIGNMENT != DIGEST_BYTES {
        return Err(SnapshotError::Damaged("it does not end where a snapshot ends"));
    }
    file.rewind().map_err(io)?;
    let mut left = bytes - DIGEST_BYTES;
    let mut digest = Context::new(&SHA256);
    let mut buffer = vec![0; READ_BYTES];
    while left > 0 {
        let wanted = usize::try_from(left).map_or(READ_BYTES, |left| left.min(READ_BYTES));
        let part = buffer.get_mut(..wanted).unwrap_or_default();
        file.read_exact(part).map_err(io)?;
        digest.update(part);
        left -= wanted as u64;
        progress(bytes - DIGEST_BYTES - left);
    }
    let mut stored = [0; DIGEST_BYTES as usize];
    file.read_exact(&mut stored).map_err(io)?;
    let digest = digest.finish();
    if digest.as_ref() != stored {
        return Err(SnapshotError::Damaged("its digest does not match"));
    }
    Ok(stored.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Shows each item of a file whose digest was checked; `progress` is told the bytes of each frame.
///
/// # Errors
/// The file's content, or what `visit` says.
pub(super) fn read(
    path: &Path,
    progress: &mut dyn FnMut(u64),
    visit: &mut dyn FnMut(Item) -> Result<(), SnapshotError>,
) -> Result<(Header, Totals), SnapshotError> {
    let io = |source| SnapshotError::Io { path: path.to_owned(), source };
    let mut file = BufReader::with_capacity(READ_BYTES, File::open(path).map_err(io)?);
    file.read_exact(&mut [0; PREAMBLE_BYTES]).map_err(io)?;
    let mut header: Option<Header> = None;
    let mut found = Totals::default();
    loop {
        let (kind, payload) = frame(&mut file)?;
        progress((FRAME_HEAD_BYTES + payload.len()) as u64);
        let item = match (kind, header.is_some()) {
            (Kind::Header, false) => {
                header = Some(parse(&payload)?);
                continue;
            }
            (Kind::Header, true) => return Err(SnapshotError::Damaged("it has two headers")),
            (_, false) => return Err(SnapshotError::Damaged("its header is missing")),
            (Kind::Version, _) => Item::Version(payload),
            (Kind::Put, _) => Item::Event { kv: payload, is_delete: false },
            (Kind::Delete, _) => Item::Event { kv: payload, is_delete: true },
            (Kind::Row, _) => row(&payload)?,
            (Kind::End, _) => break check_totals(header, found, parse(&payload)?),
        };
        match &item {
            Item::Version(_) => found.versions += 1,
            Item::Event { .. } => found.events += 1,
            Item::Row { .. } => found.rows += 1,
        }
        visit(item)?;
    }
}

fn check_totals(header: Option<Header>, found: Totals, said: Totals) -> Result<(Header, Totals), SnapshotError> {
    match header {
        Some(header) if found == said => Ok((header, found)),
        _ => Err(SnapshotError::Damaged("it does not hold what it says")),
    }
}

fn frame(file: &mut impl Read) -> Result<(Kind, Bytes), SnapshotError> {
    let cut = |_| SnapshotError::Damaged("it ends inside");
    let mut head = [0; FRAME_HEAD_BYTES];
    file.read_exact(&mut head).map_err(cut)?;
    let [kind, length @ ..] = head;
    let kind = Kind::from_byte(kind).ok_or(SnapshotError::Damaged("it holds something unknown"))?;
    let length = u32::from_be_bytes(length);
    if length > PAYLOAD_BYTES_MAX {
        return Err(SnapshotError::Damaged("a part of it is too large"));
    }
    let mut payload = vec![0; length as usize];
    file.read_exact(&mut payload).map_err(cut)?;
    Ok((kind, payload.into()))
}

fn row(payload: &Bytes) -> Result<Item, SnapshotError> {
    let damaged = SnapshotError::Damaged("a row of it does not decode");
    let Some((table, rest)) = payload.split_first() else { return Err(damaged) };
    let Some((length, rest)) = rest.split_first_chunk::<4>() else { return Err(damaged) };
    let length = u32::from_be_bytes(*length) as usize;
    let (Some(table), true) = (Table::from_byte(*table), length <= rest.len()) else { return Err(damaged) };
    let (key, value) = rest.split_at(length);
    Ok(Item::Row { table, key: payload.slice_ref(key), value: payload.slice_ref(value) })
}

fn parse<T: serde::de::DeserializeOwned>(payload: &Bytes) -> Result<T, SnapshotError> {
    serde_json::from_slice(payload).map_err(|_| SnapshotError::Damaged("its header or its end does not decode"))
}
