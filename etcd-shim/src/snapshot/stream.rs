//! A snapshot as the chunks of a reply, as etcd sends its own (server/etcdserver/api/v3rpc/maintenance.go).

use super::{
    format::{ALIGNMENT, Header},
    writer::Writer,
};
use crate::{clock::now_unix_ms, config::ETCD_VERSION};
use archipel_store::{Store, error::RequestError, mvcc::RangeRequest};
use bytes::{Bytes, BytesMut};
use ring::digest::{Context, SHA256};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Bytes of one chunk.
const CHUNK_BYTES: usize = 128 << 10;
/// Chunks that wait for the client; beyond it the reading waits.
const CHUNKS_MAX: usize = 8;

/// A part of a snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Chunk {
    /// What is still to come, by the size of the store: an estimate that only falls, and is 0 at the end.
    pub(crate) remaining_bytes: u64,
    /// The bytes. The last chunk is the digest.
    pub(crate) blob: Bytes,
}

/// Pins the store's state and starts to read it, on a thread of its own. Ends when the stream is dropped.
pub(crate) fn start(store: &Store) -> ReceiverStream<Result<Chunk, RequestError>> {
    let (chunks, stream) = mpsc::channel(CHUNKS_MAX);
    let store = store.clone();
    tokio::task::spawn_blocking(move || {
        let started_ms = now_unix_ms();
        let send = |chunk| chunks.blocking_send(chunk).is_ok();
        match write(&store, |chunk| send(Ok(chunk))) {
            Ok(Some(bytes)) => {
                let took_ms = now_unix_ms().saturating_sub(started_ms);
                tracing::info!(bytes, took_ms, "a snapshot was sent");
            }
            Ok(None) => tracing::info!("a snapshot was given up by its client"),
            Err(error) => {
                tracing::warn!(%error, "a snapshot failed");
                send(Err(error));
            }
        }
    });
    ReceiverStream::new(stream)
}

/// Sends all chunks; their bytes come back, None if `send` refused one.
fn write(store: &Store, mut send: impl FnMut(Chunk) -> bool) -> Result<Option<u64>, RequestError> {
    let view = store.view();
    let everything = Bytes::from_static(&[0]);
    let count = RangeRequest { key: everything.clone(), range_end: everything, count_only: true, ..Default::default() };
    let site = store.site();
    let header = Header {
        site: site.name,
        site_id: site.site_id.to_string(),
        archipel_version: env!("CARGO_PKG_VERSION").to_owned(),
        etcd_version: ETCD_VERSION.to_owned(),
        created_unix_ms: now_unix_ms(),
        revision: view.revision(),
        compact_revision: view.compact_revision(),
        keys: view.range(&count)?.count,
    };
    let estimated = store.size().in_use_bytes;
    let mut digest = Context::new(&SHA256);
    let (mut waiting, mut sent) = (BytesMut::new(), 0_u64);
    for piece in Writer::new(view, header) {
        let piece = piece?;
        digest.update(&piece);
        waiting.extend_from_slice(&piece);
        while waiting.len() > CHUNK_BYTES {
            let blob = waiting.split_to(CHUNK_BYTES).freeze();
            sent += blob.len() as u64;
            // Something always follows, if only the digest.
            let remaining_bytes = estimated.saturating_sub(sent).max(1);
            if !send(Chunk { remaining_bytes, blob }) {
                return Ok(None);
            }
        }
    }
    let zeros = vec![0; padding(sent + waiting.len() as u64)];
    digest.update(&zeros);
    waiting.extend_from_slice(&zeros);
    sent += waiting.len() as u64;
    let digest = Bytes::copy_from_slice(digest.finish().as_ref());
    sent += digest.len() as u64;
    let last = [waiting.freeze(), digest].into_iter().all(|blob| send(Chunk { remaining_bytes: 0, blob }));
    Ok(last.then_some(sent))
}

/// Zeros that bring a length to a multiple of the alignment.
pub(super) fn padding(bytes: u64) -> usize {
    (bytes.next_multiple_of(ALIGNMENT) - bytes) as usize
}
