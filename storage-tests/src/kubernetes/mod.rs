//! The control-plane rig: two real sites, and what must hold on them.
//!
//! The rig itself is `archipel::demo`; here is what only tests need.

mod rig;
mod silence;
mod join;
mod histories;
mod singletons;
mod teardown;

pub use histories::rollout_histories_of_different_length;
pub use join::two_namespaces_become_one;
pub use rig::{Rig, binaries};
pub use silence::{SILENCE, assert_silent};
pub use singletons::cluster_singletons_stay_home;
pub use teardown::{Kept, a_deleted_namespace_detaches};
