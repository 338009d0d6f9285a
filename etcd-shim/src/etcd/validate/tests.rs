use super::*;
use crate::etcd::wire::Compare;

fn op(request: Request) -> RequestOp {
    RequestOp { request: Some(request) }
}

fn put_op(key: &'static str) -> RequestOp {
    op(Request::RequestPut(PutRequest { key: Bytes::from_static(key.as_bytes()), ..PutRequest::default() }))
}

fn delete_op(key: &'static str, end: &'static str) -> RequestOp {
    op(Request::RequestDeleteRange(DeleteRangeRequest {
        key: Bytes::from_static(key.as_bytes()),
        range_end: Bytes::from_static(end.as_bytes()),
        prev_kv: false,
    }))
}

fn nested(success: Vec<RequestOp>, failure: Vec<RequestOp>) -> RequestOp {
    op(Request::RequestTxn(TxnRequest { compare: vec![], success, failure }))
}

fn check(success: Vec<RequestOp>) -> Result<(), EtcdError> {
    txn(&TxnRequest { compare: vec![], success, failure: vec![] }, 128)
}

#[test]
fn a_key_is_put_once_a_branch() {
    assert_eq!(check(vec![put_op("a"), put_op("a")]), Err(EtcdError::DuplicateKey));
    assert_eq!(check(vec![put_op("a"), put_op("b")]), Ok(()));
    let both = TxnRequest { compare: vec![], success: vec![put_op("a")], failure: vec![put_op("a")] };
    assert_eq!(txn(&both, 128), Ok(()));
}

#[test]
fn a_put_inside_a_deleted_interval_is_refused_deletes_may_overlap() {
    assert_eq!(check(vec![delete_op("a", "c"), put_op("b")]), Err(EtcdError::DuplicateKey));
    // etcd takes the end "from this key on" for an ordinary key here.
    assert_eq!(check(vec![put_op("b"), delete_op("a", "\0")]), Ok(()));
    assert_eq!(check(vec![delete_op("a", ""), put_op("b")]), Ok(()));
    assert_eq!(check(vec![delete_op("a", "c"), put_op("c")]), Ok(()));
    assert_eq!(check(vec![delete_op("a", "c"), delete_op("b", "d")]), Ok(()));
}

#[test]
fn nested_branches_count_too() {
    assert_eq!(check(vec![nested(vec![put_op("a")], vec![put_op("a")])]), Ok(()));
    assert_eq!(check(vec![nested(vec![put_op("a")], vec![]), put_op("a")]), Err(EtcdError::DuplicateKey));
    assert_eq!(check(vec![nested(vec![], vec![put_op("a")]), put_op("a")]), Err(EtcdError::DuplicateKey));
    assert_eq!(check(vec![nested(vec![delete_op("a", "c")], vec![]), put_op("b")]), Err(EtcdError::DuplicateKey));
    let twice = vec![nested(vec![put_op("a")], vec![]), nested(vec![], vec![put_op("a")])];
    assert_eq!(check(twice), Err(EtcdError::DuplicateKey));
}

#[test]
fn operations_are_counted_and_nesting_gets_the_rest() {
    let puts = |count: usize| -> Vec<RequestOp> {
        (0..count)
            .map(|n| op(Request::RequestPut(PutRequest { key: Bytes::from(format!("k{n}")), ..PutRequest::default() })))
            .collect()
    };
    assert_eq!(check(puts(128)), Ok(()));
    assert_eq!(check(puts(129)), Err(EtcdError::TooManyOps));
    assert_eq!(check(vec![nested(puts(127), vec![])]), Ok(()));
    assert_eq!(check(vec![nested(puts(128), vec![])]), Err(EtcdError::TooManyOps));
    let compares =
        TxnRequest { compare: vec![Compare { key: "k".into(), ..Compare::default() }; 129], ..TxnRequest::default() };
    assert_eq!(txn(&compares, 128), Err(EtcdError::TooManyOps));
}

#[test]
fn empty_keys_and_operations_are_refused() {
    assert_eq!(check(vec![put_op("")]), Err(EtcdError::EmptyKey));
    assert_eq!(check(vec![delete_op("", "")]), Err(EtcdError::EmptyKey));
    assert_eq!(check(vec![RequestOp { request: None }]), Err(EtcdError::KeyNotFound));
    let compare = TxnRequest { compare: vec![Compare::default()], ..TxnRequest::default() };
    assert_eq!(txn(&compare, 128), Err(EtcdError::EmptyKey));
}

#[test]
fn sort_options_and_kept_fields() {
    let sorted = |sort_order, sort_target| {
        range(&RangeRequest { key: "k".into(), sort_order, sort_target, ..RangeRequest::default() })
    };
    assert_eq!(sorted(2, 4), Ok(()));
    assert_eq!(sorted(3, 0), Err(EtcdError::InvalidSortOption));
    assert_eq!(sorted(0, 5), Err(EtcdError::InvalidSortOption));
    let request = PutRequest { key: "k".into(), value: "v".into(), ignore_value: true, ..PutRequest::default() };
    assert_eq!(put(&request), Err(EtcdError::ValueProvided));
    let request = PutRequest { key: "k".into(), lease: 1, ignore_lease: true, ..PutRequest::default() };
    assert_eq!(put(&request), Err(EtcdError::LeaseProvided));
}
