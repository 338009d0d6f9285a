//! The segment files: which are in use, which wait to be used again. Used by `syncer` (new segments), `reader`
//! (look-up), `cleaning` (freeing) and `recovery` (what is there).
//!
//! A freed segment becomes a spare file at once, under a name that recovery ignores, but is not overwritten while a
//! [`ReadPin`](super::ReadPin) still refers to it.

use super::failure::Failure;
use super::first::First;
use super::format::{SegmentHeader, segment_name, spare_name};
use super::options::Options;
use super::pin::Era;
use super::space::Space;
use crate::disk::{Disk, DiskFile};
use crate::limits::{PREPARE_RETRY_MS, SEGMENT_CHUNK_BYTES, SPARE_SEGMENTS_MAX, SPARE_SEGMENTS_READY};
use crate::planted::{Bug, is_planted};
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A segment that is part of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentInfo {
    /// Its number; never reused.
    pub sequence: u64,
    /// Size of its file in bytes.
    pub capacity: u32,
    /// Where its frames end; for the newest segment, where they ended when the question was asked.
    pub end: u32,
}

#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) header: SegmentHeader,
    pub(crate) file: Arc<dyn DiskFile>,
}

pub(crate) type SegmentSet = BTreeMap<u64, Arc<Segment>>;

/// A file that can become a segment.
#[derive(Debug)]
pub(crate) struct Spare {
    number: u64,
    capacity: u32,
    recycled: bool,
    file: Arc<dyn DiskFile>,
}

#[derive(Debug, Default)]
struct Spares {
    ready: Vec<Spare>,
    /// Freed while readers were still pinned to them: the spare's number, and the segment.
    retired: Vec<(u64, Arc<Segment>)>,
    number_next: u64,
    /// Capacities that the next rolls will ask for.
    wanted: Vec<u32>,
    /// What the preparing thread is filling right now.
    filling: Option<u32>,
    error: Option<String>,
    closing: bool,
}

#[derive(Debug)]
pub(crate) struct Segments {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) options: Options,
    pub(crate) failure: Failure,
    pub(crate) space: Space,
    set: ArcSwap<SegmentSet>,
    era: Mutex<Arc<Era>>,
    spares: Mutex<Spares>,
    changed: Condvar,
}

impl Segments {
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: PathBuf, options: Options) -> Segments {
        Segments {
            disk,
            dir,
            options,
            failure: Failure::default(),
            space: Space::default(),
            set: ArcSwap::default(),
            era: Mutex::default(),
            spares: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn set(&self) -> Arc<SegmentSet> {
        self.set.load_full()
    }

    pub(crate) fn get(&self, sequence: u64) -> Option<Arc<Segment>> {
        self.set.load().get(&sequence).cloned()
    }

    /// The era of this moment.
    pub(crate) fn era(&self) -> Arc<Era> {
        Arc::clone(&self.era.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds a segment that recovery found, or that the syncer just made.
    pub(crate) fn insert(&self, segment: Arc<Segment>) {
        self.set.rcu(|set| {
            let mut set = SegmentSet::clone(set);
            set.insert(segment.header.sequence, Arc::clone(&segment));
            set
        });
    }

    /// Every segment, oldest first. `end` is where the newest one's frames end.
    pub(crate) fn infos(&self, end: u32) -> Vec<SegmentInfo> {
        let set = self.set.load();
        let ends = set.values().skip(1).map(|next| next.header.previous_end).chain([end]);
        let info = |(segment, end): (&Arc<Segment>, u32)| SegmentInfo {
            sequence: segment.header.sequence,
            capacity: segment.header.capacity,
            end,
        };
        set.values().zip(ends).map(info).collect()
    }

    /// Bytes of all files: segments, and spares.
    pub(crate) fn file_bytes(&self) -> u64 {
        let used: u64 = self.set.load().values().map(|segment| u64::from(segment.header.capacity)).sum();
        let spares = self.spares();
        let ready: u64 = spares.ready.iter().map(|spare| u64::from(spare.capacity)).sum();
        let retired: u64 = spares.retired.iter().map(|(_, segment)| u64::from(segment.header.capacity)).sum();
        used + ready + retired
    }

    /// Why the store may not grow: the next segment could not be prepared ahead, or the disk is nearly full.
    pub(crate) fn space_error(&self) -> Option<String> {
        self.spares().error.clone().or_else(|| self.space.refusal())
    }

    /// Makes the file of a new segment, durable under its name. Its content is not the segment's yet.
    pub(crate) fn begin(&self, header: SegmentHeader) -> io::Result<Arc<Segment>> {
        let spare = match self.take_or_await(header.capacity) {
            Some(spare) => spare,
            None => self.prepare(header.capacity)?,
        };
        let to = self.dir.join(segment_name(header.sequence));
        self.disk.rename(&self.dir.join(spare_name(spare.number)), &to)?;
        if !is_planted(Bug::SkippedDirectorySync) {
            self.disk.sync_dir(&self.dir)?;
        }
        let header = SegmentHeader { recycled: spare.recycled, ..header };
        Ok(Arc::new(Segment { header, file: spare.file }))
    }

    /// Tells the preparing thread what the next rolls will ask for.
    pub(crate) fn want_after(&self, sequence: u64) {
        let wanted = (1..=SPARE_SEGMENTS_READY as u64).map(|ahead| self.options.capacity_of(sequence + ahead));
        self.spares().wanted = wanted.collect();
        self.changed.notify_all();
    }

    /// Takes a segment out of the log: its name is gone for recovery when this returns.
    pub(crate) fn free(&self, sequence: u64) -> io::Result<()> {
        let Some(segment) = self.get(sequence) else { return Ok(()) };
        First { log_id: segment.header.log_id, sequence: sequence + 1 }.write(&*self.disk, &self.dir)?;
        let number = self.number();
        self.disk.rename(&self.dir.join(segment_name(sequence)), &self.dir.join(spare_name(number)))?;
        self.disk.sync_dir(&self.dir)?;
        // Before it leaves the set: whoever pinned an earlier era finds it in one or the other at any time.
        let mut era = self.era.lock().unwrap_or_else(PoisonError::into_inner);
        *era = era.end(Arc::clone(&segment));
        drop(era);
        self.set.rcu(|set| {
            let mut set = SegmentSet::clone(set);
            set.remove(&sequence);
            set
        });
        self.spares().retired.push((number, segment));
        self.trim()?;
        self.changed.notify_all();
        Ok(())
    }

    /// Adds a spare file that recovery found, or removes it if no segment of its size will be needed.
    pub(crate) fn adopt_spare(&self, number: u64, bytes: u64, sequence: u64) -> io::Result<()> {
        let mut spares = self.spares();
        spares.number_next = spares.number_next.max(number + 1);
        let fits = (1..=SPARE_SEGMENTS_MAX as u64).find_map(|ahead| {
            let capacity = self.options.capacity_of(sequence + ahead);
            (u64::from(capacity) == bytes).then_some(capacity)
        });
        let path = self.dir.join(spare_name(number));
        match fits {
            Some(capacity) if spares.ready.len() < SPARE_SEGMENTS_MAX => {
                let file = self.disk.open(&path)?;
                spares.ready.push(Spare { number, capacity, recycled: true, file });
                Ok(())
            }
            _ => self.disk.remove(&path),
        }
    }

    fn spares(&self) -> std::sync::MutexGuard<'_, Spares> {
        // A panic cannot leave the lists half changed: every change is one push, pop or assignment.
        self.spares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn number(&self) -> u64 {
        let mut spares = self.spares();
        spares.number_next += 1;
        spares.number_next - 1
    }

    /// Takes a file of this size. If the preparing thread is filling one right now, waits for it: to fill another here
    /// would take longer. None if there is none and none is coming.
    fn take_or_await(&self, capacity: u32) -> Option<Spare> {
        let mut spares = self.spares();
        loop {
            if let Some(at) = spares.ready.iter().position(|spare| spare.capacity == capacity) {
                return Some(spares.ready.swap_remove(at));
            }
            let freed = spares.take_freed(capacity);
            if freed.is_some() || spares.filling != Some(capacity) {
                return freed;
            }
            spares = self.changed.wait(spares).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Removes freed files beyond the bound. Readers that are pinned to one keep it open.
    fn trim(&self) -> io::Result<()> {
        let mut spares = self.spares();
        let Spares { ready, retired, wanted, .. } = &mut *spares;
        let mut gone: Vec<u64> = Vec::new();
        // The first segments of a store are smaller: no later one has their size.
        let unwanted = |capacity: u32| !wanted.contains(&capacity);
        gone.extend(ready.extract_if(.., |spare| unwanted(spare.capacity)).map(|spare| spare.number));
        gone.extend(retired.extract_if(.., |(_, segment)| unwanted(segment.header.capacity)).map(|(number, _)| number));
        gone.extend(retired.drain(..retired.len().saturating_sub(SPARE_SEGMENTS_MAX)).map(|(number, _)| number));
        gone.into_iter().try_for_each(|number| self.disk.remove(&self.dir.join(spare_name(number))))
    }

    /// Makes a zero-filled file, durable in its whole length: a segment's header is never in a file that is too short.
    /// Synced chunk by chunk, so that the log's own syncs never wait for all of it.
    fn prepare(&self, capacity: u32) -> io::Result<Spare> {
        let number = self.number();
        let path = self.dir.join(spare_name(number));
        let file = self.disk.create(&path)?;
        let filled = fill_zeros(&*file, capacity);
        if let Err(error) = filled {
            // The space is wanted back; that this may fail too changes nothing.
            let _ = self.disk.remove(&path);
            return Err(error);
        }
        Ok(Spare { number, capacity, recycled: false, file })
    }

    /// Prepares what is wanted and missing. False if the disk refused.
    fn prepare_wanted(&self) -> bool {
        loop {
            let mut spares = self.spares();
            let Some(capacity) = spares.missing() else { return true };
            let freed = spares.take_freed(capacity);
            spares.filling = Some(capacity);
            drop(spares);
            let made = freed.map_or_else(|| self.prepare(capacity), Ok);
            self.look_at_space();
            let mut spares = self.spares();
            spares.filling = None;
            self.changed.notify_all();
            match made {
                Ok(spare) => {
                    spares.ready.push(spare);
                    spares.error = None;
                }
                Err(error) => {
                    tracing::warn!(%error, bytes = capacity, "cannot prepare the next log segment; free disk space");
                    spares.error = Some(error.to_string());
                    return false;
                }
            }
        }
    }

    fn run_preparing(&self) {
        loop {
            let done = self.prepare_wanted();
            let mut spares = self.spares();
            if !done && !spares.closing {
                let timeout = Duration::from_millis(PREPARE_RETRY_MS);
                spares = self.changed.wait_timeout(spares, timeout).unwrap_or_else(PoisonError::into_inner).0;
            }
            // Looked at under the lock, so that no notification is lost.
            while done && !spares.closing && spares.missing().is_none() {
                spares = self.changed.wait(spares).unwrap_or_else(PoisonError::into_inner);
            }
            if spares.closing {
                return;
            }
        }
    }
}

impl Spares {
    /// Takes a freed file of this size that nobody reads any more.
    fn take_freed(&mut self, capacity: u32) -> Option<Spare> {
        let unread =
            |(_, segment): &(u64, Arc<Segment>)| segment.header.capacity == capacity && Arc::strong_count(segment) == 1;
        let at = self.retired.iter().position(unread)?;
        let (number, segment) = self.retired.swap_remove(at);
        Some(Spare { number, capacity, recycled: true, file: Arc::clone(&segment.file) })
    }

    fn missing(&self) -> Option<u32> {
        if self.closing {
            return None;
        }
        let ready = |capacity: u32| self.ready.iter().filter(|spare| spare.capacity == capacity).count();
        let wanted = |capacity: u32| self.wanted.iter().filter(|want| **want == capacity).count();
        self.wanted.iter().copied().find(|capacity| ready(*capacity) < wanted(*capacity))
    }
}

fn fill_zeros(file: &dyn DiskFile, capacity: u32) -> io::Result<()> {
    let zeros = vec![0; SEGMENT_CHUNK_BYTES.min(capacity as usize)];
    let mut offset = 0_usize;
    while offset < capacity as usize {
        let step = zeros.len().min(capacity as usize - offset);
        file.write_all_at(zeros.get(..step).unwrap_or_default(), offset as u64)?;
        file.sync_data()?;
        offset += step;
    }
    Ok(())
}

/// The thread that prepares segments ahead. Owned by the syncer; ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Preparer {
    segments: Arc<Segments>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Preparer {
    pub(crate) fn start(segments: &Arc<Segments>) -> io::Result<Preparer> {
        let of_thread = Arc::clone(segments);
        let thread = std::thread::Builder::new().name("log-prepare".into());
        let thread = thread.spawn(move || of_thread.run_preparing())?;
        Ok(Preparer { segments: Arc::clone(segments), thread: Some(thread) })
    }
}

impl Drop for Preparer {
    fn drop(&mut self) {
        self.segments.spares().closing = true;
        self.segments.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // It holds no lock while it works, so it ends by itself.
            let _ = thread.join();
        }
    }
}
