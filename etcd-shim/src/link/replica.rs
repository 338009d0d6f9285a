//! What a link needs from the store: the narrow seam between sessions and the replicas of shares.

use super::engine::{Fault, Outgoing};
use archipel_crdt::dot::ActorId;
use archipel_crdt::version_vector::VersionVector;
use bytes::Bytes;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use tokio::sync::watch;
use uuid::Uuid;

/// A boxed future, so that the seam can be a trait object.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Who this site is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// Its id, fixed at the first start.
    pub site_id: Uuid,
    /// The incarnation of its store.
    pub actor: ActorId,
}

/// The replicas of this site's shares. Cheap to call; the futures resolve when the change is durable.
pub trait Replica: Send + Sync + Debug + 'static {
    /// Who this site is.
    fn site(&self) -> Site;

    /// Fires when entries or states of shares changed; their entries may become durable a little later.
    fn changes(&self) -> watch::Receiver<i64>;

    /// Fires when more became durable.
    fn durable(&self) -> watch::Receiver<i64>;

    /// Control messages that `peer` should have; idempotent.
    fn greetings(&self, peer: Uuid) -> Vec<Bytes>;

    /// A control message from `peer`, which is called `name` here. Returns what to answer.
    ///
    /// # Errors
    /// The message is malformed: the session ends with this text.
    fn control<'a>(&'a self, peer: Uuid, name: &'a str, message: &'a [u8]) -> Later<'a, Result<Vec<Bytes>, String>>;

    /// Shares that are active with `peer`, and what this site holds of them. The peer's part of it counts when a session
    /// meets the share for the first time, and must be durable then.
    fn active_shares(&self, peer: Uuid) -> Vec<(Uuid, VersionVector)>;

    /// Entries of `share` that `have` does not contain, in causal order and gap-free an actor, about `bytes_max` bytes,
    /// at least one if there is one. Empty if the share is not active.
    fn entries_after(&self, share: Uuid, have: &VersionVector, bytes_max: usize) -> Vec<Outgoing>;

    /// Applies entries that `peer` sent. Durable when it resolves.
    ///
    /// # Errors
    /// Nothing of the batch was applied.
    fn absorb(&self, share: Uuid, peer: Uuid, entries: Vec<Bytes>) -> Later<'_, Result<VersionVector, Fault>>;

    /// `peer` holds this much durably.
    fn acknowledged(&self, share: Uuid, peer: Uuid, have: VersionVector) -> Later<'_, Result<(), String>>;
}
