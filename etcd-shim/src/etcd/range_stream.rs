//! RangeStream: one Range in chunks, read from one pinned state (etcd 3.7: server/etcdserver/v3_server.go).
//!
//! Keys of the chunks ascend and do not overlap; concatenated they are one RangeResponse. Header, `more` and `count` stand
//! on the last chunk only, and no other chunk is empty. Because the state is pinned, a compaction cannot overtake it.

use super::{
    context::Context,
    convert, status, validate,
    wire::{RangeRequest, RangeResponse, RangeStreamResponse, ResponseHeader, range_request},
};
use archipel_store::{View, mvcc};
use bytes::{BufMut, Bytes, BytesMut};
use std::collections::VecDeque;
use tonic::Status;

/// Keys of the first chunk.
const FIRST_CHUNK_KEYS: i64 = 10;
/// Most keys of one chunk, however small they are.
const CHUNK_KEYS_MAX: i64 = 10_000;

/// The reply's stream. Chunks are made as the client takes them.
pub(crate) type RangeStream = tokio_stream::Iter<Chunks>;

/// Checks the request and pins the state.
///
/// # Errors
/// As Range; unimplemented for another order than the default and for filters, as in etcd.
pub(crate) fn start(context: &Context, request: RangeRequest) -> Result<RangeStream, Status> {
    validate::range(&request)?;
    if !has_default_order(&request) {
        return Err(Status::unimplemented("RangeStream does not support custom sort orders"));
    }
    let filters =
        [request.min_mod_revision, request.max_mod_revision, request.min_create_revision, request.max_create_revision];
    if filters.iter().any(|filter| *filter != 0) {
        return Err(Status::unimplemented("RangeStream does not support revision filters"));
    }
    let view = context.store.view();
    // A pinned request still shows the latest revision in its header, as Range does.
    let header = context.header(view.revision());
    Ok(tokio_stream::iter(Chunks::new(view, header, convert::range(request), context.limits.max_request_bytes)?))
}

/// As etcd decides it (server/etcdserver/txn/range.go, IsDefaultOrdering): no order is one whatever the target is.
fn has_default_order(request: &RangeRequest) -> bool {
    match request.sort_order() {
        range_request::SortOrder::None => true,
        range_request::SortOrder::Ascend => request.sort_target() == range_request::SortTarget::Key,
        range_request::SortOrder::Descend => false,
    }
}

/// The chunks that are still to come.
#[derive(Debug)]
pub(crate) struct Chunks {
    view: View,
    header: ResponseHeader,
    /// What is left to read; its key moves on.
    request: mvcc::RangeRequest,
    /// Keys that the client's limit leaves; None = no limit.
    keys_left: Option<i64>,
    chunk_keys: i64,
    chunk_bytes: usize,
    /// Keys of the whole interval, known from the first read.
    count: i64,
    /// Read ahead by one chunk, since only the last one carries the header.
    read: VecDeque<RangeResponse>,
    done: bool,
}

impl Chunks {
    fn new(
        view: View,
        header: ResponseHeader,
        request: mvcc::RangeRequest,
        chunk_bytes: usize,
    ) -> Result<Chunks, Status> {
        let keys_left = (request.limit > 0 && !request.count_only).then_some(request.limit);
        // Another target than the key sorts the whole interval, which makes it one chunk: chunks follow each other by key.
        let is_by_key = request.sort_target == mvcc::SortTarget::Key;
        let mut chunks = Chunks {
            view,
            header,
            request,
            keys_left,
            chunk_keys: if is_by_key { FIRST_CHUNK_KEYS } else { i64::MAX },
            chunk_bytes,
            count: 0,
            read: VecDeque::new(),
            done: false,
        };
        // The first read happens before the stream starts: its error is the call's error.
        let first = chunks.read_chunk()?;
        chunks.count = first.count;
        chunks.push(first);
        Ok(chunks)
    }

    fn read_chunk(&mut self) -> Result<mvcc::RangeReply, Status> {
        self.request.limit = self.keys_left.map_or(self.chunk_keys, |left| left.min(self.chunk_keys));
        self.view.range(&self.request).map_err(status::from_store)
    }

    /// Queues a chunk and moves the request behind it.
    fn push(&mut self, reply: mvcc::RangeReply) {
        let keys = i64::try_from(reply.kvs.len()).unwrap_or(i64::MAX);
        let bytes: usize = reply.kvs.iter().map(Bytes::len).sum();
        self.keys_left = self.keys_left.map(|left| left - keys);
        let next = reply.kvs.last().and_then(key_of).map(|key| successor(&key));
        let ended = !reply.more || self.keys_left == Some(0) || next.is_none();
        if let Some(next) = next {
            self.request.key = next;
        }
        self.chunk_keys = next_chunk_keys(self.chunk_keys, bytes, self.chunk_bytes);
        self.done = ended;
        self.read.push_back(RangeResponse {
            header: ended.then_some(self.header),
            kvs: reply.kvs,
            more: ended && reply.more,
            count: if ended { self.count } else { 0 },
        });
    }
}

impl Iterator for Chunks {
    type Item = Result<RangeStreamResponse, Status>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.read.is_empty() && !self.done {
            match self.read_chunk() {
                Ok(reply) => self.push(reply),
                Err(status) => {
                    self.done = true;
                    return Some(Err(status));
                }
            }
        }
        self.read.pop_front().map(|chunk| Ok(RangeStreamResponse { range_response: Some(chunk) }))
    }
}

/// Doubles while a chunk is small, halves when it is more than twice too large (etcd: adjustChunkLimit).
fn next_chunk_keys(keys: i64, bytes: usize, target_bytes: usize) -> i64 {
    if bytes / 2 > target_bytes {
        (keys / 2).max(1)
    } else if bytes < target_bytes / 2 {
        keys.saturating_mul(2).min(CHUNK_KEYS_MAX)
    } else {
        keys
    }
}

/// The key of an encoded version: its first field, number 1, which is never empty.
fn key_of(kv: &Bytes) -> Option<Bytes> {
    const KEY_TAG: u8 = 0x0a;
    let mut rest = kv.clone();
    if rest.first() != Some(&KEY_TAG) {
        return None;
    }
    let _tag = rest.split_to(1);
    let length = usize::try_from(prost::encoding::decode_varint(&mut rest).ok()?).ok()?;
    (length <= rest.len()).then(|| rest.slice(..length))
}

/// The least key above `key`.
fn successor(key: &Bytes) -> Bytes {
    let mut next = BytesMut::with_capacity(key.len() + 1);
    next.put_slice(key);
    next.put_u8(0);
    next.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_read_from_an_encoded_version() {
        let kv = Bytes::from_static(&[0x0a, 3, b'a', b'/', b'b', 0x10, 2]);
        assert_eq!(key_of(&kv), Some(Bytes::from_static(b"a/b")));
        assert_eq!(key_of(&Bytes::from_static(&[0x0a, 9, b'a'])), None);
        assert_eq!(successor(&Bytes::from_static(b"a")), Bytes::from_static(b"a\0"));
    }

    #[test]
    fn chunks_grow_towards_their_size() {
        assert_eq!(next_chunk_keys(10, 100, 1000), 20);
        assert_eq!(next_chunk_keys(10, 700, 1000), 10);
        assert_eq!(next_chunk_keys(10, 2700, 1000), 5);
        assert_eq!(next_chunk_keys(1, 2700, 1000), 1);
        assert_eq!(next_chunk_keys(CHUNK_KEYS_MAX, 1, 1000), CHUNK_KEYS_MAX);
    }
}
