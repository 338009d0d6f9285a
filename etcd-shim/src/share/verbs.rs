//! The verbs of sharing: attach, accept, detach. They check what the store cannot know (who is a peer), then ask the store.

use super::seam::{Refused, ShareView, Shares};
use crate::link::Links;
use crate::peer::PeerError;
use std::time::Duration;
use thiserror::Error;
use tokio::time::{Instant, timeout_at};

/// How long `accept` waits for an offer that may be on its way.
const OFFER_WAIT: Duration = Duration::from_secs(5);

/// Bytes of a namespace's name at most (RFC 1123 label, as Kubernetes checks it).
const NAMESPACE_BYTES_MAX: usize = 63;

/// What to do when the namespace has objects at the accepting site.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Merge {
    /// Refuse, and say which they are.
    #[default]
    Refuse,
    /// Of two objects with one name the earlier one stands.
    Earliest,
}

/// Why a verb failed.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum ShareVerbError {
    /// The other site is no peer.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// Not a namespace's name.
    #[error("{0:?} is not the name of a namespace; give it with -n NAMESPACE")]
    Namespace(String),
    /// Not a way to merge.
    #[error("--merge={0} is not known; use refuse or earliest")]
    Merge(String),
    /// The namespace is not shared.
    #[error("namespace {0} is not shared; `archipel share list` shows what is")]
    NotShared(String),
    /// The offer did not arrive and the link is down.
    #[error("{text}; the link with {peer} is {state}: `archipel peer list` says why")]
    NotInvitedLinkDown {
        /// What the store says.
        text: String,
        /// The peer.
        peer: String,
        /// State of the link.
        state: &'static str,
    },
    /// The store refused.
    #[error("{0}")]
    Refused(String),
}

impl Merge {
    /// From its flag.
    ///
    /// # Errors
    /// It is not known.
    pub fn parse(text: &str) -> Result<Self, ShareVerbError> {
        match text {
            "" | "refuse" => Ok(Self::Refuse),
            "earliest" => Ok(Self::Earliest),
            other => Err(ShareVerbError::Merge(other.to_owned())),
        }
    }
}

/// Offers `namespace` to the peer `with`.
///
/// # Errors
/// See [`ShareVerbError`].
pub async fn attach(
    links: &Links,
    shares: &dyn Shares,
    namespace: &str,
    with: &str,
) -> Result<ShareView, ShareVerbError> {
    check_namespace(namespace)?;
    let peer = links.book().named(with)?;
    shares.attach(namespace, peer.site_id, &peer.name).await.map_err(refused)?;
    share_of(shares, namespace)
}

/// Accepts what the peer `from` offered; waits a little for an offer that is on its way.
///
/// # Errors
/// See [`ShareVerbError`].
pub async fn accept(
    links: &Links,
    shares: &dyn Shares,
    namespace: &str,
    from: &str,
    merge: Merge,
) -> Result<ShareView, ShareVerbError> {
    check_namespace(namespace)?;
    let peer = links.book().named(from)?;
    let deadline = Instant::now() + OFFER_WAIT;
    let mut changes = links.replica().changes();
    loop {
        changes.borrow_and_update();
        match shares.accept(namespace, from, merge == Merge::Earliest).await {
            Ok(()) => return share_of(shares, namespace),
            Err(Refused::NotInvited(text)) => {
                if timeout_at(deadline, changes.changed()).await.is_ok_and(|changed| changed.is_ok()) {
                    continue;
                }
                let state = links.status(peer.site_id).state;
                return Err(if links.is_up(peer.site_id) {
                    ShareVerbError::Refused(text)
                } else {
                    ShareVerbError::NotInvitedLinkDown { text, peer: peer.name, state: state.as_str() }
                });
            }
            Err(Refused::Other(text)) => return Err(ShareVerbError::Refused(text)),
        }
    }
}

/// Takes this site out of the share of `namespace`; its objects stay. Returns the share as it was.
///
/// # Errors
/// See [`ShareVerbError`].
pub async fn detach(shares: &dyn Shares, namespace: &str) -> Result<ShareView, ShareVerbError> {
    check_namespace(namespace)?;
    let before = share_of(shares, namespace)?;
    shares.detach(namespace).await.map_err(refused)?;
    Ok(ShareView { state: "detached", ..before })
}

fn share_of(shares: &dyn Shares, namespace: &str) -> Result<ShareView, ShareVerbError> {
    let found = shares.shares().into_iter().find(|share| share.namespace == namespace);
    found.ok_or_else(|| ShareVerbError::NotShared(namespace.to_owned()))
}

fn refused(refused: Refused) -> ShareVerbError {
    match refused {
        Refused::NotInvited(text) | Refused::Other(text) => ShareVerbError::Refused(text),
    }
}

fn check_namespace(namespace: &str) -> Result<(), ShareVerbError> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = (1..=NAMESPACE_BYTES_MAX).contains(&namespace.len())
        && namespace.chars().all(fits)
        && !namespace.starts_with('-')
        && !namespace.ends_with('-');
    if good { Ok(()) } else { Err(ShareVerbError::Namespace(namespace.to_owned())) }
}
