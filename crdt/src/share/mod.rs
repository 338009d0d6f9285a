//! What it means to share a namespace: who consented, who holds it, who may write. A pure state machine: the verbs of an
//! admin and the messages of a peer go in, a new state and what is to be done come out.
//!
//! # Protocol
//! A share is proposed by one site's admin and accepted by the other's. The sites tell each other by [`Announcement`],
//! which states where the sender stands. It is idempotent and sent again whenever a session opens, so that a lost
//! message costs a delay and nothing else.
//!
//! ```text
//! proposer  Proposed ──peer accepted──► Active ──detach──► gone (announces Detached)
//! accepter  Invited ───own accept────► Active ──peer detached──► gone
//! ```

mod machine;
mod types;

pub use machine::{accept, attach, on_announcement, on_detach};
pub use types::{Announcement, Authority, Member, Refusal, Share, Stage, Step};
