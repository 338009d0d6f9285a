//! Leases (etcd: server/lease/lessor.go).

use crate::common::{Site, delete, drain, dump, put, put_request, run, watch};
use archipel_store::Store;
use archipel_store::error::RequestError;
use archipel_store::mvcc::PutRequest;
use std::time::Duration;

fn put_leased(store: &Store, key: &str, lease: i64) -> i64 {
    run(store.put(PutRequest { lease, ..put_request(key, "v") })).unwrap().0
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn grants_follow_etcds_rules() {
    let store = Site::new(1).open();
    let grant = |id, ttl| run(store.lease_grant(id, ttl));
    assert_eq!(grant(7, 60), Ok((1, 7, 60)));
    assert_eq!(grant(7, 60), Err(RequestError::LeaseExists));
    assert_eq!(grant(8, 0), Ok((1, 8, 2)), "raised to the minimum");
    assert_eq!(grant(9, -5), Ok((1, 9, 2)));
    assert_eq!(grant(10, 9_000_000_001), Err(RequestError::LeaseTtlTooLarge));
    assert_eq!(grant(10, 9_000_000_000), Ok((1, 10, 9_000_000_000)));
    let (_, chosen, _) = grant(0, 5).unwrap();
    assert!(chosen > 0);
    assert_eq!(store.leases().len(), 5);
    assert_eq!(run(store.lease_revoke(99)), Err(RequestError::LeaseNotFound));
    assert_eq!(run(store.lease_revoke(8)), Ok(1), "no keys: no revision");
    assert_eq!(run(store.lease_keep_alive(8)), None);
    assert_eq!(store.lease_time_to_live(8, true), None);
    assert_eq!(store.revision(), 1);
}

#[test]
fn expiry_deletes_all_keys_in_one_revision_and_in_order() {
    let site = Site::new(1);
    let store = site.open();
    run(store.lease_grant(7, 5)).unwrap();
    run(store.lease_grant(8, 60)).unwrap();
    for key in ["c", "a", "b"] {
        put_leased(&store, key, 7);
    }
    put_leased(&store, "kept", 8);
    let mut watcher = watch(&store, 0);
    site.clock.advance(seconds(4));
    assert_eq!(store.expire_leases(), Ok(0));
    assert_eq!(store.lease_time_to_live(7, true).map(|info| (info.remaining_s, info.keys.len())), Some((1, 3)));
    site.clock.advance(seconds(1));
    assert_eq!(run(store.lease_keep_alive(7)), None, "expired, not yet revoked");
    assert_eq!(store.expire_leases(), Ok(1));
    assert_eq!((store.revision(), store.leases()), (6, vec![8]));
    let told = ["delete a=@6/0/0 was a=v@3/3/1", "delete b=@6/0/0 was b=v@4/4/1", "delete c=@6/0/0 was c=v@2/2/1"];
    assert_eq!(drain(&mut watcher), told);
    assert_eq!(dump(&store, 0), ["kept=v@5/5/1"]);
}

#[test]
fn keys_move_between_leases_and_off_them() {
    let site = Site::new(1);
    let store = site.open();
    for id in [7, 8] {
        run(store.lease_grant(id, 5)).unwrap();
    }
    let keys = |id| -> Vec<String> {
        let info = store.lease_time_to_live(id, true).unwrap();
        info.keys.iter().map(|key| String::from_utf8_lossy(key).into_owned()).collect()
    };
    for key in ["moved", "detached", "deleted", "kept"] {
        put_leased(&store, key, 7);
    }
    assert_eq!(keys(7), ["deleted", "detached", "kept", "moved"]);
    put_leased(&store, "moved", 8);
    put(&store, "detached", "v");
    delete(&store, "deleted");
    run(store.put(PutRequest { ignore_lease: true, ..put_request("kept", "w") })).unwrap();
    assert_eq!((keys(7), keys(8)), (vec!["kept".to_owned()], vec!["moved".to_owned()]));
    run(store.lease_revoke(7)).unwrap();
    assert_eq!(dump(&store, 0).len(), 2);
    site.clock.advance(seconds(3));
    assert_eq!(run(store.lease_keep_alive(8)), Some(5));
    site.clock.advance(seconds(3));
    assert_eq!(store.expire_leases(), Ok(0), "it was renewed");
    site.clock.advance(seconds(2));
    assert_eq!(store.expire_leases(), Ok(1));
    assert_eq!(dump(&store, 0).len(), 1);
}

#[test]
fn a_restart_gives_leases_their_full_time_and_their_keys() {
    let site = Site::new(1);
    let store = site.open();
    run(store.lease_grant(7, 10)).unwrap();
    put_leased(&store, "a", 7);
    put_leased(&store, "b", 7);
    put(&store, "b", "detached");
    site.clock.advance(seconds(9));
    run(store.close());
    let store = site.open();
    let info = store.lease_time_to_live(7, true).unwrap();
    assert_eq!((info.remaining_s, info.granted_s, info.keys.len()), (10, 10, 1));
    site.clock.advance(seconds(10));
    assert_eq!(store.expire_leases(), Ok(1));
    assert_eq!(dump(&store, 0), ["b=detached@4/3/2"]);
}
