//! The replicas of shares in this store.
//!
//! A local write of a shared key becomes an entry ([`emit`]) inside the record of the write itself. An entry of a peer is
//! applied to the object's CRDT ([`absorb`]) and what is then visible is laid over the local value ([`materialise`]) as an
//! ordinary local revision. Links see a share through [`crate::Store`]'s methods in [`verbs`] and [`exchange`].
//!
//! # Invariants
//! - An entry leaves the site only when the record that made it is durable: a dot is never used twice.
//! - `have` of a share covers exactly the entries whose effects are in its objects.
//! - Lock order: the sequencer's lock, then the replicas' lock. Nothing blocks while holding either.

mod absorb;
mod audit;
mod emit;
mod exchange;
mod import;
mod materialise;
mod operation;
mod replicas;
mod row;
mod site;
mod status;
mod verbs;

pub use absorb::AbsorbError;
pub use site::SiteIdentity;
pub use status::{ConflictRecord, ConflictSide, PeerProgress, ShareStatus};
pub use verbs::{Collision, PeerRef, ShareError};

pub(crate) use emit::Emitter;
pub(crate) use replicas::{Replicas, SharedReplicas};
pub(crate) use row::{decode_clock, is_clock, split};
