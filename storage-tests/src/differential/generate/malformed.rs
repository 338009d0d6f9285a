//! Messages that are no messages, unknown methods, and requests at the limits of size.

use super::{
    super::{random::Random, request::Request},
    keys, kv, txn,
};
use crate::client::wire::PutRequest;
use bytes::Bytes;
use prost::Message;

/// Where bytes go that one protobuf library may take and another refuse: it must not change anything.
const READ: &str = "/etcdserverpb.KV/Range";
/// Methods that nobody has.
const UNKNOWN: &[&str] = &["/etcdserverpb.KV/Nothing", "/etcdserverpb.Nothing/Range", "/nothing"];
/// etcd's default limit of a request, in bytes.
const REQUEST_BYTES_MAX: i64 = 1_572_864;

pub(super) fn request(random: &mut Random) -> Request {
    match random.weighted(&[30, 20, 30, 5, 10, 3, 3]) {
        0 => truncated(random),
        1 => Request::Raw { path: READ, body: garbage(random) },
        2 => extended(random),
        3 => Request::Raw { path: random.pick(UNKNOWN), body: Bytes::new() },
        4 => nested(random),
        5 => mistyped(random),
        _ => large(random),
    }
}

/// A known field with another wire type than its own.
fn mistyped(random: &mut Random) -> Request {
    let mut body = kv::range(random).encode_to_vec();
    body.extend_from_slice(&[0x0d, 1, 2, 3, 4]);
    Request::Raw { path: READ, body: body.into() }
}

fn encoded(random: &mut Random) -> (&'static str, Vec<u8>) {
    match random.below(3) {
        0 => ("/etcdserverpb.KV/Range", kv::range(random).encode_to_vec()),
        1 => ("/etcdserverpb.KV/Put", kv::put(random).encode_to_vec()),
        _ => ("/etcdserverpb.KV/Txn", txn::txn(random).encode_to_vec()),
    }
}

fn truncated(random: &mut Random) -> Request {
    let (path, mut body) = encoded(random);
    body.truncate(random.below(body.len()));
    Request::Raw { path, body: body.into() }
}

fn garbage(random: &mut Random) -> Bytes {
    let length = random.below(24);
    (0..length).map(|_| random.number() as u8).collect()
}

/// A good message with more after it: unknown fields, a group, a length beyond the end, a field twice.
fn extended(random: &mut Random) -> Request {
    let (path, mut body) = encoded(random);
    let more: &[u8] = random.pick::<&[u8]>(&[
        &[0xf8, 0x7f, 1],
        &[0xfa, 0x7f, 3, b'a', b'b', b'c'],
        &[0xf3, 0x7f, 0xf4, 0x7f],
        &[0xf3, 0x7f],
        &[0xf4, 0x7f],
        &[0x0a, 0xff, 0xff, 0xff, 0xff, 0x07],
        &[0x0a, 1, b'a'],
        &[0x00],
        &[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    ]);
    body.extend_from_slice(more);
    Request::Raw { path, body: body.into() }
}

/// A transaction in a transaction in a transaction and so on: protobuf libraries stop at some depth, etcd at 128 operations.
fn nested(random: &mut Random) -> Request {
    let depth = random.pick(&[1, 10, 30, 45, 60, 127, 128, 129, 200]);
    let mut body = Vec::new();
    for _ in 0..depth {
        // RequestOp.request_txn in TxnRequest.success.
        body = field(2, &field(4, &body));
    }
    Request::Raw { path: "/etcdserverpb.KV/Txn", body: body.into() }
}

fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 6);
    prost::encoding::encode_key(number, prost::encoding::WireType::LengthDelimited, &mut out);
    prost::encoding::encode_varint(content.len() as u64, &mut out);
    out.extend_from_slice(content);
    out
}

fn large(random: &mut Random) -> Request {
    let bytes = match random.below(3) {
        0 => REQUEST_BYTES_MAX + random.pick(&[-60, 5]),
        1 => REQUEST_BYTES_MAX + 524_288 + random.pick(&[-60, 5]),
        _ => REQUEST_BYTES_MAX + 100_000,
    };
    let value = Bytes::from(vec![b'z'; usize::try_from(bytes).unwrap_or(0)]);
    Request::Put(PutRequest { key: keys::key(random), value, ..PutRequest::default() })
}
