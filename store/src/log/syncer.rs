//! Makes batches durable. Comes from `appender`, goes to the disk, then the sequencer publishes. Runs on the
//! log-writer thread.

use super::appender::{Batch, Run};
use super::failure::Fatal;
use super::format::SegmentHeader;
use super::point::LogPoint;
use super::segments::{Preparer, Segment, Segments};
use crate::disk::DirLock;
use crate::planted::{Bug, is_planted};
use std::io;
use std::sync::Arc;

/// The only one that writes segments. Owned by the log-writer thread.
#[derive(Debug)]
pub struct Syncer {
    segments: Arc<Segments>,
    durable: LogPoint,
    _preparer: Option<Preparer>,
    _lock: Box<dyn DirLock>,
}

impl Syncer {
    pub(crate) fn new(
        segments: &Arc<Segments>,
        durable: LogPoint,
        preparer: Option<Preparer>,
        lock: Box<dyn DirLock>,
    ) -> Syncer {
        Syncer { segments: Arc::clone(segments), durable, _preparer: preparer, _lock: lock }
    }

    /// Writes the batch and makes it durable: one write and one fdatasync for each segment that it touches (nearly
    /// always one), and a sync of the directory for each segment that it begins. Everything in the batch may be
    /// acknowledged when this returns Ok, and nothing before.
    ///
    /// # Errors
    /// A write or sync failed, now or earlier. It will not end: restart, and let recovery read what is there.
    pub fn write(&mut self, batch: Batch) -> Result<(), Fatal> {
        self.segments.failure.check()?;
        let end = batch.end();
        for run in batch.runs {
            let at = run.at;
            self.write_run(run).map_err(|error| {
                self.segments.failure.set(format!("writing the commit log at {at} failed: {error}"))
            })?;
        }
        self.durable = end;
        Ok(())
    }

    /// Where the durable log ends.
    pub fn durable(&self) -> LogPoint {
        self.durable
    }

    /// The failure, if there was one.
    pub fn fatal(&self) -> Option<Fatal> {
        self.segments.failure.get()
    }

    /// The run is durable before the next one begins, so that a segment's first frame proves its predecessor whole.
    fn write_run(&self, mut run: Run) -> io::Result<()> {
        let segment = match run.header {
            Some(header) => self.begin(header, &mut run.bytes)?,
            None => self.segments.get(run.at.segment).ok_or(io::ErrorKind::NotFound)?,
        };
        let syncs_too_early = is_planted(Bug::AckBeforeSync);
        if syncs_too_early {
            segment.file.sync_data()?;
        }
        segment.file.write_all_at(&run.bytes, u64::from(run.at.offset))?;
        if self.segments.options.fsync && !syncs_too_early {
            segment.file.sync_data()?;
        }
        if run.header.is_some() {
            self.segments.insert(segment);
            self.segments.want_after(run.at.segment);
        }
        Ok(())
    }

    fn begin(&self, header: SegmentHeader, bytes: &mut [u8]) -> io::Result<Arc<Segment>> {
        let segment = self.segments.begin(header)?;
        for (slot, byte) in bytes.iter_mut().zip(segment.header.encode()) {
            *slot = byte;
        }
        Ok(segment)
    }
}
