//! The state of one shared key: its lives.

use super::node::Node;
use super::sorted::Sorted;
use crate::codec::{DecodeError, Reader, Writer};
use crate::dot::{Dot, Stamp};
use crate::value::Tree;

/// What belongs to a life and never changes in it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LifeInfo {
    /// The creator's uid: the first materialisation elsewhere takes it; after that uids are each site's own.
    pub uid: String,
    /// `metadata.creationTimestamp` at the creator.
    pub creation_timestamp: String,
    /// As the creator's apiserver stored it.
    pub api_version: String,
    /// As the creator's apiserver stored it.
    pub kind: String,
}

/// One existence of an object, from its create to its delete.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Life {
    /// The create. Its dot names the life.
    pub born: Stamp,
    /// What the create fixed.
    pub info: LifeInfo,
    pub(super) root: Node,
}

impl Life {
    /// The replicated content.
    pub fn tree(&self) -> Tree {
        self.root.visible().unwrap_or_else(Tree::map)
    }

    /// The content as state.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// What decides between two lives: the smaller one stands. First the cluster's own time of creation, since objects that
    /// were there before a namespace was shared become entries only when it is; in the same second, the entries' order.
    pub fn precedence(&self) -> (&str, Stamp) {
        // RFC 3339 in UTC with whole seconds, which sorts as text.
        (&self.info.creation_timestamp, self.born)
    }

    /// The newest write in this life, the create included.
    pub fn newest(&self) -> Stamp {
        self.root.newest().map_or(self.born, |newest| newest.max(self.born))
    }
}

/// The state of one key of a share: every life that was not deleted. Usually none or one; two after concurrent creates.
///
/// There are no tombstones: which writes were seen is told by the share's one version vector, which callers pass to
/// [`Object::apply`] as the entry's dependencies and to [`join`](super::join) as the history of either side.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Object {
    pub(super) lives: Sorted<Dot, Life>,
}

impl Object {
    /// The state of a key that nobody wrote.
    pub fn new() -> Self {
        Self::default()
    }

    /// True if the key does not exist: nothing needs to be stored for it.
    pub fn is_empty(&self) -> bool {
        self.lives.is_empty()
    }

    /// Every life, by dot.
    pub fn lives(&self) -> impl Iterator<Item = (Dot, &Life)> {
        self.lives.iter().map(|(dot, life)| (*dot, life))
    }

    /// The life that is shown: the earliest created, as AlreadyExists would have enforced on one cluster (rule M17).
    pub fn winner(&self) -> Option<(Dot, &Life)> {
        self.lives().min_by_key(|(_, life)| life.precedence())
    }

    /// The lives that lost create ‖ create. They stay until a write that saw both lives collapses them.
    pub fn losers(&self) -> impl Iterator<Item = (Dot, &Life)> {
        let winner = self.winner().map(|(dot, _)| dot);
        self.lives().filter(move |(dot, _)| Some(*dot) != winner)
    }

    /// What the key shows: the winning life and its replicated content.
    pub fn visible(&self) -> Option<(Dot, &LifeInfo, Tree)> {
        self.winner().map(|(dot, life)| (dot, &life.info, life.tree()))
    }
}

impl LifeInfo {
    pub(crate) fn write(&self, w: &mut Writer) {
        for text in [&self.uid, &self.creation_timestamp, &self.api_version, &self.kind] {
            w.text(text);
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(LifeInfo { uid: r.string()?, creation_timestamp: r.string()?, api_version: r.string()?, kind: r.string()? })
    }
}
