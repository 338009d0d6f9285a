//! The index in sled.
//!
//! sled 0.34's `flush` does not fsync, so [`Backend::sync`] flushes and then syncs every file of its directory itself.
//! sled may panic on damaged files: whatever it does on what it finds on the disk, it does on a thread of its own, and
//! a panic means that the directory is removed and the index rebuilt.

use super::backend::{Backend, IndexError, IndexState, check};
use super::home::{Home, sync_all};
use super::row::{IndexWrite, MARKER_KEY, Marker, Row, hash_row};
use crate::limits::INDEX_CACHE_BYTES;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// An index in a directory of its own.
#[derive(Debug)]
pub struct SledIndex {
    home: Home,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Where it lies, or will lie once it is synced.
    number: u64,
    /// None after it failed: nothing is written any more until it was cleared.
    db: Option<sled::Db>,
    /// It was begun anew and does not count yet. What counts is closed, and lies where it was.
    is_begun: bool,
    marker: Marker,
    /// Why it was emptied when it was opened.
    rebuild: Option<String>,
}

impl SledIndex {
    /// Opens the index in a directory, making it if there is none. If it cannot be opened it is removed and made anew:
    /// [`Backend::load`] then says so.
    ///
    /// # Errors
    /// A new one cannot be made either: the disk is full, or the directory may not be written.
    pub fn open(dir: &Path) -> Result<SledIndex, IndexError> {
        let home = Home::new(dir);
        let mut state = State { number: 0, db: None, is_begun: false, marker: Marker::default(), rebuild: None };
        match home.current().map(|number| (number, open_db(&home.path(number)))) {
            Some((number, Ok(db))) => {
                // What an interrupted writing left.
                home.keep_only(Some(number)).map_err(failed)?;
                (state.number, state.db) = (number, Some(db));
            }
            Some((number, Err(reason))) => {
                state.number = number;
                state.rebuild = Some(format!("it does not open: {reason}"));
                clear(&home, &mut state)?;
            }
            None => clear(&home, &mut state)?,
        }
        Ok(SledIndex { home, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes an empty index, which counts at once.
fn clear(home: &Home, state: &mut State) -> Result<(), IndexError> {
    state.db = None;
    (state.marker, state.is_begun) = (Marker::default(), false);
    home.keep_only(None).map_err(failed)?;
    state.number += 1;
    state.db = Some(open_db(&home.make(state.number).map_err(failed)?).map_err(IndexError)?);
    home.switch_to(state.number).map_err(failed)
}

fn failed(error: io::Error) -> IndexError {
    IndexError(error.to_string())
}

impl State {
    /// Runs something on sled. After an error or a panic nothing more is asked of it.
    fn run<T>(&mut self, what: impl FnOnce(&sled::Db) -> Result<T, String>) -> Result<T, IndexError> {
        let Some(db) = &self.db else { return Err(IndexError("it failed earlier".into())) };
        let result = catch_unwind(AssertUnwindSafe(|| what(db))).unwrap_or_else(|_| Err("it panicked".into()));
        result.map_err(|reason| {
            self.db = None;
            IndexError(reason)
        })
    }
}

impl Backend for SledIndex {
    fn load(&self, visit: &mut dyn FnMut(Row<'_>)) -> IndexState {
        let mut state = self.state();
        let loaded = match state.rebuild.take() {
            Some(reason) => IndexState::Rebuild(reason),
            None => {
                let loaded = state.run(|db| load(db, visit));
                loaded.unwrap_or_else(|IndexError(reason)| IndexState::Rebuild(reason))
            }
        };
        match &loaded {
            IndexState::Ready(marker) => state.marker = *marker,
            IndexState::Rebuild(_) if state.run(|db| Ok(db.is_empty())) == Ok(true) => {}
            IndexState::Rebuild(_) => {
                if let Err(error) = clear(&self.home, &mut state) {
                    tracing::warn!(%error, "the index cannot be made anew");
                }
            }
        }
        loaded
    }

    fn begin(&self) -> Result<(), IndexError> {
        let mut state = self.state();
        if state.db.take().is_none() {
            return Err(IndexError("it failed earlier".into()));
        }
        let number = state.number + 1;
        state.db = Some(open_db(&self.home.make(number).map_err(failed)?).map_err(IndexError)?);
        (state.number, state.is_begun, state.marker) = (number, true, Marker::default());
        Ok(())
    }

    fn apply(&self, writes: &[IndexWrite], marker: Marker) -> Result<(), IndexError> {
        let mut state = self.state();
        let mut next = Marker { digest: state.marker.digest, rows: state.marker.rows, ..marker };
        state.run(|db| apply(db, writes, &mut next))?;
        state.marker = next;
        Ok(())
    }

    fn sync(&self) -> Result<(), IndexError> {
        let mut state = self.state();
        state.run(|db| db.flush().map(|_| ()).map_err(|error| error.to_string()))?;
        let number = state.number;
        let synced = match std::mem::take(&mut state.is_begun) {
            true => self.home.switch_to(number),
            false => sync_all(&self.home.path(number)),
        };
        synced.map_err(|error| {
            state.db = None;
            IndexError(format!("syncing {} failed: {error}", self.home.path(number).display()))
        })
    }

    fn clear(&self) -> Result<(), IndexError> {
        let mut state = self.state();
        state.rebuild = None;
        clear(&self.home, &mut state)
    }

    fn disk_bytes(&self) -> u64 {
        let state = self.state();
        state.db.as_ref().and_then(|db| db.size_on_disk().ok()).unwrap_or_default()
    }
}

fn load(db: &sled::Db, visit: &mut dyn FnMut(Row<'_>)) -> Result<IndexState, String> {
    let marker = db.get(MARKER_KEY).map_err(|error| error.to_string())?;
    let marker = marker.map(|value| Marker::decode(&value));
    // The marker's key sorts before every row.
    let rows = db.range([1_u8]..).map(|row| row.map_err(|error| error.to_string()));
    Ok(check(marker, rows, visit))
}

fn apply(db: &sled::Db, writes: &[IndexWrite], next: &mut Marker) -> Result<(), String> {
    let mut batch = sled::Batch::default();
    // A row that is written twice in one batch is counted once: its hash so far is the batch's, not the index's.
    let mut seen = std::collections::BTreeMap::new();
    for write in writes {
        let (key, value) = write.encode();
        let before = match seen.get(&key) {
            Some(before) => *before,
            None => db.get(&key).map_err(|error| error.to_string())?.map(|value| hash_row(&key, &value)),
        };
        let after = value.as_ref().map(|value| hash_row(&key, value));
        next.change(before, after);
        match value {
            Some(value) => batch.insert(key.as_slice(), value),
            None => batch.remove(key.as_slice()),
        }
        seen.insert(key, after);
    }
    batch.insert(MARKER_KEY, next.encode());
    db.apply_batch(batch).map_err(|error| error.to_string())
}

/// Opens sled on a thread of its own, so that a panic of it ends there.
fn open_db(dir: &Path) -> Result<sled::Db, String> {
    let config = sled::Config::new()
        .path(dir)
        .cache_capacity(INDEX_CACHE_BYTES)
        .mode(sled::Mode::LowSpace)
        .flush_every_ms(None)
        .print_profile_on_drop(false);
    let thread = std::thread::Builder::new().name("index-open".into()).spawn(move || config.open());
    let opened = thread.map_err(|error| error.to_string())?.join();
    match opened {
        Ok(Ok(db)) => Ok(db),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("it panicked".into()),
    }
}
