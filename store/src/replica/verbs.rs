//! What an admin can ask for: attach, accept, detach.

use super::replicas::{Replica, Replicas};
use super::status::ShareStatus;
use crate::error::RequestError;
use crate::sequencer::{Commit, Ticket};
use crate::store::Store;
use archipel_crdt::key::ObjectKey;
use archipel_crdt::share::{self, Announcement, Member, Refusal, Share, Step};
use thiserror::Error;
use uuid::Uuid;

/// A peer, as the peers table knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerRef {
    /// Its identity.
    pub site_id: Uuid,
    /// Its name.
    pub name: String,
}

/// What to do when the namespace of an accepted share has objects here already.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Collision {
    /// Refuse and say which they are.
    #[default]
    Refuse,
    /// Both sites' objects are creations; of two with one name the earlier one stands (rule M17).
    Earliest,
}

/// Why a verb was refused.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum ShareError {
    /// The share's own rules.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The namespace does not exist at the site that offers it.
    #[error("namespace {0} does not exist here; create it first: kubectl create namespace {0}")]
    NoNamespace(String),
    /// The namespace has content here.
    #[error(
        "namespace {namespace} already has {count} objects here that would be shared ({some}); delete them, or merge \
         them with the peer's, earliest first: archipel share accept -n {namespace} --from {from} --merge=earliest"
    )]
    Collides {
        /// The namespace.
        namespace: String,
        /// Who offered it.
        from: String,
        /// How many objects.
        count: usize,
        /// The first of them.
        some: String,
    },
    /// A peer's message does not decode.
    #[error("a message of the peer does not decode: {0}; it may run a newer version")]
    Malformed(String),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] RequestError),
}

impl Store {
    /// This side's consent to share `namespace` with `peer`. Nothing moves before the peer's admin accepts.
    ///
    /// # Errors
    /// See [`ShareError`].
    pub async fn share_attach(&self, namespace: &str, peer: PeerRef) -> Result<ShareStatus, ShareError> {
        let id = Uuid::new_v4().as_u128();
        let peer = Member { site_id: peer.site_id.as_u128(), name: peer.name, actor: None };
        self.step(namespace, |commit, replicas| {
            if !replicas.namespace_exists(commit, namespace) {
                return Err(ShareError::NoNamespace(namespace.to_owned()));
            }
            let current = replicas.of_namespace(namespace).map(|replica| &replica.share);
            Ok(share::attach(current, id, namespace, replicas.site.member(), peer)?)
        })
        .await
    }

    /// This side's consent to what the peer called `from` offered. From its return on, local writes are emitted.
    ///
    /// # Errors
    /// See [`ShareError`].
    pub async fn share_accept(
        &self,
        namespace: &str,
        from: &str,
        collision: Collision,
    ) -> Result<ShareStatus, ShareError> {
        self.step(namespace, |commit, replicas| {
            let current = replicas.of_namespace(namespace).map(|replica| &replica.share);
            let step = share::accept(current, namespace, from, replicas.site.member())?;
            if step.activated && collision == Collision::Refuse {
                refuse_collisions(&replicas.replicable(commit, namespace)?, namespace, from)?;
            }
            Ok(step)
        })
        .await
    }

    /// Takes this site out of a share; every object stays, as an ordinary local one.
    ///
    /// # Errors
    /// The namespace is not shared, or the store stopped.
    pub async fn share_detach(&self, namespace: &str) -> Result<(), ShareError> {
        let (_, ticket) = self.commit_shares(|commit, replicas| {
            let share = replicas.of_namespace(namespace).map(|replica| replica.share.id);
            let share = share.ok_or_else(|| Refusal::NotShared(namespace.to_owned()))?;
            replicas.leave(commit, share);
            Ok::<_, ShareError>(())
        })?;
        Ok(ticket.await?)
    }

    /// Runs a verb in one record, waits until it is durable, and emits what is there if the share became active.
    async fn step(
        &self,
        namespace: &str,
        verb: impl FnOnce(&Commit<'_>, &Replicas) -> Result<Step, ShareError>,
    ) -> Result<ShareStatus, ShareError> {
        let (activated, ticket) = self.commit_shares(|commit, replicas| {
            let step = verb(commit, replicas)?;
            let activated = step.share.as_ref().filter(|_| step.activated).map(|share| share.id);
            replicas.take(commit, namespace, step);
            Ok::<_, ShareError>(activated)
        })?;
        ticket.await?;
        if let Some(share) = activated {
            self.import(share).await?;
        }
        let status = self.shares().into_iter().find(|status| status.namespace == namespace);
        status.ok_or_else(|| Refusal::NotShared(namespace.to_owned()).into())
    }

    /// A commit that changes shares: the replicas are locked inside the sequencer's lock.
    pub(super) fn commit_shares<R, E: From<RequestError>>(
        &self,
        change: impl FnOnce(&mut Commit<'_>, &mut Replicas) -> Result<R, E>,
    ) -> Result<(R, Ticket), E> {
        let mut applied = false;
        let result = self.commit(|commit| {
            let mut replicas = self.replicas().lock();
            replicas.refresh(commit);
            let result = change(commit, &mut replicas);
            applied = result.is_ok();
            result
        });
        if applied && result.is_err() {
            self.replicas().lock().is_stale = true;
        }
        result
    }

    /// Emits what is in the namespace of a share and not in its CRDT, a bounded part a record.
    pub(super) async fn import(&self, share: u128) -> Result<(), ShareError> {
        loop {
            let (more, ticket) =
                self.commit_shares(|commit, replicas| replicas.import(commit, share).map_err(ShareError::from))?;
            ticket.await?;
            if !more {
                return Ok(());
            }
        }
    }
}

impl Replicas {
    /// Stores what a step of the protocol led to. Returns what the peer must hear.
    pub(super) fn take(&mut self, commit: &mut Commit<'_>, namespace: &str, step: Step) -> Option<Announcement> {
        let former = self.namespaces.get(namespace).copied();
        let id = step.share.as_ref().map(|share| share.id);
        if let Some(gone) = former.filter(|former| Some(*former) != id) {
            self.forget(commit, gone);
        }
        // What did not change is not written: announcements are repeated, and must not wake anybody then.
        let known = |share: &Share| self.shares.get(&share.id).is_some_and(|replica| replica.share == *share);
        if let Some(share) = step.share.filter(|share| !known(share)) {
            let replica = match self.shares.remove(&share.id) {
                Some(replica) => Replica { share, ..replica },
                None => Replica::new(share),
            };
            replica.store_share(commit);
            self.insert(replica);
        }
        step.announce
    }

    /// This site leaves a share: nothing is emitted or applied from here on, and the peer is told when a session is open.
    pub(super) fn leave(&mut self, commit: &mut Commit<'_>, share: u128) {
        let Some(replica) = self.shares.get(&share) else { return };
        let (namespace, peer) = (replica.share.namespace.clone(), replica.share.peer.site_id);
        let step = share::on_detach(&replica.share);
        if let Some(message) = self.take(commit, &namespace, step) {
            self.farewells.insert((peer, share), message);
        }
    }

    fn forget(&mut self, commit: &mut Commit<'_>, share: u128) {
        if let Some(replica) = self.shares.remove(&share) {
            self.namespaces.remove(&replica.share.namespace);
            replica.delete_rows(commit);
        }
    }

    fn namespace_exists(&self, commit: &Commit<'_>, namespace: &str) -> bool {
        let key = ObjectKey { group: String::new(), resource: "namespaces".into(), name: String::new() };
        self.keyspace.key(namespace, &key).is_some_and(|key| commit.exists(key.as_bytes()))
    }
}

fn refuse_collisions(objects: &[ObjectKey], namespace: &str, from: &str) -> Result<(), ShareError> {
    const NAMED_MAX: usize = 5;
    if objects.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = objects.iter().take(NAMED_MAX).map(ToString::to_string).collect();
    let (namespace, from, count) = (namespace.to_owned(), from.to_owned(), objects.len());
    Err(ShareError::Collides { namespace, from, count, some: names.join(", ") })
}
