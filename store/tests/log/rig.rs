//! A site reduced to its log: it appends, writes batches, counts what it may acknowledge, frees segments, crashes, and
//! checks what a reopened log holds against that.

use archipel_store::disk::SimulatedDisk;
use archipel_store::log::{
    Appended, Event, EventKind, Fatal, Log, LogPoint, Moved, OpenError, Options, Parts, Record, ReplaySummary,
    Replayed, Table, TableWrite,
};
use archipel_store::revision::Revision;
use bytes::Bytes;
use std::path::Path;
use std::sync::Arc;

#[path = "../durability/random.rs"]
mod random;
pub(crate) use random::Random;

pub(crate) const DIR: &str = "/site/log";

pub(crate) fn dir() -> &'static Path {
    Path::new(DIR)
}

pub(crate) fn options(segment_bytes: u32) -> Options {
    Options { segment_bytes, fsync: true, prepare_ahead: false, log_id: 7 }
}

/// A record of any shape; its first event names its number, so that no two are equal.
pub(crate) fn record(number: i64, random: &mut Random) -> Record {
    let mut size = || match random.below(40) {
        0 => 6000,
        1..4 => 1500,
        _ => 100,
    };
    let (first, second) = (size(), size());
    let event = |sub, length, random: &mut Random| Event {
        key: Bytes::from(format!("/registry/pods/{number}-{sub}")),
        revision: Revision { main: number, sub },
        kind: if random.below(5) == 0 {
            EventKind::Delete
        } else {
            let length = 1 + random.below(length);
            EventKind::Put(random.bytes(length))
        },
    };
    let mut record = Record { events: vec![event(0, first, random)], ..Record::default() };
    if random.below(4) == 0 {
        record.events.push(event(1, second, random));
    }
    if random.below(4) == 0 {
        let value = (random.below(3) > 0).then(|| random.bytes(40));
        record.tables.push(TableWrite { table: Table::Lease, key: random.bytes(8), value });
    }
    if random.below(8) == 0 {
        record.compact = Some(number / 2);
    }
    if random.below(8) == 0 {
        let superseded_at = (random.below(2) == 0).then_some(number);
        record.moved.push(Moved { event: event(2, 50, random), superseded_at });
    }
    record
}

/// What the site remembers outside of the disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    /// Every record that was appended and may be in the log, in order; the first `acknowledged` of them must be.
    pub(crate) records: Vec<(Record, Appended)>,
    pub(crate) acknowledged: usize,
    /// Segments up to this one were given back; one more may have been when the power was cut.
    pub(crate) freed: u64,
    pub(crate) freeing: u64,
    pub(crate) number: i64,
}

/// A loss or an invention, in words.
pub(crate) type Verdict = Result<(), String>;

pub(crate) struct Site {
    pub(crate) disk: SimulatedDisk,
    pub(crate) options: Options,
    pub(crate) memory: Memory,
    pub(crate) parts: Option<Parts>,
}

impl Site {
    pub(crate) fn new(disk: SimulatedDisk, options: Options) -> Site {
        Site { disk, options, memory: Memory::default(), parts: None }
    }

    /// Opens the log and compares what it holds with what it must hold.
    pub(crate) fn open(&mut self) -> Result<ReplaySummary, String> {
        let opened = replay(&self.disk, &self.options).map_err(|error| format!("does not open: {error}"))?;
        let (recovery, summary, found) = opened;
        self.memory.check(&found)?;
        // An append that was not acknowledged may be there or not, but from now on it is what it is.
        self.memory.settle(&found);
        self.parts = match recovery.finish() {
            Ok(parts) => Some(parts),
            Err(_) if self.disk.is_cut() => None,
            Err(error) => return Err(format!("does not start: {error}")),
        };
        // Only now: a start may have turned a bit back.
        if let Some(parts) = &self.parts {
            let read = |at| parts.reader.read(at).map_err(|error| error.to_string());
            found.iter().try_for_each(|replayed| check_positions(replayed, &read))?;
        }
        Ok(summary)
    }

    /// Appends some records as one batch and writes it. Ok: they are acknowledged.
    pub(crate) fn commit(&mut self, count: u64, random: &mut Random) -> Result<(), Fatal> {
        let parts = self.parts.as_mut().expect("open");
        for _ in 0..count {
            self.memory.number += 1;
            let record = record(self.memory.number, random);
            match parts.appender.append(&record) {
                Ok(appended) => self.memory.records.push((record, appended)),
                Err(_) => break,
            }
        }
        if let Some(batch) = parts.appender.take_batch() {
            parts.syncer.write(batch)?;
        }
        match parts.syncer.fatal() {
            Some(fatal) => Err(fatal),
            None => {
                self.memory.acknowledged = self.memory.records.len();
                Ok(())
            }
        }
    }

    /// Gives the oldest segment back, as if nothing of it were live.
    pub(crate) fn free(&mut self) -> bool {
        let parts = self.parts.as_mut().expect("open");
        let segments = parts.cleaner.segments(parts.syncer.durable());
        let [oldest, _, ..] = &segments[..] else { return false };
        self.memory.freeing = oldest.sequence;
        if parts.cleaner.free_segment(oldest.sequence).is_err() {
            return false;
        }
        self.memory.freed = oldest.sequence;
        true
    }

    pub(crate) fn crash(&mut self) {
        self.parts = None;
        self.disk.crash();
    }
}

impl Memory {
    /// The log holds: all acknowledged records that were not freed, then some of the others, in order, unchanged.
    pub(crate) fn check(&self, found: &[Replayed]) -> Verdict {
        let first = found.first().map(|replayed| replayed.appended.start.segment);
        let oldest = first.unwrap_or(self.freeing + 1).clamp(self.freed + 1, self.freeing.max(self.freed) + 1);
        let acknowledged = &self.records[..self.acknowledged];
        let freed = acknowledged.iter().filter(|(_, at)| at.start.segment < oldest).count();
        let expected = &self.records[freed..];
        for (index, replayed) in found.iter().enumerate() {
            let Some((record, appended)) = expected.get(index) else {
                return Err(format!("invented a record at {}", replayed.appended.start));
            };
            if *record != replayed.record || *appended != replayed.appended {
                return Err(format!(
                    "record at {} is not what was appended at {}",
                    replayed.appended.start, appended.start
                ));
            }
        }
        if found.len() < self.acknowledged - freed {
            return Err(format!("lost {} acknowledged records", self.acknowledged - freed - found.len()));
        }
        Ok(())
    }

    fn settle(&mut self, found: &[Replayed]) {
        self.records = found.iter().map(|replayed| (replayed.record.clone(), replayed.appended.clone())).collect();
        self.acknowledged = self.records.len();
        let first = self.records.first().map(|(_, at)| at.start.segment);
        self.freed = first.map_or(self.freed, |first| first - 1);
        self.freeing = self.freed;
    }
}

pub(crate) fn replay(
    disk: &SimulatedDisk,
    options: &Options,
) -> Result<(archipel_store::log::Recovery, ReplaySummary, Vec<Replayed>), OpenError> {
    let mut found = Vec::new();
    let mut recovery = Log::open(Arc::new(disk.clone()), dir(), options.clone())?;
    let summary = recovery.replay(None, &mut |_| (), &mut |replayed| found.push(replayed))?;
    Ok((recovery, summary, found))
}

/// Every position of a record addresses exactly its bytes.
pub(crate) fn check_positions(
    replayed: &Replayed,
    read: &dyn Fn(archipel_store::log::Position) -> Result<Bytes, String>,
) -> Verdict {
    let Replayed { record, appended } = replayed;
    let value = |event: &Event| match &event.kind {
        EventKind::Put(kv) => kv.clone(),
        EventKind::Delete => Bytes::new(),
    };
    let events = record.events.iter().map(&value).zip(&appended.events);
    let moved = record.moved.iter().map(|moved| value(&moved.event)).zip(&appended.moved);
    let rows = record.tables.iter().map(|row| row.value.clone().unwrap_or_default()).zip(&appended.tables);
    for (value, at) in events.chain(moved).chain(rows) {
        if read(*at)? != value {
            return Err(format!("{at:?} does not address its value"));
        }
    }
    Ok(())
}

/// A log that was written batch by batch, and what is in it. Closed in an orderly way if asked.
pub(crate) fn written(segment_bytes: u32, batches: u64, seed: u64, closed: bool) -> Site {
    let mut random = Random(seed);
    let mut site = Site::new(SimulatedDisk::new(seed), options(segment_bytes));
    site.open().expect("new");
    for _ in 0..batches {
        site.commit(1, &mut random).expect("no fault");
    }
    if closed {
        let parts = site.parts.as_mut().expect("open");
        parts.appender.append_closed();
        let batch = parts.appender.take_batch().expect("appended");
        parts.syncer.write(batch).expect("no fault");
    }
    site.parts = None;
    site
}

pub(crate) fn segment_path(sequence: u64) -> std::path::PathBuf {
    dir().join(format!("{sequence:016x}.segment"))
}

pub(crate) fn point(segment: u64, offset: u32) -> LogPoint {
    LogPoint { segment, offset }
}
