//! etcd's multi-version semantics over a tree: pure evaluation of requests.

mod key_value;
mod request;

mod state;
mod version;

mod compaction;
mod compare;
mod range;

pub use key_value::{KeyValue, KeyValueError, tombstone, without_value};
pub use request::*;

pub(crate) use compaction::{Compaction, Dropped};
pub(crate) use compare::{Path, branch, check, is_read_only};
pub(crate) use range::{range, versions_at};
pub(crate) use state::{Attachment, HistoryEvent, OlderKey, State};
pub(crate) use version::Version;
