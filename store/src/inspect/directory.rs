//! The segments of a log that is only read, whatever is wrong with them.

use super::damage::{Damage, MENDED, NO_START};
use super::error::InspectError;
use crate::disk::{DirLock, Disk, DiskFile};
use crate::log::{
    FIRST_NAME, FORMAT_VERSION, First, HeaderFault, LogPoint, Options, Reader, SEGMENT_HEADER_BYTES, Segment,
    SegmentHeader, Segments, Torn, Walk, flipped_segment_header, number_in, segment_name,
};
use crate::sync::Arc;
use std::io;
use std::path::{Path, PathBuf};

/// An opened log. Holds the directory's lock.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) dir: PathBuf,
    /// Oldest first.
    pub(super) segments: Vec<Found>,
    /// What is wrong with files and headers.
    pub(super) damage: Vec<Damage>,
    /// A first batch of the newest file that was never finished.
    pub(super) torn: Option<Torn>,
    disk: Arc<dyn Disk>,
    _lock: Box<dyn DirLock>,
}

/// A segment's file.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) segment: Arc<Segment>,
    /// Its header is unreadable and was guessed.
    pub(super) headless: bool,
    /// Where its frames end, as the next segment says.
    pub(super) ends_at: Option<u32>,
}

impl Directory {
    /// Opens the log in a data directory and reads the segments' headers.
    ///
    /// # Errors
    /// There is no log, a process uses it, it may not be read, or a newer version wrote it.
    pub(super) fn open(disk: &Arc<dyn Disk>, data_dir: &Path) -> Result<Directory, InspectError> {
        let dir = data_dir.join("log");
        let in_dir = |source| InspectError::Dir { dir: dir.clone(), source };
        match disk.create_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(InspectError::NoLog { dir }),
            made => made.map_err(in_dir)?,
        }
        let lock = disk.lock_dir(&dir).map_err(in_dir)?;
        let entries = disk.list(&dir).map_err(in_dir)?;
        let mut files: Vec<(u64, u64)> =
            entries.iter().filter_map(|e| number_in(&e.name, ".segment").map(|number| (number, e.bytes))).collect();
        files.sort_unstable();
        let mut found = Directory {
            dir,
            segments: Vec::new(),
            damage: Vec::new(),
            torn: None,
            disk: Arc::clone(disk),
            _lock: lock,
        };
        let oldest = files.first().map_or(0, |(sequence, _)| *sequence);
        let log_id = found.check_first(oldest);
        let newest = files.last().map_or(0, |(sequence, _)| *sequence);
        for (sequence, bytes) in files {
            found.add(sequence, bytes, sequence == newest, log_id)?;
        }
        if found.segments.is_empty() && found.damage.is_empty() {
            return Err(InspectError::NoLog { dir: found.dir });
        }
        found.chain();
        Ok(found)
    }

    /// The path of a segment.
    pub(super) fn path(&self, sequence: u64) -> PathBuf {
        self.dir.join(segment_name(sequence))
    }

    /// Reads single values of the log.
    pub(super) fn reader(&self) -> Reader {
        let segments = Segments::new(Arc::clone(&self.disk), self.dir.clone(), Options::default());
        self.segments.iter().for_each(|found| segments.insert(Arc::clone(&found.segment)));
        Reader::new(&Arc::new(segments))
    }

    /// Bytes of all segments.
    pub(super) fn file_bytes(&self) -> u64 {
        self.segments.iter().map(|found| u64::from(found.segment.header.capacity)).sum()
    }

    /// Whether the oldest segment is the one that must be there; returns the log's identity if it is known.
    fn check_first(&mut self, oldest: u64) -> Option<u64> {
        let path = self.dir.join(FIRST_NAME);
        let damage = |what: String| Damage::new(path.clone(), 0, what, NO_START);
        let first = match First::read(&*self.disk, &self.dir) {
            Ok(Some(first)) => first,
            Err(error) if error.kind() == io::ErrorKind::NotFound && oldest == 0 => return None,
            Ok(None) => {
                let what = "its checksum is wrong, so it cannot be told whether the oldest segments are missing";
                self.damage.push(damage(what.into()));
                return None;
            }
            Err(error) => {
                self.damage.push(damage(format!("it cannot be read: {error}")));
                return None;
            }
        };
        if oldest > first.sequence || oldest == 0 && first.sequence != 1 {
            self.damage.push(damage(format!("segment {} is missing: the log begins with it", first.sequence)));
        }
        Some(first.log_id)
    }

    fn add(&mut self, sequence: u64, bytes: u64, is_newest: bool, log_id: Option<u64>) -> Result<(), InspectError> {
        let path = self.path(sequence);
        let damage = |what: String| Damage::new(path.clone(), sequence, what, NO_START);
        let last = self.segments.last().map(|found| found.segment.header);
        if let Some(last) = last.filter(|last| last.sequence + 1 != sequence) {
            let what = format!("segment {} is missing before it", last.sequence + 1);
            self.damage.push(damage(what));
        }
        let opened = self.disk.open(&path).and_then(|file| {
            let mut head = vec![0; (SEGMENT_HEADER_BYTES as usize).min(bytes as usize)];
            file.read_exact_at(&mut head, 0)?;
            Ok((file, head))
        });
        let (file, head) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                self.damage.push(damage(format!("it cannot be read: {error}")));
                return Ok(());
            }
        };
        let (header, headless) = match SegmentHeader::decode(&head) {
            Ok(header) if header.sequence == sequence => (header, false),
            Err(HeaderFault::Version(version)) => {
                return Err(InspectError::Format { path, version, known: FORMAT_VERSION });
            }
            Ok(_) | Err(HeaderFault::Invalid) => (guessed(sequence, bytes, last.as_ref(), log_id), true),
        };
        let mended = flipped_segment_header(&head).filter(|whole| headless && whole.sequence == sequence);
        let unproven = if headless && is_newest { unproven(&file, header) } else { None };
        let (header, headless) = match (mended, unproven) {
            // As a start does it.
            (Some(mended), Some(_)) => {
                let what = "a bit of its header has flipped";
                self.damage.push(Damage::new(path.clone(), sequence, what, MENDED));
                (mended, false)
            }
            // A file gets its name first and its header with its first batch, so the newest may have none yet.
            (None, Some(bytes)) => {
                let at = LogPoint { segment: sequence, offset: 0 };
                self.torn = (bytes > 0).then_some(Torn { at, bytes });
                return Ok(());
            }
            (_, None) => (header, headless),
        };
        if headless {
            self.damage.push(damage("its header is unreadable".into()));
        } else if u64::from(header.capacity) > bytes {
            self.damage.push(damage(format!("the file has {bytes} bytes of {}", header.capacity)));
        }
        self.segments.push(Found { segment: Arc::new(Segment { header, file }), headless, ends_at: None });
        Ok(())
    }

    /// Tells each segment where its frames end, and looks whether each continues the one before.
    fn chain(&mut self) {
        let mut nexts =
            self.segments.iter().skip(1).map(|next| (next.headless, next.segment.header)).collect::<Vec<_>>();
        nexts.reverse();
        let mut damage = Vec::new();
        for found in &mut self.segments {
            let Some((headless, next)) = nexts.pop() else { break };
            let header = found.segment.header;
            if headless || next.sequence != header.sequence + 1 {
                continue;
            }
            found.ends_at = Some(next.previous_end);
            let in_order = header.generation < next.generation && next.previous_end <= header.capacity;
            if found.headless || in_order && header.log_id == next.log_id {
                continue;
            }
            let path = self.dir.join(segment_name(next.sequence));
            damage.push(Damage::new(path, next.sequence, "it does not continue the segment before it", NO_START));
        }
        self.damage.append(&mut damage);
    }
}

/// What the header of a segment would say, as far as its frames need it.
fn guessed(sequence: u64, bytes: u64, last: Option<&SegmentHeader>, log_id: Option<u64>) -> SegmentHeader {
    SegmentHeader {
        recycled: true,
        sequence,
        capacity: u32::try_from(bytes).unwrap_or(u32::MAX),
        log_id: log_id.or(last.map(|last| last.log_id)).unwrap_or_default(),
        generation: last.map_or(0, |last| last.generation + 1),
        revision: last.map_or(0, |last| last.revision),
        compact_revision: last.map_or(0, |last| last.compact_revision),
        ..SegmentHeader::default()
    }
}

/// The bytes of a file without a header, unless some of them prove that it was written once and durable.
fn unproven(file: &Arc<dyn DiskFile>, header: SegmentHeader) -> Option<u64> {
    let rest = Walk::of_file(file, header).rest(true).ok()?;
    rest.proof.is_none().then_some(rest.torn_bytes)
}
