//! Watching: a cursor over the published history. An idle watcher costs its struct and nothing else.

use crate::sync;

mod publication;

mod watcher;

pub(crate) use publication::Publication;

pub use watcher::{WatchEvent, WatchEventKind, WatchRequest, WatchStep, Watcher};
