//! Watching: a cursor over the published history. An idle watcher costs its struct and nothing else.

mod watcher;

pub use watcher::{WatchEvent, WatchEventKind, WatchRequest, WatchStep, Watcher};
