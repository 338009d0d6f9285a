//! Watches of clients.

use super::operation::{Kv, Read};

/// One event.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct Change {
    pub delete: bool,
    pub kv: Kv,
    pub previous: Option<Kv>,
}

/// One response. The parts of a fragmented one are joined.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Response {
    Created {
        revision: i64,
    },
    Events {
        revision: i64,
        changes: Vec<Change>,
    },
    /// A notification without events: everything up to the revision has been sent.
    Progress {
        revision: i64,
    },
    Compacted {
        compact_revision: i64,
    },
}

/// One watch, from its creation to its end or to the end of its connection.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Watch {
    /// What is watched; `revision` is the start, 0 = from the next one, `limit` is unused.
    pub interval: Read,
    /// Former versions were asked for.
    pub prev_kv: bool,
    /// Puts are filtered out.
    pub no_put: bool,
    /// Deletes are filtered out.
    pub no_delete: bool,
    /// When the `created` response was asked for.
    pub called_ns: u64,
    /// What came, in order.
    pub responses: Vec<Response>,
}

impl Watch {
    /// Does the watch want this change?
    #[must_use]
    pub fn wants(&self, change: &Change) -> bool {
        let filtered = if change.delete { self.no_delete } else { self.no_put };
        !filtered && self.interval.covers(&change.kv.key)
    }

    /// The first revision that it must show; none if it was never created.
    #[must_use]
    pub fn start(&self) -> Option<i64> {
        let created = self.responses.iter().find_map(|response| match response {
            Response::Created { revision } => Some(*revision),
            _ => None,
        })?;
        Some(if self.interval.revision == 0 { created + 1 } else { self.interval.revision })
    }

    /// Up to where everything has been shown, by what it says itself: the last event or notification.
    #[must_use]
    pub fn end(&self) -> i64 {
        let ends = self.responses.iter().map(|response| match response {
            Response::Events { changes, .. } => changes.last().map_or(0, |change| change.kv.mod_revision),
            Response::Progress { revision } => *revision,
            Response::Created { .. } | Response::Compacted { .. } => 0,
        });
        ends.max().unwrap_or(0)
    }

    /// Every event, in the order of arrival.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.responses.iter().flat_map(|response| match response {
            Response::Events { changes, .. } => changes.as_slice(),
            _ => &[],
        })
    }
}
