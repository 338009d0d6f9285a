//! The disk fills up. What could go wrong: the log finds out when it has to stop, an acknowledged write is lost with the
//! frame that did not fit, or nothing can be deleted any more, so that the disk stays full. Promised: what grows the store
//! is refused while there is room for what makes room, and is taken again when that has helped. A disk that somebody else
//! fills at once stops the store, and a restart finds everything that was acknowledged.

use crate::common::{Site, delete, dump, put_request, run};
use archipel_store::Store;
use archipel_store::error::RequestError;
use archipel_store::limits::DISK_RESERVE_BYTES_MIN;
use archipel_store::mvcc::{Op, TxnRequest};

const VALUE: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Puts keys until the store refuses; the keys that were acknowledged come back.
fn fill(store: &Store, maintains: bool) -> (Vec<String>, RequestError) {
    let value = VALUE.repeat(16);
    let mut kept = Vec::new();
    loop {
        let key = format!("k{:06}", kept.len());
        match run(store.put(put_request(&key, &value))) {
            Ok(_) => kept.push(key),
            Err(refused) => return (kept, refused),
        }
        if maintains && kept.len() % 16 == 0 {
            store.maintain().unwrap();
        }
        assert!(kept.len() < 10_000, "never refused");
    }
}

fn keys(store: &Store) -> Vec<String> {
    dump(store, 0).iter().map(|shown| shown.split('=').next().unwrap().to_owned()).collect()
}

#[test]
fn a_disk_that_fills_up_refuses_growth_and_takes_it_again() {
    let site = Site::new(7);
    site.disk.set_capacity(DISK_RESERVE_BYTES_MIN + (2 << 20));
    let store = site.open();
    let (kept, refused) = fill(&store, true);
    assert!(matches!(refused, RequestError::NoSpace(_)), "{refused}");
    assert!(kept.len() > 1_000, "{} puts fit", kept.len());
    assert!(store.space_error().is_some_and(|reason| reason.contains("compact")), "{:?}", store.space_error());
    let put = Op::Put(put_request("t", "t"));
    let nested = Op::Txn(TxnRequest { failure: vec![put], ..TxnRequest::default() });
    let nested = run(store.txn(TxnRequest { success: vec![nested], ..TxnRequest::default() }));
    assert!(matches!(nested, Err(RequestError::NoSpace(_))), "{nested:?}");
    assert!(matches!(run(store.lease_grant(0, 60)), Err(RequestError::NoSpace(_))));
    assert_eq!(keys(&store), kept);

    for key in &kept[..kept.len() / 2] {
        delete(&store, key);
    }
    run(store.compact(store.revision(), true)).unwrap();
    store.maintain().unwrap();
    store.maintain().unwrap();
    assert_eq!(store.space_error(), None);
    run(store.put(put_request("k999999", "again"))).unwrap();
    drop(store);
    site.disk.crash();
    let expected: Vec<String> = kept[kept.len() / 2..].iter().cloned().chain(["k999999".to_owned()]).collect();
    assert_eq!(keys(&site.open()), expected);
}

#[test]
fn a_disk_that_is_full_at_once_stops_the_store_and_loses_nothing() {
    for seed in 0..40 {
        let site = Site::new(seed);
        let store = site.open();
        run(store.put(put_request("a", "1"))).unwrap();
        site.disk.set_capacity(site.disk.used() + (seed << 12));
        let (kept, refused) = fill(&store, false);
        assert!(matches!(refused, RequestError::Stopped(_)), "seed {seed}: {refused}");
        assert!(run(store.put(put_request("b", "2"))).is_err(), "seed {seed}");
        drop(store);
        site.disk.crash();
        site.disk.set_capacity(u64::MAX);
        let found = keys(&site.open());
        let expected: Vec<String> = ["a".to_owned()].into_iter().chain(kept).collect();
        assert!(found.starts_with(&expected) && found.len() <= expected.len() + 1, "seed {seed}");
    }
}
