//! What an admin asks of shares, and what the store has to offer for it.

mod seam;
mod verbs;

pub use seam::{Candidate, ConflictView, Facts, Refused, ShareView, Shares};
pub use verbs::{Merge, ShareVerbError, accept, attach, detach};
