//! The servers that are compared: finding or building them, starting one on an empty folder, and what it used.

mod etcd;
mod folder;
mod found;
mod running;

pub(crate) use folder::{Folder, file_system, sweep};
pub(crate) use found::{Found, archipel, etcd};
pub(crate) use running::{Running, StartError};
