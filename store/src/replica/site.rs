//! Who this site is.

use crate::log::Table;
use crate::sequencer::Commit;
use archipel_crdt::dot::ActorId;
use archipel_crdt::share::Member;
use bytes::Bytes;
use uuid::Uuid;

const ROW_ID: &[u8] = b"id";
const ROW_ACTOR: &[u8] = b"actor";

/// A site's identity. It is local: no catalogue lists it; peers learn it when they are admitted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SiteIdentity {
    /// For people; `--name`.
    pub name: String,
    /// Made at the first start, for ever.
    pub site_id: Uuid,
    /// This incarnation of the store: what its writes are signed with.
    pub actor: ActorId,
}

impl SiteIdentity {
    /// The identity in the site table; made there at the first start.
    pub(crate) fn load_or_create(commit: &mut Commit<'_>, name: &str) -> SiteIdentity {
        let site_id = load_or_create(commit, ROW_ID);
        let actor = load_or_create(commit, ROW_ACTOR);
        SiteIdentity { name: name.to_owned(), site_id, actor: ActorId(actor.as_u128()) }
    }

    /// This site as a member of a share.
    pub(crate) fn member(&self) -> Member {
        Member { site_id: self.site_id.as_u128(), name: self.name.clone(), actor: Some(self.actor.0) }
    }
}

fn load_or_create(commit: &mut Commit<'_>, row: &'static [u8]) -> Uuid {
    let stored = commit.table_get(Table::Site, row);
    if let Some(id) = stored.and_then(|bytes| Uuid::from_slice(&bytes).ok()) {
        return id;
    }
    let id = Uuid::new_v4();
    commit.table_put(Table::Site, Bytes::from_static(row), Bytes::copy_from_slice(id.as_bytes()));
    id
}
