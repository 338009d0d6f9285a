//! etcd's multi-version semantics over a tree: pure evaluation of requests.

mod key_value;
mod request;

mod row;
mod values;
mod version;

mod state;

mod range;

mod compare;

mod compaction;

pub use key_value::{KeyValue, KeyValueError, tombstone};
pub use request::*;
pub use values::ValueCacheStats;

pub(crate) use compaction::Compaction;
pub(crate) use compare::{Path, branch, check, is_read_only, puts};
pub(crate) use key_value::value_in;
pub(crate) use range::range;
pub(crate) use row::Row;
pub(crate) use state::{Attachment, HistoryEvent, KeyedRow, State};
pub(crate) use values::{ValueCache, Values};
pub(crate) use version::{Jump, Numbers, Version};
