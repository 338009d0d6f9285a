//! The etcd requests of the workloads, as protobuf, and what is read from their replies.
//!
//! Each function that writes is named after what kube-apiserver or a client calls it; the shapes of create and update
//! are those of kube-apiserver (k8s.io/apiserver, pkg/storage/etcd3/store.go: Create and GuaranteedUpdate, by
//! etcd's client/v3/kubernetes): compare the modification revision, put, and on an update's conflict read the key.

use super::WrongReply;
use crate::wire::Method;
use crate::wire::protobuf::{
    bytes, bytes_field_length, number, number_field_length, put_bytes, put_length, put_number,
};

pub(super) const PUT: Method = Method::unary("/etcdserverpb.KV/Put");
pub(crate) const RANGE: Method = Method::unary("/etcdserverpb.KV/Range");
pub(super) const TXN: Method = Method::unary("/etcdserverpb.KV/Txn");
pub(super) const RANGE_STREAM: Method = Method::server_stream("/etcdserverpb.KV/RangeStream");
pub(super) const WATCH: Method = Method::two_way("/etcdserverpb.Watch/Watch");
pub(crate) const COMPACT: Method = Method::unary("/etcdserverpb.KV/Compact");
pub(crate) const DEFRAGMENT: Method = Method::unary("/etcdserverpb.Maintenance/Defragment");
pub(crate) const SNAPSHOT: Method = Method::server_stream("/etcdserverpb.Maintenance/Snapshot");

/// Compare.CompareTarget MOD; the result EQUAL is 0 and not sent.
const TARGET_MOD: u64 = 2;

/// PutRequest: key=1, value=2.
pub(super) fn put(output: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    put_bytes(output, 1, key);
    put_bytes(output, 2, value);
}

/// RangeRequest of one key as kube-apiserver gets an object: key=1, limit=3.
pub(crate) fn get(output: &mut Vec<u8>, key: &[u8]) {
    put_bytes(output, 1, key);
    put_number(output, 3, 1);
}

/// RangeRequest: key=1, range_end=2, limit=3, revision=4, count_only=9.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range<'a> {
    pub(super) key: &'a [u8],
    pub(super) end: &'a [u8],
    pub(super) limit: u64,
    pub(super) revision: u64,
    pub(super) count_only: bool,
}

impl<'a> Range<'a> {
    /// Of one key, or from it.
    pub(super) fn of(key: &'a [u8]) -> Range<'a> {
        Range { key, end: &[], limit: 0, revision: 0, count_only: false }
    }

    pub(super) fn write(&self, output: &mut Vec<u8>) {
        put_bytes(output, 1, self.key);
        if !self.end.is_empty() {
            put_bytes(output, 2, self.end);
        }
        put_number(output, 3, self.limit);
        put_number(output, 4, self.revision);
        put_number(output, 9, u64::from(self.count_only));
    }
}

/// The beginning of a resource's keys, and the end of their range.
pub(super) fn prefix(resource: &str) -> (Vec<u8>, Vec<u8>) {
    // '0' is the byte after '/'.
    (format!("/registry/{resource}/").into_bytes(), format!("/registry/{resource}0").into_bytes())
}

/// WatchRequest: create_request=1; WatchCreateRequest: key=1, range_end=2.
pub(super) fn watch(output: &mut Vec<u8>, key: &[u8], end: &[u8]) {
    put_length(output, 1, bytes_field_length(1, key.len()) + bytes_field_length(2, end.len()));
    put_bytes(output, 1, key);
    put_bytes(output, 2, end);
}

/// CompactionRequest: revision=1, physical=2, which waits until it is done.
pub(crate) fn compact(output: &mut Vec<u8>, revision: u64) {
    put_number(output, 1, revision);
    put_number(output, 2, 1);
}

/// TxnRequest that puts the key if it does not exist, and reads nothing when it does.
pub(super) fn create(output: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    compare_mod_revision(output, key, 0);
    success_put(output, key, value);
}

/// TxnRequest that deletes the key if its modification revision is `revision`, and otherwise reads it.
pub(super) fn delete(output: &mut Vec<u8>, key: &[u8], revision: u64) {
    compare_mod_revision(output, key, revision);
    // TxnRequest.success=2, RequestOp.request_delete_range=3, DeleteRangeRequest.key=1.
    let range = bytes_field_length(1, key.len());
    put_length(output, 2, bytes_field_length(3, range));
    put_length(output, 3, range);
    put_bytes(output, 1, key);
    failure_get(output, key);
}

/// TxnRequest that puts the key if its modification revision is `revision`, and otherwise reads it.
pub(super) fn update(output: &mut Vec<u8>, key: &[u8], value: &[u8], revision: u64) {
    compare_mod_revision(output, key, revision);
    success_put(output, key, value);
    failure_get(output, key);
}

/// TxnRequest.failure=3, RequestOp.request_range=1, RangeRequest.key=1.
fn failure_get(output: &mut Vec<u8>, key: &[u8]) {
    let range = bytes_field_length(1, key.len());
    put_length(output, 3, bytes_field_length(1, range));
    put_length(output, 1, range);
    put_bytes(output, 1, key);
}

/// TxnRequest.compare=1: result=1, target=2, key=3, mod_revision=6. The member of a oneof is sent even when it is zero.
fn compare_mod_revision(output: &mut Vec<u8>, key: &[u8], revision: u64) {
    let mod_revision = if revision == 0 { 2 } else { number_field_length(6, revision) };
    put_length(output, 1, number_field_length(2, TARGET_MOD) + bytes_field_length(3, key.len()) + mod_revision);
    put_number(output, 2, TARGET_MOD);
    put_bytes(output, 3, key);
    if revision == 0 {
        output.extend([6 << 3, 0]);
    } else {
        put_number(output, 6, revision);
    }
}

/// TxnRequest.success=2, RequestOp.request_put=2, PutRequest.
fn success_put(output: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let put_request = bytes_field_length(1, key.len()) + bytes_field_length(2, value.len());
    put_length(output, 2, bytes_field_length(2, put_request));
    put_length(output, 2, put_request);
    put(output, key, value);
}

/// The revision of a reply's header (header=1, revision=3), which every reply of every method has.
pub(crate) fn header_revision(reply: &[u8]) -> Result<u64, WrongReply> {
    let revision = bytes(reply, 1).and_then(|header| number(header, 3));
    revision.filter(|revision| *revision > 0).ok_or(WrongReply("no revision in the header"))
}

/// The header's revision of a TxnResponse that took the success branch (succeeded=2).
pub(super) fn succeeded(reply: &[u8]) -> Result<u64, WrongReply> {
    if number(reply, 2) != Some(1) {
        return Err(WrongReply("a transaction that must succeed took its failure branch"));
    }
    header_revision(reply)
}

/// The KeyValue of a RangeResponse (kvs=2, count=4) that must hold exactly one.
pub(super) fn only_pair(reply: &[u8]) -> Result<&[u8], WrongReply> {
    if number(reply, 4) != Some(1) {
        return Err(WrongReply("the count of a get of one existing key is not 1"));
    }
    bytes(reply, 2).ok_or(WrongReply("a get of an existing key has no pair"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::protobuf::{Value, fields};

    fn read(message: &[u8]) -> Vec<(u64, Value<'_>)> {
        fields(message).map(|item| item.unwrap()).collect()
    }

    fn inner<'a>(values: &[(u64, Value<'a>)], position: usize, field: u64) -> &'a [u8] {
        match values[position] {
            (its_field, Value::Bytes(bytes)) if its_field == field => bytes,
            other => panic!("expected field {field}, found {other:?}"),
        }
    }

    #[test]
    fn create_is_byte_for_byte_what_the_go_client_sends() {
        let mut message = Vec::new();
        create(&mut message, b"k", b"v");
        // compare {target: MOD, key: "k", mod_revision: 0}; success {request_put {key: "k", value: "v"}}.
        assert_eq!(message, b"\x0a\x07\x10\x02\x1a\x01k\x30\x00\x12\x08\x12\x06\x0a\x01k\x12\x01v");
    }

    #[test]
    fn update_compares_the_revision_and_reads_the_key_on_conflict() {
        let (key, value) = ([b'k'; 44], vec![7; 1_024]);
        let mut message = Vec::new();
        update(&mut message, &key, &value, 1_000_000);
        let txn = read(&message);
        assert_eq!(txn.len(), 3);
        let compare = read(inner(&txn, 0, 1));
        assert_eq!(compare, [(2, Value::Number(2)), (3, Value::Bytes(&key)), (6, Value::Number(1_000_000))]);
        let success = read(inner(&txn, 1, 2));
        assert_eq!(read(inner(&success, 0, 2)), [(1, Value::Bytes(&key)), (2, Value::Bytes(&value))]);
        let failure = read(inner(&txn, 2, 3));
        assert_eq!(read(inner(&failure, 0, 1)), [(1, Value::Bytes(&key))]);
    }

    #[test]
    fn get_has_a_limit_of_one_and_no_end() {
        let mut message = Vec::new();
        get(&mut message, b"k");
        assert_eq!(message, b"\x0a\x01k\x18\x01");
    }

    #[test]
    fn replies_are_checked() {
        let mut header = Vec::new();
        put_number(&mut header, 3, 42);
        let mut reply = Vec::new();
        put_bytes(&mut reply, 1, &header);
        assert_eq!(header_revision(&reply), Ok(42));
        assert!(succeeded(&reply).is_err(), "succeeded is absent, so it is false");
        assert!(only_pair(&reply).is_err());
        put_number(&mut reply, 2, 1);
        assert_eq!(succeeded(&reply), Ok(42));

        let mut range = Vec::new();
        put_bytes(&mut range, 1, &header);
        put_bytes(&mut range, 2, b"pair");
        put_number(&mut range, 4, 1);
        assert_eq!(only_pair(&range), Ok(b"pair".as_slice()));
        assert!(header_revision(b"").is_err());
    }
}
