//! What the sequencer's lock protects: the newest state, durable or not, and where its changes go. Predecessor:
//! `commit`; successor: `log::Appender`, then `writer`.

use super::commit::{Built, Commit};
use super::dirty::Dirty;
use super::emit::Emit;
use crate::error::RequestError;
use crate::lease::Deadlines;
use crate::limits::COMPACTION_SLICE_EVENTS;
use crate::log::{AppendError, Appended, Appender, Batch, LiveBytes, LogPoint};
use crate::mvcc::{Compaction, State, Version};

/// See the module.
#[derive(Debug)]
pub(crate) struct Evaluator {
    pub(crate) newest: State,
    pub(crate) deadlines: Deadlines,
    pub(crate) live: LiveBytes,
    pub(super) appender: Appender,
    emit: Option<EmitSeam>,
    pub(super) dirty: Dirty,
    compaction: Option<Compaction>,
    /// Versions of the batch that is being filled: their values may leave memory once it is durable.
    fresh: Vec<Version>,
    /// Bytes of the batch that is being filled that cleaning copied.
    pub(super) copied_bytes: usize,
}

struct EmitSeam(Box<dyn Emit>);

impl std::fmt::Debug for EmitSeam {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Emit")
    }
}

/// What the log writer takes: the state at the end of a batch.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) batch: Option<Batch>,
    pub(crate) state: State,
    /// Bytes of the batch that are clients' own.
    pub(crate) client_bytes: usize,
    /// How much such bytes are slowed from now on, if that was looked at: when a segment begins.
    pub(crate) slowness: Option<u64>,
    fresh: Vec<Version>,
}

impl Sealed {
    /// To be called when the batch is durable and published: its values may leave memory then.
    pub(crate) fn admission(&mut self) -> impl FnOnce() + use<> {
        let (fresh, cache) = (std::mem::take(&mut self.fresh), self.state.values.cache().clone());
        move || cache.admit_resident(fresh)
    }
}

/// What a checkpoint has to bring into the index.
#[derive(Debug)]
pub(crate) struct CheckpointWork {
    pub(crate) dirty: Dirty,
    pub(crate) state: State,
    /// The log's end at `state`.
    pub(crate) point: LogPoint,
}

impl Evaluator {
    pub(crate) fn new(newest: State, deadlines: Deadlines, appender: Appender, live: LiveBytes, dirty: Dirty) -> Self {
        Evaluator {
            newest,
            deadlines,
            live,
            appender,
            emit: None,
            dirty,
            compaction: None,
            fresh: Vec::new(),
            copied_bytes: 0,
        }
    }

    pub(crate) fn set_emit(&mut self, emit: Box<dyn Emit>) {
        self.emit = Some(EmitSeam(emit));
    }

    /// Runs a change and appends its record. False: it changed nothing.
    pub(crate) fn evaluate<R, E: From<RequestError>>(
        &mut self,
        emits: bool,
        change: impl FnOnce(&mut Commit<'_>) -> Result<R, E>,
    ) -> Result<(R, bool), E> {
        let mut commit = Commit::begin(&mut self.newest);
        let emitted = match change(&mut commit) {
            Ok(result) => match self.emit.as_mut().filter(|_| emits) {
                Some(EmitSeam(emit)) => emit_changes(emit.as_mut(), &mut commit).map(|()| result).map_err(E::from),
                None => Ok(result),
            },
            Err(refused) => Err(refused),
        };
        match emitted {
            Ok(result) => {
                let built = commit.finish();
                let changed = !built.is_empty();
                if changed && let Err(refused) = self.append(built) {
                    if let Some(EmitSeam(emit)) = self.emit.as_mut().filter(|_| emits) {
                        emit.refused();
                    }
                    return Err(refused.into());
                }
                Ok((result, changed))
            }
            Err(refused) => {
                commit.abandon();
                Err(refused)
            }
        }
    }

    /// Bytes of the batch that is being filled.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.appender.pending_bytes()
    }

    /// Where the next record will lie.
    pub(crate) fn log_end(&self) -> LogPoint {
        self.appender.end()
    }

    /// Why the disk refuses to grow the log, if it does.
    pub(crate) fn space_error(&self) -> Option<String> {
        self.appender.space_error()
    }

    pub(crate) fn seal(&mut self) -> Sealed {
        let fresh = std::mem::take(&mut self.fresh);
        let client_bytes = self.appender.pending_bytes() - std::mem::take(&mut self.copied_bytes);
        let batch = self.appender.take_batch();
        let slowness = batch.as_ref().filter(|batch| batch.begins_segment()).map(|_| self.slowness());
        Sealed { batch, state: self.newest.clone(), client_bytes, slowness, fresh }
    }

    /// The mark of an orderly stop, as a batch of its own.
    pub(crate) fn seal_closed(&mut self) -> Option<Batch> {
        self.appender.append_closed();
        self.appender.take_batch()
    }

    pub(crate) fn is_compacting(&self) -> bool {
        self.compaction.is_some()
    }

    /// Takes the next slice of the physical compaction. True when nothing is left.
    pub(crate) fn compact_slice(&mut self) -> bool {
        let Some(compaction) = &mut self.compaction else { return true };
        let mut dropped = Vec::new();
        let done = compaction.slice(&mut self.newest, COMPACTION_SLICE_EVENTS, &mut dropped);
        for version in dropped {
            if let Some(position) = version.position() {
                self.live.removed(position, version.key().len());
            }
            self.dirty.versions.push(version);
        }
        if done {
            self.compaction = None;
        }
        done
    }

    pub(crate) fn dirty_len(&self) -> usize {
        self.dirty.len()
    }

    pub(crate) fn begin_checkpoint(&mut self) -> CheckpointWork {
        let dirty = std::mem::take(&mut self.dirty);
        CheckpointWork { dirty, state: self.newest.clone(), point: self.appender.end() }
    }

    fn append(&mut self, mut built: Built) -> Result<(), RequestError> {
        let versions = std::mem::take(&mut built.versions);
        match self.appender.append(&built.record) {
            Ok(appended) => self.appended(&built, versions, &appended),
            Err(refused) => {
                built.abandon(&mut self.newest);
                return Err(append_refused(refused));
            }
        }
        if let Some(compact_revision) = built.record.compact {
            self.compaction = Some(Compaction::towards(compact_revision));
        }
        Ok(())
    }

    /// Tells everything where it lies now.
    fn appended(&mut self, built: &Built, versions: Vec<Version>, appended: &Appended) {
        for (version, at) in versions.into_iter().zip(&appended.events) {
            version.set_position(*at);
            self.live.added(*at, version.key().len());
            if !version.is_tombstone() {
                self.fresh.push(version.clone());
            }
            self.dirty.versions.push(version);
        }
        let tables = &built.record.tables;
        for ((write, row), at) in tables.iter().zip(&built.rows).zip(&appended.tables) {
            if let Some(row) = row {
                row.set_position(*at);
                self.live.added(*at, write.key.len());
            }
            self.dirty.rows.insert((write.table, write.key.clone()));
        }
        for (key, row) in &built.replaced {
            if let Some(position) = row.position() {
                self.live.removed(position, key.len());
            }
        }
    }
}

/// Shows a request's changes to the emit seam.
fn emit_changes(emit: &mut dyn Emit, commit: &mut Commit<'_>) -> Result<(), RequestError> {
    if commit.has_changes() { emit.emit(commit) } else { Ok(()) }
}

pub(super) fn append_refused(refused: AppendError) -> RequestError {
    match refused {
        AppendError::Stopped(fatal) => RequestError::Stopped(fatal.to_string()),
        too_large => RequestError::TooLarge(too_large.to_string()),
    }
}
