//! The commit log, the disk and the index from outside.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod rig;

mod cleaning;
mod crash;
mod damage;
mod faults;
mod index;
mod real_disk;
