//! etcd's multi-version semantics over a tree: pure evaluation of requests.

mod key_value;
mod request;

mod row;
mod version;

mod state;

mod range;

mod compare;

mod compaction;

pub use key_value::{KeyValue, KeyValueError, tombstone, without_value};
pub use request::*;

pub(crate) use compaction::Compaction;
pub(crate) use compare::{Path, branch, check, is_read_only};
pub(crate) use range::range;
pub(crate) use row::Row;
pub(crate) use state::{Attachment, HistoryEvent, OlderKey, State};
pub(crate) use version::Version;
