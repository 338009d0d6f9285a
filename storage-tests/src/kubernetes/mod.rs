//! The control-plane rig: two real sites, and what must hold on them.
//!
//! The rig itself is `archipel::demo`; here is what only tests need.

// This is test code that several tests share: what is missing or refused is a failed test, and should end it on the spot.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod histories;
mod join;
mod rig;
mod silence;
mod singletons;
mod teardown;

pub use histories::rollout_histories_of_different_length;
pub use join::two_namespaces_become_one;
pub use rig::{Rig, binaries};
pub use silence::{SILENCE, assert_silent};
pub use singletons::cluster_singletons_stay_home;
pub use teardown::{Kept, a_deleted_namespace_detaches};
