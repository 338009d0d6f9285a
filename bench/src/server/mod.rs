//! The servers that are compared: finding or building them, starting one on an empty folder, and what it used.

mod etcd;
mod folder;
mod found;

mod cage;
mod running;

pub(crate) use cage::Cage;
pub(crate) use folder::{Folder, file_system, sweep};
pub(crate) use found::{FindError, Found, archipel, etcd, kine, null};
pub(crate) use running::{Running, StartError, cold_starts};
