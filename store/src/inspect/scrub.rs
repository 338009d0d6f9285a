//! Reads, while the site serves, what is written no more: every frame of every closed segment, at a bounded rate, and
//! begins anew. What a disk forgets without an error is so found before a start, or a reader, needs it.
//!
//! A step pins the log, so that the segment that it reads is not used again meanwhile. Between two steps nothing is held:
//! a segment that was cleaned in between is passed over.

use super::damage::{Damage, DamagedKey};
use super::scan::{Gap, Scan, Step, first_frame};
use crate::clock::Clock;
use crate::limits::{LOST_KEYS_NAMED_MAX, SCRUB_PASS_INTERVAL_MS, SEGMENT_CHUNK_BYTES};
use crate::log::{LogPoint, ReadError, ReadPin, Reader, segment_name};
use crate::mvcc::{KeyedRow, State};
use crate::sync::{Arc, Mutex, lock};
use bytes::Bytes;
use std::time::Duration;

/// What the scrub did since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ScrubStatus {
    /// Bytes of frames that were read and checked.
    pub bytes: u64,
    /// Damaged places that were found; one that is found in every pass counts in every pass.
    pub errors: u64,
    /// Those of them in which something lies that is kept and cannot be read any more. The site's data are corrupt.
    pub lost: u64,
    /// Passes through all segments.
    pub passes: u64,
    /// When the last pass ended, in Unix milliseconds; 0 = none has.
    pub last_pass_unix_ms: u64,
}

/// See the module. One a store; its steps are taken by one thread.
#[derive(Debug)]
pub(crate) struct Scrub {
    reader: Reader,
    clock: Arc<dyn Clock>,
    bytes_per_second: u64,
    pass: Mutex<Pass>,
    status: Mutex<ScrubStatus>,
}

/// A pass under way, or the pause before the next.
#[derive(Debug, Default)]
struct Pass {
    /// Where it goes on, and the generation of the frame before; None = it has not begun.
    next: Option<(LogPoint, u32)>,
    /// The newest segment that was closed when it began: what is closed later is the next pass's.
    last_segment: u64,
    began: Duration,
    /// Bytes that may be read. Below 0 after a frame that was larger.
    budget: i64,
    /// When the budget was looked at last.
    at: Duration,
}

impl Scrub {
    /// `bytes_per_second` 0 = [`Scrub::beat`] does nothing.
    pub(crate) fn new(reader: Reader, clock: Arc<dyn Clock>, bytes_per_second: u64) -> Scrub {
        let pass = Pass { at: clock.monotonic(), ..Pass::default() };
        Scrub { reader, clock, bytes_per_second, pass: Mutex::new(pass), status: Mutex::default() }
    }

    pub(crate) fn status(&self) -> ScrubStatus {
        *lock(&self.status)
    }

    /// Reads what the rate allows since the last beat. `load`: the published state, asked for when something is damaged.
    pub(crate) fn beat(&self, load: &dyn Fn() -> Arc<State>, is_stopped: &dyn Fn() -> bool) {
        let mut pass = lock(&self.pass);
        let now = self.clock.monotonic();
        let earned = now.saturating_sub(pass.at).as_millis().saturating_mul(u128::from(self.bytes_per_second)) / 1_000;
        let most = i64::try_from(self.bytes_per_second.max(2 * SEGMENT_CHUNK_BYTES as u64)).unwrap_or(i64::MAX);
        // Time in which less than a byte was earned is not lost: rates are far above a byte a beat.
        pass.budget = pass.budget.saturating_add(i64::try_from(earned).unwrap_or(most)).min(most);
        pass.at = now;
        // A file is read by chunks: to read less would read the same chunk again at the next beat.
        if pass.budget < SEGMENT_CHUNK_BYTES as i64 {
            return;
        }
        let pause = Duration::from_millis(SCRUB_PASS_INTERVAL_MS);
        let rests = pass.next.is_none() && self.status().passes > 0 && now.saturating_sub(pass.began) < pause;
        while !rests && pass.budget > 0 && !is_stopped() {
            if !self.step(&mut pass, load) {
                return;
            }
        }
    }

    /// One whole pass, at once.
    pub(crate) fn pass(&self, load: &dyn Fn() -> Arc<State>) {
        let mut pass = lock(&self.pass);
        *pass = Pass { budget: i64::MAX, at: self.clock.monotonic(), ..Pass::default() };
        while self.step(&mut pass, load) {}
        pass.budget = 0;
    }

    /// Reads on in one segment until the budget is spent or the segment ends. False when the pass is over.
    fn step(&self, pass: &mut Pass, load: &dyn Fn() -> Arc<State>) -> bool {
        let pin = self.reader.pin();
        if pass.next.is_none() {
            pass.last_segment = pin.closed_last().unwrap_or_default();
            pass.began = self.clock.monotonic();
        }
        let wanted = pass.next.map_or(0, |(next, _)| next.segment);
        let closed = pin.closed_from(wanted).filter(|(segment, _)| segment.header.sequence <= pass.last_segment);
        let Some((segment, ends_at)) = closed else {
            pass.next = None;
            let mut status = lock(&self.status);
            status.passes += 1;
            status.last_pass_unix_ms = self.clock.wall_ms();
            return false;
        };
        let sequence = segment.header.sequence;
        // What was to be read next may have been cleaned, or is a segment of which nothing was read.
        let begin = (first_frame(sequence), segment.header.generation);
        let (next, generation) =
            pass.next.filter(|(next, _)| *next > begin.0 && next.segment == sequence).unwrap_or(begin);
        let mut scan = Scan::resumed(&segment, ends_at, next, generation);
        while pass.budget > 0 {
            let before = scan.place().0.offset;
            match scan.step() {
                Step::Frame(_) | Step::Flipped(_) => {}
                Step::Damaged(gap) => self.tell(&gap, &pin, &load()),
                Step::End { .. } => {
                    pass.next = Some((LogPoint { segment: sequence + 1, offset: 0 }, 0));
                    return true;
                }
            }
            let read = scan.place().0.offset.saturating_sub(before);
            pass.budget -= i64::from(read);
            lock(&self.status).bytes += u64::from(read);
        }
        pass.next = Some(scan.place());
        true
    }

    /// Says what is damaged and who needs it.
    fn tell(&self, gap: &Gap, pin: &ReadPin, state: &State) {
        let LogPoint { segment, offset } = gap.start;
        let damage =
            Damage::new(segment_name(segment).into(), segment, gap.what.clone(), "").at(offset, gap.end - offset);
        let damage = needed(damage, gap, pin, state);
        let mut status = lock(&self.status);
        status.errors += 1;
        status.lost += u64::from(damage.lost_count > 0);
        drop(status);
        let (bytes, what, kept, lost) = (damage.bytes, damage.what, damage.kept, damage.lost_count);
        if lost == 0 {
            tracing::warn!(
                segment,
                offset,
                bytes,
                what,
                kept,
                "the commit log is damaged where nothing that is kept is lost; save a snapshot and restore it to a new disk"
            );
            return;
        }
        let keys: Vec<String> = damage.lost.iter().map(|lost| lost.key.escape_ascii().to_string()).collect();
        let keys = keys.join(" ");
        tracing::error!(
            segment,
            offset,
            bytes,
            what,
            kept,
            lost,
            keys,
            "the commit log is damaged and values are lost; restore this site from a snapshot or from a peer"
        );
    }
}

/// Counts what is kept in a damaged part, and names what cannot be read there. Every kept version is looked at, on the scrub's
/// thread: this is rare.
fn needed(mut damage: Damage, gap: &Gap, pin: &ReadPin, state: &State) -> Damage {
    let mut seen = |at, key: &[u8], table, revision| {
        damage.kept += 1;
        // What was freed was moved before, by reading it.
        if matches!(pin.read(at), Ok(_) | Err(ReadError::Freed { .. })) {
            return;
        }
        damage.lost_count += 1;
        if damage.lost.len() < LOST_KEYS_NAMED_MAX {
            damage.lost.push(DamagedKey { key: Bytes::copy_from_slice(key), table, revision });
        }
    };
    for newest in state.by_key.iter() {
        for version in state.versions(newest) {
            let at = version.position().unwrap_or_default();
            if gap.holds(at) {
                seen(at, version.key(), None, version.revision().main);
            }
        }
    }
    for (table, rows) in state.tables.iter() {
        for KeyedRow { key, row } in rows.iter() {
            let at = row.position().unwrap_or_default();
            if gap.holds(at) {
                seen(at, key, Some(*table), 0);
            }
        }
    }
    damage
}
