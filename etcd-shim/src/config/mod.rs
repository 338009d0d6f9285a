//! The configuration: etcd's flags, environment and file, parsed and validated before anything is opened.

mod flag;
mod help;
mod table;
pub use help::flags_help;

mod command_line;
pub use command_line::CommandLineError;
mod file;
pub use file::FileError;
mod sources;
pub use sources::{Request, SourceError, read};
mod values;
pub use values::{Note, Values};

mod duration;
pub(crate) use duration::parse_duration;
mod urls;
pub use urls::{Address, ListenUrl, UrlError};
mod links;
pub use links::LinkListen;
mod tls;
pub use tls::{CertificateSource, TlsSettings, TlsVersions};
mod compaction;
pub use compaction::AutoCompaction;
mod feature_gates;
pub use feature_gates::GateError;
mod log;
pub use log::{LogOutput, LogSettings};
mod settings;
pub use settings::{Config, Http, Limits, Listen, Transport};
mod error;
pub use error::ConfigError;

mod version;
pub use version::{ETCD_CLUSTER_SERIES, ETCD_CLUSTER_VERSION, ETCD_STORAGE_VERSION, ETCD_VERSION, version_lines};
