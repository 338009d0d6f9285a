//! The book of peers: what an invitation is good for, and for how long.

use super::*;
use crate::link::replica::{Later, Site};
use archipel_crdt::dot::ActorId;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// Rows in memory.
#[derive(Debug, Default)]
pub(crate) struct MemoryRows(Mutex<BTreeMap<Bytes, Bytes>>);

impl Rows for MemoryRows {
    fn rows(&self) -> Vec<(Bytes, Bytes)> {
        self.0.lock().unwrap().iter().map(|(k, v)| (k.clone(), v.clone())).collect()
    }

    fn put_row(&self, key: Bytes, value: Option<Bytes>) -> Later<'_, Result<(), String>> {
        let mut rows = self.0.lock().unwrap();
        match value {
            Some(value) => rows.insert(key, value),
            None => rows.remove(&key),
        };
        Box::pin(async { Ok(()) })
    }
}

pub(crate) fn site(name: &str, id: u128) -> Site {
    Site { name: name.into(), site_id: Uuid::from_u128(id), actor: ActorId(id * 10) }
}

fn book(rows: &Arc<MemoryRows>) -> PeerBook {
    PeerBook::open(rows.clone(), site("nantes", 1), Fingerprint([1; 32])).unwrap()
}

fn joining(token: &Token, name: &str, id: u128) -> Joining {
    Joining {
        invite_id: token.invite_id,
        secret: token.secret.clone().into(),
        name: name.into(),
        site_id: Uuid::from_u128(id),
        fingerprint: Fingerprint([u8::try_from(id).unwrap(); 32]),
        addresses: vec!["127.0.0.1:9".into()],
    }
}

const ADDRESS: Option<&str> = Some("127.0.0.1:2382");

#[tokio::test]
async fn an_invitation_lets_one_site_in_once_and_survives_a_restart() {
    let rows = Arc::new(MemoryRows::default());
    let token = book(&rows).invite(1000, 60, "", ADDRESS).await.unwrap();
    assert!(!format!("{rows:?}").contains(&format!("{:?}", token.secret)), "only a digest is stored");

    // The process restarts between invite and join, and between join and the next try.
    let peer = book(&rows).join(2000, joining(&token, "rennes", 2)).await.unwrap();
    assert_eq!((peer.name.as_str(), peer.addresses.len()), ("rennes", 1));
    let again = book(&rows);
    assert_eq!(again.join(3000, joining(&token, "rennes", 2)).await, Ok(peer.clone()), "the answer was lost: repeated");
    assert_eq!(again.join(3000, joining(&token, "brest", 3)).await, Err(PeerError::Used));
    assert_eq!(again.peers().len(), 1);
    again.revoke("rennes").await.unwrap();
    assert_eq!(again.join(3000, joining(&token, "rennes", 2)).await, Err(PeerError::Used), "revoked stays out");
    assert!(book(&rows).peers().is_empty());
}

#[tokio::test]
async fn an_invitation_expires_and_is_forgotten_later() {
    let rows = Arc::new(MemoryRows::default());
    let book = book(&rows);
    let token = book.invite(0, 60, "", ADDRESS).await.unwrap();
    assert!(book.expects_strangers(59_999) && !book.expects_strangers(60_000));
    assert_eq!(book.join(60_000, joining(&token, "rennes", 2)).await, Err(PeerError::Expired));
    let day_ms = 24 * 3600 * 1000;
    book.invite(60_000 + day_ms, 60, "", ADDRESS).await.unwrap();
    assert_eq!(book.join(60_000, joining(&token, "rennes", 2)).await, Err(PeerError::UnknownInvite));
}

#[tokio::test]
async fn a_wrong_secret_says_no_more_than_an_unknown_invitation() {
    let rows = Arc::new(MemoryRows::default());
    let book = book(&rows);
    let token = book.invite(0, 60, "", ADDRESS).await.unwrap();
    let wrong = Joining { secret: Bytes::from_static(b"guess"), ..joining(&token, "rennes", 2) };
    let unknown = Joining { invite_id: Uuid::nil(), ..joining(&token, "rennes", 2) };
    assert_eq!(book.join(1, wrong).await, Err(PeerError::UnknownInvite));
    assert_eq!(book.join(1, unknown).await, Err(PeerError::UnknownInvite));
    book.join(1, joining(&token, "rennes", 2)).await.unwrap();
}

#[tokio::test]
async fn who_cannot_be_a_peer_does_not_spend_the_invitation() {
    let rows = Arc::new(MemoryRows::default());
    let book = book(&rows);
    let first = book.invite(0, 60, "", ADDRESS).await.unwrap();
    book.join(1, joining(&first, "rennes", 2)).await.unwrap();
    let token = book.invite(0, 60, "", ADDRESS).await.unwrap();
    let cases = [
        (joining(&token, "x", 1), PeerError::SameSite),
        (joining(&token, "nantes", 3), PeerError::SameName("nantes".into())),
        (joining(&token, "rennes", 3), PeerError::NameTaken("rennes".into())),
        (
            Joining { fingerprint: Fingerprint([9; 32]), ..joining(&token, "rennes", 2) },
            PeerError::OtherIdentity("rennes".into()),
        ),
        (joining(&token, "a b", 3), PeerError::BadName("a b".into())),
        (Joining { addresses: vec!["x".into()], ..joining(&token, "brest", 3) }, PeerError::BadAddress("x".into())),
    ];
    for (who, error) in cases {
        assert_eq!(book.join(2, who).await, Err(error));
    }
    book.join(3, joining(&token, "brest", 3)).await.unwrap();
}

#[tokio::test]
async fn invitations_are_bounded_and_need_an_address() {
    let rows = Arc::new(MemoryRows::default());
    let book = book(&rows);
    assert_eq!(book.invite(0, 60, "", None).await.unwrap_err(), PeerError::NoAddress);
    assert_eq!(book.invite(0, 60, NO_ADDRESS, ADDRESS).await.unwrap_err(), PeerError::NoAddress);
    assert_eq!(book.invite(0, 60, "x", ADDRESS).await.unwrap_err(), PeerError::BadAddress("x".into()));
    for ttl_s in [0, TTL_HOURS_MAX * 3600 + 1] {
        assert!(matches!(book.invite(0, ttl_s, "", ADDRESS).await, Err(PeerError::BadTtl { .. })));
    }
    let token = book.invite(0, 60, "10.0.0.1:5", ADDRESS).await.unwrap();
    assert_eq!(token.address, "10.0.0.1:5");
    let peer = book.join(1, joining(&token, "rennes", 2)).await.unwrap();
    assert_eq!(peer.told(ADDRESS), ["10.0.0.1:5"], "a peer keeps being told what its invitation said");
    for _ in 1..crate::link::limits::INVITES_MAX {
        book.invite(0, 60, "", ADDRESS).await.unwrap();
    }
    assert!(matches!(book.invite(0, 60, "", ADDRESS).await, Err(PeerError::TooManyInvites(_))));
}
