//! An index in memory: for the simulator, and for a site whose index cannot be opened. Empty at every start.

use super::backend::{Backend, IndexError, IndexState};
use super::row::{IndexWrite, MARKER_KEY, Marker, Row, hash_row};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Rows in their disk form, and the marker among them.
type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// An index in memory. Clones share their rows; what was not synced is lost by [`MemoryIndex::crash`].
#[derive(Clone, Debug, Default)]
pub struct MemoryIndex {
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Debug, Default)]
struct State {
    rows: Rows,
    /// What will take their place.
    begun: Option<Rows>,
    synced: Rows,
    marker: Marker,
}

impl MemoryIndex {
    /// Loses what was not synced.
    pub fn crash(&self) {
        let mut state = self.state();
        (state.rows, state.begun) = (state.synced.clone(), None);
    }

    /// An index with the same rows that shares nothing with this one.
    pub fn image(&self) -> MemoryIndex {
        let copy = self.state().clone();
        MemoryIndex { state: Arc::new(Mutex::new(copy)) }
    }

    /// Changes one bit of some row: for tests of the digest.
    pub fn corrupt(&self, choice: usize) {
        let mut state = self.state();
        let count = state.rows.len().max(1);
        if let Some(byte) = state.rows.values_mut().nth(choice % count).and_then(|value| value.last_mut()) {
            *byte ^= 1;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for MemoryIndex {
    fn load(&self, visit: &mut dyn FnMut(Row<'_>)) -> IndexState {
        let mut state = self.state();
        state.begun = None;
        let marker = state.rows.get(MARKER_KEY).map(|value| Marker::decode(value));
        let rows = state.rows.iter().filter(|(key, _)| *key != MARKER_KEY);
        let loaded = super::backend::check(marker, rows.map(|(key, value)| Ok((key, value))), visit);
        match loaded {
            IndexState::Ready(marker) => state.marker = marker,
            IndexState::Rebuild(_) => *state = State::default(),
        }
        loaded
    }

    fn begin(&self) -> Result<(), IndexError> {
        let mut state = self.state();
        (state.begun, state.marker) = (Some(Rows::new()), Marker::default());
        Ok(())
    }

    fn apply(&self, writes: &[IndexWrite], marker: Marker) -> Result<(), IndexError> {
        let mut state = self.state();
        let State { rows, begun, marker: last, .. } = &mut *state;
        let rows = begun.as_mut().unwrap_or(rows);
        let mut next = Marker { digest: last.digest, rows: last.rows, ..marker };
        for write in writes {
            let (key, value) = write.encode();
            let added = value.as_ref().map(|value| hash_row(&key, value));
            let removed = match value {
                Some(value) => rows.insert(key.clone(), value),
                None => rows.remove(&key),
            };
            next.change(removed.map(|value| hash_row(&key, &value)), added);
        }
        rows.insert(MARKER_KEY.to_vec(), next.encode());
        *last = next;
        Ok(())
    }

    fn sync(&self) -> Result<(), IndexError> {
        let mut state = self.state();
        if let Some(begun) = state.begun.take() {
            state.rows = begun;
        }
        state.synced = state.rows.clone();
        Ok(())
    }

    fn clear(&self) -> Result<(), IndexError> {
        *self.state() = State::default();
        Ok(())
    }

    fn disk_bytes(&self) -> u64 {
        0
    }
}
