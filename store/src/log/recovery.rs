//! Opens a log: finds what was committed. A [`Recovery`] is asked where it can start, replays, and becomes the parts
//! that the running site uses.

use super::appender::{AppendState, Appender};
use super::cleaning::Cleaner;
use super::first::{FIRST_NAME, First};
use super::flipped;
use super::format::{HeaderFault, SEGMENT_HEADER_BYTES, SegmentHeader, number_in, segment_name, spare_name};
use super::open_error::OpenError;
use super::options::Options;
use super::point::LogPoint;
use super::reader::Reader;
use super::replay::{Progress, Replay, ReplaySummary, Replayed};
use super::segments::{Preparer, Segment, SegmentInfo, Segments};
use super::syncer::Syncer;
use super::tail::Tail;
use super::walk::Walk;
use crate::disk::{DirLock, Disk, DiskFile};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// The commit log of one site.
#[derive(Debug)]
pub struct Log;

/// An opened log, before it is replayed.
#[derive(Debug)]
pub struct Recovery {
    segments: Arc<Segments>,
    lock: Box<dyn DirLock>,
    infos: Vec<SegmentInfo>,
    log_id: u64,
    replayed: Option<(ReplaySummary, Tail)>,
    /// What the checkpoint knows: newest main revision and compact revision.
    known: (i64, i64),
}

/// What a running log is made of; each part has one owner.
#[derive(Debug)]
pub struct Parts {
    /// For the sequencer.
    pub appender: Appender,
    /// For the log-writer thread.
    pub syncer: Syncer,
    /// For everyone.
    pub reader: Reader,
    /// For the cleaning task.
    pub cleaner: Cleaner,
}

impl Log {
    /// Opens the log in a directory, making it if there is none, and takes the directory for this process. Reads the
    /// segments' headers only; call [`Recovery::replay`], then [`Recovery::finish`].
    ///
    /// # Errors
    /// The directory cannot be used, or a segment is missing, damaged or foreign.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, options: Options) -> Result<Recovery, OpenError> {
        let in_dir = |source| OpenError::Dir { dir: dir.into(), source };
        disk.create_dir(dir).map_err(in_dir)?;
        let lock = disk.lock_dir(dir).map_err(in_dir)?;
        let log_id = options.log_id;
        let segments = Arc::new(Segments::new(disk, dir.into(), options));
        let mut recovery = Recovery { segments, lock, infos: Vec::new(), log_id, replayed: None, known: (0, 0) };
        recovery.find_segments()?;
        Ok(recovery)
    }
}

impl Recovery {
    /// Whether the log holds no segment yet.
    pub fn is_new(&self) -> bool {
        self.infos.is_empty()
    }

    /// The identity that the log was made with.
    pub fn log_id(&self) -> u64 {
        self.log_id
    }

    /// The segments, oldest first. The newest one's `end` is known after the replay.
    pub fn segments(&self) -> &[SegmentInfo] {
        &self.infos
    }

    /// Where the oldest record lies. A checkpoint before it is too old.
    pub fn start(&self) -> LogPoint {
        let segment = self.infos.first().map_or(0, |info| info.sequence);
        LogPoint { segment, offset: if segment == 0 { 0 } else { SEGMENT_HEADER_BYTES } }
    }

    /// Reads values while replaying.
    pub fn reader(&self) -> Reader {
        Reader::new(&self.segments)
    }

    /// Visits every record from a checkpoint's point, or from the oldest one, in the order in which they were appended.
    /// May be called again, with another start.
    ///
    /// Replayed from the oldest segment, a version may come after one that superseded it ([`Moved`](super::Moved)), and
    /// what was compacted may be missing or not: the visitor ends with what the last `compact` and `superseded_at` say.
    ///
    /// # Errors
    /// The log is damaged where it was durable, or does not hold the point ([`OpenError::NoSuchPoint`]: replay from
    /// None instead).
    pub fn replay(
        &mut self,
        from: Option<LogPoint>,
        progress: &mut dyn FnMut(Progress),
        visit: &mut dyn FnMut(Replayed),
    ) -> Result<ReplaySummary, OpenError> {
        let from = from.unwrap_or(self.start());
        let set = self.segments.set();
        if !self.is_new() && !set.contains_key(&from.segment) || self.is_new() && from != LogPoint::default() {
            return Err(OpenError::NoSuchPoint(from));
        }
        let total_bytes = set.range(from.segment..).map(|(_, segment)| u64::from(segment.header.capacity)).sum();
        let mut replay = Replay {
            dir: &self.segments.dir,
            from,
            edge_seen: false,
            summary: ReplaySummary::default(),
            progress: Progress { done_bytes: 0, total_bytes },
        };
        let mut tail = Tail { generation: 0, batch_begin: 0 };
        let mut nexts = set.range(from.segment..).skip(1).map(|(_, next)| next.header.previous_end);
        for segment in set.range(from.segment..).map(|(_, segment)| segment) {
            let previous_end = nexts.next();
            tail = replay.segment(segment, previous_end, progress, visit)?;
        }
        if !replay.edge_seen && !self.is_new() {
            return Err(OpenError::NoSuchPoint(from));
        }
        let summary = replay.summary;
        if let Some(torn) = summary.torn {
            tracing::warn!(at = %torn.at, bytes = torn.bytes, "cut an unfinished batch at the end of the commit log");
        }
        if let Some(flip) = summary.mended {
            tracing::warn!(at = %flip.at, bit = flip.bit, "a bit of the commit log had flipped; turned it back. Check the disk");
        }
        if let Some(newest) = self.infos.last_mut() {
            newest.end = summary.end.offset;
        }
        self.replayed = Some((summary.clone(), tail));
        Ok(summary)
    }

    /// Says what the checkpoint knows that the log was replayed from: what lies before it is not visited, and the headers
    /// of the segments to come carry it.
    pub fn set_known(&mut self, revision: i64, compact_revision: i64) {
        self.known = (revision, compact_revision);
    }

    /// Makes the replayed log ready for writing. Writes and syncs the last batch again (see `tail`), and one small frame, so
    /// that what was cut stays cut.
    ///
    /// # Errors
    /// The write failed, or the log was not replayed.
    pub fn finish(mut self) -> Result<Parts, OpenError> {
        if self.replayed.is_none() {
            self.replay(None, &mut |_| (), &mut |_| ())?;
        }
        let (summary, tail) = self.replayed.take().expect("invariant: replayed above");
        let state = AppendState {
            log_id: self.log_id,
            end: summary.end,
            capacity: self.segments.get(summary.end.segment).map_or(0, |segment| segment.header.capacity),
            generation: tail.generation + 1,
            revision: summary.revision.max(self.known.0),
            compact_revision: summary.compact_revision.max(self.known.1),
        };
        if self.is_new() {
            let first = First { log_id: self.log_id, sequence: 1 };
            first.write(&*self.segments.disk, &self.segments.dir).map_err(self.io("writing", FIRST_NAME))?;
        }
        if let Some(newest) = self.segments.get(summary.end.segment) {
            let written = tail.write_again(&newest, summary.end.offset, summary.mended);
            written.map_err(self.io("writing", &segment_name(summary.end.segment)))?;
        }
        let mut appender = Appender::new(&self.segments, state);
        let preparer = if self.segments.options.prepare_ahead {
            let started = Preparer::start(&self.segments);
            Some(started.map_err(|source| OpenError::Dir { dir: self.segments.dir.clone(), source })?)
        } else {
            None
        };
        let mut syncer = Syncer::new(&self.segments, summary.end, preparer, self.lock);
        appender.append_opened();
        if let Some(batch) = appender.take_batch() {
            syncer.write(batch)?;
        }
        self.segments.want_after(syncer.durable().segment);
        Ok(Parts { appender, syncer, reader: Reader::new(&self.segments), cleaner: Cleaner::new(&self.segments) })
    }

    fn io(&self, action: &'static str, name: &str) -> impl FnOnce(io::Error) -> OpenError + use<> {
        let path = self.segments.dir.join(name);
        move |source| OpenError::Io { action, path, source }
    }

    fn find_segments(&mut self) -> Result<(), OpenError> {
        let entries = self.segments.disk.list(&self.segments.dir).map_err(self.io("listing", ""))?;
        let mut sequences: Vec<(u64, u64)> =
            entries.iter().filter_map(|e| number_in(&e.name, ".segment").map(|number| (number, e.bytes))).collect();
        sequences.sort_unstable();
        let last = sequences.last().map_or(0, |(sequence, _)| *sequence);
        let first = sequences.first().map_or(0, |(sequence, _)| *sequence);
        let log_id = self.check_first(first)?;
        let mut newest: Option<Arc<Segment>> = None;
        for (expected, (sequence, bytes)) in (first..).zip(sequences) {
            if sequence != expected {
                return Err(OpenError::Missing { dir: self.segments.dir.clone(), sequence: expected });
            }
            let segment = self.open_segment(sequence, bytes, sequence == last, newest.as_deref())?;
            if let Some(segment) = segment {
                self.check_chain(newest.as_deref(), &segment)?;
                self.segments.insert(Arc::clone(&segment));
                newest = Some(segment);
            }
        }
        if let Some(newest) = &newest {
            self.log_id = newest.header.log_id;
            if log_id.is_some_and(|log_id| log_id != self.log_id) {
                let path = self.segments.dir.join(FIRST_NAME);
                return Err(OpenError::Foreign { path, reason: "it belongs to another log".into() });
            }
        }
        let newest = newest.map_or(0, |segment| segment.header.sequence);
        let entries = self.segments.disk.list(&self.segments.dir).map_err(self.io("listing", ""))?;
        for entry in entries {
            if let Some(number) = number_in(&entry.name, ".spare") {
                let adopted = self.segments.adopt_spare(number, entry.bytes, newest);
                adopted.map_err(self.io("reusing", &entry.name))?;
            }
        }
        self.infos = self.segments.infos(0);
        Ok(())
    }

    /// Whether the oldest segment is the one that must be there; 0 if there is none. Returns the log's identity.
    fn check_first(&self, oldest: u64) -> Result<Option<u64>, OpenError> {
        let Segments { disk, dir, .. } = &*self.segments;
        let first = match First::read(&**disk, dir) {
            Ok(first) => first,
            Err(error) if error.kind() == io::ErrorKind::NotFound && oldest == 0 => return Ok(None),
            Err(error) => return Err(self.io("reading", FIRST_NAME)(error)),
        };
        let Some(first) = first else {
            let reason = "its checksum is wrong, so it cannot be told whether segments are missing".into();
            return Err(OpenError::Damaged { path: dir.join(FIRST_NAME), offset: 0, reason });
        };
        // A crash may come between the file and the first segment; and one segment may be left that was to be freed.
        let whole = oldest <= first.sequence && (oldest > 0 || first.sequence == 1);
        let missing = OpenError::Missing { dir: dir.clone(), sequence: first.sequence };
        if whole { Ok(Some(first.log_id)) } else { Err(missing) }
    }

    fn open_segment(
        &self,
        sequence: u64,
        bytes: u64,
        is_last: bool,
        previous: Option<&Segment>,
    ) -> Result<Option<Arc<Segment>>, OpenError> {
        let name = segment_name(sequence);
        let path = self.segments.dir.join(&name);
        let file = self.segments.disk.open(&path).map_err(self.io("opening", &name))?;
        let mut head = vec![0; (SEGMENT_HEADER_BYTES as usize).min(bytes as usize)];
        file.read_exact_at(&mut head, 0).map_err(self.io("reading", &name))?;
        let damaged = |reason: &str| OpenError::Damaged { path: path.clone(), offset: 0, reason: reason.into() };
        match SegmentHeader::decode(&head) {
            Ok(header) if header.sequence == sequence => {
                if u64::from(header.capacity) > bytes {
                    return Err(damaged(&format!("the file has {bytes} bytes of {}", header.capacity)));
                }
                Ok(Some(Arc::new(Segment { header, file })))
            }
            Err(HeaderFault::Version(version)) => {
                let reason =
                    format!("it has format {version}, which this version does not know; use the one that wrote it");
                Err(OpenError::Foreign { path, reason })
            }
            // A file gets its name first and its header with its first batch, so the newest may have none yet.
            Ok(_) | Err(HeaderFault::Invalid) if is_last => {
                let expected = SegmentHeader {
                    sequence,
                    capacity: u32::try_from(bytes).unwrap_or(u32::MAX),
                    log_id: previous.map_or(self.log_id, |previous| previous.header.log_id),
                    generation: previous.map_or(0, |previous| previous.header.generation + 1),
                    ..SegmentHeader::default()
                };
                self.check_unproven(expected, &file)?;
                // The start writes it again, with the first batch.
                let mended = flipped::segment_header(&head)
                    .filter(|header| header.sequence == sequence && u64::from(header.capacity) <= bytes);
                match mended {
                    Some(header) => Ok(Some(Arc::new(Segment { header, file }))),
                    None => self.give_up_unwritten(sequence).map(|()| None),
                }
            }
            Ok(header) => Err(damaged(&format!("it says that it is segment {}", header.sequence))),
            Err(HeaderFault::Invalid) => Err(damaged("its header is unreadable")),
        }
    }

    /// Whether nothing in a file without a header proves that it was written once and durable.
    fn check_unproven(&self, expected: SegmentHeader, file: &Arc<dyn DiskFile>) -> Result<(), OpenError> {
        let name = segment_name(expected.sequence);
        let rest = Walk::of_file(file, expected).rest(true);
        let Some(proof) = rest.map_err(self.io("reading", &name))?.proof else { return Ok(()) };
        let reason = format!("its header is unreadable, but the record at offset {} was durable", proof.offset);
        Err(OpenError::Damaged { path: self.segments.dir.join(&name), offset: 0, reason })
    }

    /// Makes a spare of a file that got its name but never a first batch.
    fn give_up_unwritten(&self, sequence: u64) -> Result<(), OpenError> {
        let name = segment_name(sequence);
        tracing::warn!(segment = sequence, "the newest segment of the commit log was never written; taking it back");
        let disk = &self.segments.disk;
        let from = self.segments.dir.join(&name);
        // Spare numbers count up from 0, so the sequence from the top is a free one.
        let to = self.segments.dir.join(spare_name(u64::MAX / 2 + sequence));
        disk.rename(&from, &to).map_err(self.io("renaming", &name))?;
        disk.sync_dir(&self.segments.dir).map_err(self.io("syncing", ""))
    }

    fn check_chain(&self, previous: Option<&Segment>, next: &Segment) -> Result<(), OpenError> {
        let path = self.segments.dir.join(segment_name(next.header.sequence));
        let Some(previous) = previous else { return Ok(()) };
        if previous.header.log_id != next.header.log_id {
            return Err(OpenError::Foreign { path, reason: "it is a segment of another log".into() });
        }
        let in_order =
            previous.header.generation < next.header.generation && next.header.previous_end <= previous.header.capacity;
        if in_order {
            return Ok(());
        }
        Err(OpenError::Damaged { path, offset: 0, reason: "it does not continue the segment before it".into() })
    }
}
