//! Encoded values: in memory as far as the cache's bound allows, else in the log.
//!
//! # Invariants
//! - A value that is not durable yet is in its version's slot: it is admitted to the ring, and so may be evicted, only
//!   after its batch was synced.
//! - A value that was read from the log is given out only if its checksum is the version's.
//! - A state holds a pin on the log that is at least as old as the state, so the place of each of its versions can be
//!   read, moved or not, compacted meanwhile or not.

use super::version::Version;
use crate::error::RequestError;
use crate::limits::{READ_RUN_BYTES_MAX, READ_RUN_GAP_BYTES_MAX, VALUE_OVERHEAD_BYTES};
use crate::log::{Position, ReadError, ReadPin};
use crate::sync::{Arc, Mutex, lock};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is resident, in the order in which it came. The clock's hand is the front: a value that was read since the
/// hand passed last goes to the back once more, any other leaves.
#[derive(Debug)]
pub(crate) struct ValueCache {
    bytes_max: u64,
    ring: Mutex<Ring>,
    hits: AtomicU64,
    reads: AtomicU64,
    errors: AtomicU64,
}

#[derive(Debug, Default)]
struct Ring {
    versions: VecDeque<Version>,
    bytes: u64,
    evictions: u64,
}

/// Counts of the value cache since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ValueCacheStats {
    /// Bytes of resident values, what each costs beside its own bytes included.
    pub resident_bytes: u64,
    /// The bound.
    pub bytes_max: u64,
    /// Values that were found resident.
    pub hits: u64,
    /// Values that were read from the commit log, because they were not resident.
    pub reads: u64,
    /// Values that left for others.
    pub evictions: u64,
    /// Values that could not be read, or whose checksum was wrong.
    pub errors: u64,
}

/// The way from a state's versions to their values. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    cache: Arc<ValueCache>,
    pin: ReadPin,
}

impl ValueCache {
    pub(crate) fn new(bytes_max: u64) -> Arc<ValueCache> {
        let ring = Mutex::default();
        let count = || AtomicU64::new(0);
        Arc::new(ValueCache { bytes_max, ring, hits: count(), reads: count(), errors: count() })
    }

    pub(crate) fn stats(&self) -> ValueCacheStats {
        let ring = lock(&self.ring);
        ValueCacheStats {
            resident_bytes: ring.bytes,
            bytes_max: self.bytes_max,
            hits: self.hits.load(Ordering::Relaxed),
            reads: self.reads.load(Ordering::Relaxed),
            evictions: ring.evictions,
            errors: self.errors.load(Ordering::Relaxed),
        }
    }

    /// Takes durable versions whose slot is filled.
    pub(crate) fn admit_resident(&self, versions: Vec<Version>) {
        let mut ring = lock(&self.ring);
        versions.into_iter().for_each(|version| ring.push(version));
        ring.evict(self.bytes_max);
    }

    fn admit_read(&self, found: Vec<(Version, Bytes)>) {
        let mut ring = lock(&self.ring);
        for (version, kv) in found {
            // Another reader may have been first. Slots are filled under the ring's lock, so none is in it twice.
            if !version.is_resident() {
                version.set_resident(Some(kv));
                ring.push(version);
            }
        }
        ring.evict(self.bytes_max);
    }
}

impl Ring {
    fn push(&mut self, version: Version) {
        self.bytes += cost(&version);
        self.versions.push_back(version);
    }

    fn evict(&mut self, bytes_max: u64) {
        // After one round nothing is marked, unless readers mark faster than the hand moves.
        let mut spared = 0;
        while self.bytes > bytes_max {
            let Some(version) = self.versions.pop_front() else { return };
            if spared < EVICTION_SPARED_MAX && version.take_used() {
                spared += 1;
                self.versions.push_back(version);
                continue;
            }
            self.bytes -= cost(&version);
            self.evictions += 1;
            version.set_resident(None);
        }
    }
}

/// One list fills at most this part of the cache.
const LIST_SHARE_OF_CACHE: u64 = 4;

/// Values that one eviction gives a second chance at most: it runs on somebody's time.
const EVICTION_SPARED_MAX: usize = 64;

fn cost(version: &Version) -> u64 {
    u64::from(version.length()) + VALUE_OVERHEAD_BYTES
}

impl Values {
    pub(crate) fn new(cache: Arc<ValueCache>, pin: ReadPin) -> Values {
        Values { cache, pin }
    }

    pub(crate) fn cache(&self) -> &Arc<ValueCache> {
        &self.cache
    }

    /// Lets go of segments that were freed: for the newest state, which names none of them.
    pub(crate) fn renew_pin(&mut self) {
        self.pin = self.pin.renewed();
    }

    /// The encoded `KeyValue` of a version that is no tombstone.
    ///
    /// # Errors
    /// [`RequestError::Unreadable`].
    pub(crate) fn get(&self, version: &Version) -> Result<Bytes, RequestError> {
        let Some(kv) = version.resident() else { return self.read(version) };
        self.cache.hits.fetch_add(1, Ordering::Relaxed);
        Ok(kv)
    }

    /// Those of several versions, in their order. What is not resident is read in the log's order, neighbours together.
    ///
    /// # Errors
    /// [`RequestError::Unreadable`].
    pub(crate) fn get_all<'a>(&self, versions: impl Iterator<Item = &'a Version>) -> Result<Vec<Bytes>, RequestError> {
        let mut missing: Vec<(Position, usize, &Version)> = Vec::new();
        let mut values = Vec::with_capacity(versions.size_hint().0);
        for (at, version) in versions.enumerate() {
            let resident = version.resident();
            if resident.is_none() {
                missing.push((version.position().unwrap_or_default(), at, version));
            }
            values.push(resident.unwrap_or_default());
        }
        // One count a list: the line is shared by all threads.
        self.cache.hits.fetch_add((values.len() - missing.len()) as u64, Ordering::Relaxed);
        missing.sort_unstable_by_key(|(position, at, _)| (*position, *at));
        let mut found = Vec::new();
        let mut admitted = 0;
        let mut rest = missing.as_slice();
        while !rest.is_empty() {
            let run;
            (run, rest) = rest.split_at(run_length(rest.iter().map(|(position, ..)| position)));
            let positions: Vec<Position> = run.iter().map(|(position, ..)| *position).collect();
            for ((_, at, version), read) in run.iter().zip(self.pin.read_run(&positions)) {
                let value = self.settle(version, read)?;
                if let Some(slot) = values.get_mut(*at) {
                    slot.clone_from(&value);
                }
                // One large list does not empty the cache of what others read.
                admitted += cost(version);
                if admitted <= self.cache.bytes_max / LIST_SHARE_OF_CACHE {
                    found.push(((*version).clone(), value));
                }
            }
        }
        if !found.is_empty() {
            self.cache.admit_read(found);
        }
        Ok(values)
    }

    fn read(&self, version: &Version) -> Result<Bytes, RequestError> {
        let read = self.pin.read(version.position().unwrap_or_default());
        let kv = self.settle(version, read)?;
        self.cache.admit_read(vec![(version.clone(), kv.clone())]);
        Ok(kv)
    }

    /// What a read came to. Cleaning may have moved the version between the look at its place and the read; it is at
    /// its new place by then, and as the pin holds whatever is freed from now on, the second look is the last.
    fn settle(&self, version: &Version, read: Result<Bytes, ReadError>) -> Result<Bytes, RequestError> {
        let read = match read {
            Err(ReadError::Freed { .. }) => self.pin.read(version.position().unwrap_or_default()),
            read => read,
        };
        self.cache.reads.fetch_add(1, Ordering::Relaxed);
        read.map_err(|error| {
            self.cache.errors.fetch_add(1, Ordering::Relaxed);
            let revision = version.revision().main;
            tracing::error!(revision, %error, "a stored value cannot be read");
            RequestError::Unreadable { revision, reason: error.to_string() }
        })
    }
}

/// How many of the sorted positions one read shall cover: neighbours whose gaps are cheaper than a call. At least one.
fn run_length<'a>(positions: impl Iterator<Item = &'a Position>) -> usize {
    let mut positions = positions.peekable();
    let Some(first) = positions.peek().copied().copied() else { return 0 };
    let mut end = first.offset;
    let continues = |position: &&Position| {
        let near = position.segment == first.segment
            && position.offset.saturating_sub(end) <= READ_RUN_GAP_BYTES_MAX
            && position.offset + position.length - first.offset <= READ_RUN_BYTES_MAX;
        end = position.offset + position.length;
        near
    };
    positions.take_while(continues).count().max(1)
}

#[cfg(test)]
mod tests;
