//! The share itself, and the words of its protocol.

use crate::dot::ActorId;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// One site that holds a share.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Member {
    /// The site's identity (a UUID's 128 bits), as in its certificate.
    #[serde(with = "hex")]
    pub site_id: u128,
    /// Its name, for people.
    pub name: String,
    /// The incarnation that writes; None until that site has consented.
    #[serde(with = "hex::option")]
    pub actor: Option<u128>,
}

impl Member {
    /// The member's writer, once it has consented.
    pub fn actor(&self) -> Option<ActorId> {
        self.actor.map(ActorId)
    }
}

/// Who may write the replicated paths of a share.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Authority {
    /// Every member.
    All,
    /// One member; the others hold a read-only copy.
    Home(#[serde(with = "hex")] u128),
}

/// Where this site stands with a share.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Stage {
    /// Our admin consented, the peer's has not yet. Nothing moves.
    Proposed,
    /// The peer's admin consented, ours has not yet. Nothing moves.
    Invited,
    /// Both consented: local writes are emitted, remote ones applied, also while the link is down.
    Active,
}

/// A share as one of its two members holds it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Share {
    /// Made by the proposer.
    #[serde(with = "hex")]
    pub id: u128,
    /// The namespace, by the same name at both sites.
    pub namespace: String,
    /// Where this site stands.
    pub stage: Stage,
    /// This site.
    pub own: Member,
    /// The other one.
    pub peer: Member,
    /// Who may write.
    pub authority: Authority,
    /// Grows with every change of authority.
    pub epoch: u32,
}

/// Where the sender stands with a share; the only control message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Announcement {
    /// The share.
    #[serde(with = "hex")]
    pub id: u128,
    /// Its namespace.
    pub namespace: String,
    /// The sender's stage; None when it does not hold the share (detached, or it never did).
    pub stage: Option<Stage>,
    /// The sender.
    pub sender: Member,
}

/// What a step leads to. `share` is the new state; None forgets the share (the objects stay as ordinary local ones).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// The state to store.
    pub share: Option<Share>,
    /// The share became active with this step: existing objects of the namespace are to be emitted as creations.
    pub activated: bool,
    /// What the peer must hear.
    pub announce: Option<Announcement>,
}

/// Why a verb was refused. The message says what to do.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Namespaces that every cluster maintains for itself.
    #[error("namespace {0} belongs to each cluster itself and is never shared; choose another namespace")]
    SystemNamespace(String),
    /// The namespace is in a share already.
    #[error(
        "namespace {namespace} is already shared with {peer}; detach it first: archipel share detach -n {namespace} --keep"
    )]
    AlreadyShared {
        /// The namespace.
        namespace: String,
        /// With whom.
        peer: String,
    },
    /// There is no invitation to accept.
    #[error(
        "{peer} has not offered namespace {namespace}; its admin runs: archipel share attach -n {namespace} --with {own}"
    )]
    NotInvited {
        /// The namespace.
        namespace: String,
        /// Who should have offered it.
        peer: String,
        /// Our name.
        own: String,
    },
    /// The namespace is not shared.
    #[error("namespace {0} is not shared; archipel share list shows what is")]
    NotShared(String),
}

/// 128-bit identities as 32 hexadecimal digits: JSON numbers do not hold them.
mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(id: &u128, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&format!("{id:032x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<u128, D::Error> {
        u128::from_str_radix(&String::deserialize(d)?, 16).map_err(D::Error::custom)
    }

    pub(super) mod option {
        use super::*;

        pub(in super::super) fn serialize<S: Serializer>(id: &Option<u128>, s: S) -> Result<S::Ok, S::Error> {
            match id {
                Some(id) => super::serialize(id, s),
                None => s.serialize_none(),
            }
        }

        pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<u128>, D::Error> {
            let text = Option::<String>::deserialize(d)?;
            text.map(|t| u128::from_str_radix(&t, 16).map_err(D::Error::custom)).transpose()
        }
    }
}

impl Announcement {
    /// The message as it travels.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("invariant: plain fields always serialise")
    }

    /// Reads a message.
    ///
    /// # Errors
    /// The bytes are not an announcement: says where.
    pub fn from_bytes(bytes: &[u8]) -> Result<Announcement, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

impl Share {
    /// The share as it is stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("invariant: plain fields always serialise")
    }

    /// Reads a stored share.
    ///
    /// # Errors
    /// The bytes are not a share: says where.
    pub fn from_bytes(bytes: &[u8]) -> Result<Share, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}
