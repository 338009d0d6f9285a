//! The configuration: etcd's flags and environment, parsed and validated before anything is opened.

mod flags;
pub use flags::{Flags, etcd_style};
mod accepted;
pub use accepted::{given_without_effect, with_accepted_flags};
mod urls;
pub use urls::{ListenUrl, UrlError};
mod compaction;
pub use compaction::AutoCompaction;
mod links;
pub use links::LinkListen;
mod settings;
pub(crate) use settings::parse_duration;
pub use settings::{Config, ConfigError, Limits};
mod version;
pub use version::{ETCD_CLUSTER_VERSION, ETCD_STORAGE_VERSION, ETCD_VERSION, version_lines};
