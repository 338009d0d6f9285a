//! What can go wrong between inviting and revoking.

use super::token::TokenError;
use thiserror::Error;

/// Why a peer could not be invited, accepted or revoked. Texts go to the admin, and to the other site's admin where
/// the other site asked.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum PeerError {
    /// The token cannot be read.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The site has no address to put into an invitation.
    #[error(
        "this site has no address that another site can dial; add --link-address HOST:PORT, \
         or start the site with --link-advertise-address HOST:PORT"
    )]
    NoAddress,
    /// An address is not `host:port`.
    #[error("{0:?} is not an address; write HOST:PORT")]
    BadAddress(String),
    /// The time to live is out of bounds.
    #[error("an invitation lives between 1 second and {max_hours} hours; choose a --ttl in between")]
    BadTtl {
        /// The longest.
        max_hours: u64,
    },
    /// Too many open invitations.
    #[error("{0} invitations are open; wait until some expire")]
    TooManyInvites(usize),
    /// Too many peers.
    #[error("this site has {0} peers, the most it takes; revoke one with `archipel peer revoke NAME`")]
    TooManyPeers(usize),
    /// The invitation is not known, or its secret is wrong; which of the two is nobody's business.
    #[error("the invitation is not known here; ask for a new one (`archipel peer invite`)")]
    UnknownInvite,
    /// Its time is over.
    #[error("the invitation expired; ask for a new one (`archipel peer invite`)")]
    Expired,
    /// Another site used it.
    #[error(
        "the invitation was used by another site already; if that is a surprise, look at `archipel peer list` there \
         and revoke what you do not know, then ask for a new one"
    )]
    Used,
    /// The token is our own.
    #[error("the invitation is from this site itself; run `archipel peer accept` at the other site")]
    OwnToken,
    /// The other side is ourselves.
    #[error("the two sites have the same site id: one is a copy of the other; give one of them a fresh data directory")]
    SameSite,
    /// Both sites have one name.
    #[error("both sites are named {0:?}; start one of them with another --name")]
    SameName(String),
    /// Another peer has the name.
    #[error(
        "another peer is named {0:?} already; revoke it with `archipel peer revoke {0}` or rename one of the sites"
    )]
    NameTaken(String),
    /// The site id is pinned to another CA.
    #[error(
        "a site with the id of {0} joined with another identity; if {0} really lost its own, revoke it first: archipel peer revoke {0}"
    )]
    OtherIdentity(String),
    /// A name that cannot be shown or typed.
    #[error("{0:?} cannot be a site's name; use letters, digits, '-', '_' and '.', 63 at most")]
    BadName(String),
    /// No such peer.
    #[error("there is no peer named {0:?}; `archipel peer list` shows those that there are")]
    NoSuchPeer(String),
    /// The inviter cannot be reached.
    #[error(
        "{name} cannot be reached at {address}: {reason}; check the address and that the site runs, then try the same invitation again"
    )]
    Unreachable {
        /// The inviter.
        name: String,
        /// Where.
        address: String,
        /// Why.
        reason: String,
    },
    /// Another site answers at the inviter's address.
    #[error(
        "what answers at {address} is not the site that invited ({reason}); check the address, and ask for a new invitation"
    )]
    Impostor {
        /// Where.
        address: String,
        /// What was wrong.
        reason: String,
    },
    /// The inviter refused.
    #[error("{name} refused: {reason}")]
    Refused {
        /// The inviter.
        name: String,
        /// In its own words.
        reason: String,
    },
    /// The table of peers could not be written.
    #[error("the change could not be made durable: {0}")]
    NotDurable(String),
    /// A row of the table cannot be read.
    #[error("the peer table holds a row that cannot be read ({0}); restore the site from a backup, or upgrade it")]
    BadRow(String),
    /// The system gave no random bytes.
    #[error("the system's random number generator failed")]
    NoRandomness,
}
