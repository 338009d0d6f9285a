//! The commit log, the disk and the index from outside.

mod rig;

mod crash;
mod damage;
mod faults;
mod index;
mod real_disk;
