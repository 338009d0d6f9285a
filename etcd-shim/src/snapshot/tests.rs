use super::{
    format::{ALIGNMENT, DIGEST_BYTES},
    reader::{Item, read},
    stream::padding,
    *,
};
use archipel_store::{
    Config, Store,
    mvcc::{DeleteRangeRequest, PutRequest, RangeRequest},
};
use bytes::Bytes;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokio_stream::StreamExt;

fn opened(dir: &Path) -> Store {
    Store::open(Config { background: false, ..Config::new(dir, "nantes") }).unwrap()
}

async fn put(store: &Store, key: &str, value: &str, lease: i64) {
    let (key, value) = (Bytes::copy_from_slice(key.as_bytes()), Bytes::copy_from_slice(value.as_bytes()));
    store.put(PutRequest { key, value, lease, ..PutRequest::default() }).await.unwrap();
}

fn everything(store: &Store, revision: i64) -> Vec<Bytes> {
    let all = Bytes::from_static(&[0]);
    let request = RangeRequest { key: all.clone(), range_end: all, revision, ..RangeRequest::default() };
    store.range(&request).unwrap().1.kvs
}

/// A store with a history, and its snapshot in a file.
async fn saved(dir: &TempDir) -> (Store, PathBuf) {
    let store = opened(&dir.path().join("original"));
    store.lease_grant(7, 60).await.unwrap();
    for round in 0..3 {
        for n in 0..300 {
            put(&store, &format!("key/{n:03}"), &format!("{round} {}", "v".repeat(1000)), if n == 5 { 7 } else { 0 })
                .await;
        }
    }
    let gone = DeleteRangeRequest { key: "key/100".into(), range_end: "key/110".into(), ..Default::default() };
    let (deleted, _) = store.delete_range(gone).await.unwrap();
    store.compact(deleted, true).await.unwrap();
    put(&store, "key/100", "again", 0).await;
    put(&store, "last", "1", 7).await;
    let file = dir.path().join("snapshot");
    std::fs::write(&file, bytes_of(&store).await).unwrap();
    (store, file)
}

async fn bytes_of(store: &Store) -> Vec<u8> {
    let chunks: Vec<Chunk> = start(store).map(Result::unwrap).collect().await;
    assert!(chunks.windows(2).all(|pair| pair[0].remaining_bytes >= pair[1].remaining_bytes));
    assert_eq!(chunks.iter().rev().take(2).map(|chunk| chunk.remaining_bytes).collect::<Vec<_>>(), [0, 0]);
    assert_eq!(chunks.last().unwrap().blob.len() as u64, DIGEST_BYTES);
    chunks.iter().flat_map(|chunk| chunk.blob.to_vec()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_site_answers_as_the_original_and_is_another_site() {
    let dir = tempfile::tempdir().unwrap();
    let (original, file) = saved(&dir).await;
    let bytes = std::fs::metadata(&file).unwrap().len();
    assert_eq!(bytes % ALIGNMENT, DIGEST_BYTES);
    let place = dir.path().join("restored");
    let mut read = 0;
    let summary = restore(&Restore { file: &file, data_dir: &place, bump_revision: 0 }, &mut |bytes| read = bytes);
    let summary = summary.unwrap();
    assert_eq!((summary.header.revision, summary.bytes), (original.revision(), bytes));
    assert_eq!((summary.header.keys, summary.totals.rows), (292, 1));
    assert!(read > 2 * bytes && read <= 3 * bytes, "{read} of {bytes}");

    let restored = opened(&place);
    assert_eq!(restored.revision(), original.revision());
    assert_eq!(restored.compact_revision(), original.compact_revision());
    for revision in original.compact_revision()..=original.revision() {
        assert_eq!(everything(&restored, revision), everything(&original, revision));
    }
    assert_eq!(restored.leases(), [7]);
    assert_eq!(restored.lease_time_to_live(7, true).unwrap().keys, ["key/005", "last"]);
    assert_ne!(restored.site(), original.site());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_revision_may_be_raised() {
    let dir = tempfile::tempdir().unwrap();
    let (original, file) = saved(&dir).await;
    let place = dir.path().join("restored");
    restore(&Restore { file: &file, data_dir: &place, bump_revision: 1_000_000 }, &mut |_| ()).unwrap();
    let restored = opened(&place);
    let raised = original.revision() + 1_000_000;
    assert_eq!((restored.revision(), restored.compact_revision()), (raised, raised));
    assert_eq!(everything(&restored, 0), everything(&original, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_store_has_a_snapshot_too() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("snapshot");
    std::fs::write(&file, bytes_of(&opened(&dir.path().join("a"))).await).unwrap();
    restore(&Restore { file: &file, data_dir: &dir.path().join("b"), bump_revision: 0 }, &mut |_| ()).unwrap();
    assert_eq!(opened(&dir.path().join("b")).revision(), 1);
}

/// What could go wrong: a backup that was cut or has rotted becomes a site with holes. The promise: it is refused, and
/// the place where the site would be is untouched.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_snapshot_is_refused_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (_, file) = saved(&dir).await;
    let whole = std::fs::read(&file).unwrap();
    let damaged = dir.path().join("damaged");
    let place = dir.path().join("restored");
    let refused = |bytes: &[u8]| {
        std::fs::write(&damaged, bytes).unwrap();
        let outcome = restore(&Restore { file: &damaged, data_dir: &place, bump_revision: 0 }, &mut |_| ());
        assert!(outcome.is_err(), "{} of {} bytes", bytes.len(), whole.len());
        assert!(!place.exists());
    };
    let step = whole.len() / 97;
    for at in (0..whole.len()).step_by(step) {
        refused(&whole[..at]);
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        refused(&flipped);
    }
    refused(&[&whole[..], &[0; 512]].concat());
    refused(b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_its_digest_covers_is_checked_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("snapshot");
    let sealed = |content: &[u8]| {
        let padded = [content, &vec![0; padding(content.len() as u64)][..]].concat();
        let digest = ring::digest::digest(&ring::digest::SHA256, &padded);
        std::fs::write(&file, [&padded[..], digest.as_ref()].concat()).unwrap();
        open(&file, &mut |_| ()).unwrap_err()
    };
    let preamble = b"ARCHSNAP\0\0\0\x01";
    for frames in
        [&b"\x03\0\0\0\x02\x0a\0"[..], b"\x01\0\0\0\x02{}", b"\x01\xff\xff\xff\xff", b"\x09\0\0\0\0", b"\x01", b""]
    {
        assert!(matches!(sealed(&[preamble, frames].concat()), SnapshotError::Damaged(_)), "{frames:?}");
    }
    assert!(matches!(sealed(b"ARCHSNAP\0\0\0\x02"), SnapshotError::Newer(2)));
    assert!(matches!(sealed(b"SQLite format 3"), SnapshotError::NotASnapshot(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_with_anything_in_it_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (_, file) = saved(&dir).await;
    let place = dir.path().join("original");
    let outcome = restore(&Restore { file: &file, data_dir: &place, bump_revision: 0 }, &mut |_| ());
    assert!(matches!(outcome, Err(SnapshotError::NotEmpty(_))));
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    restore(&Restore { file: &file, data_dir: &empty, bump_revision: 0 }, &mut |_| ()).unwrap();
    let mut rows = 0;
    read(&file, &mut |_| (), &mut |item| {
        rows += u64::from(matches!(item, Item::Row { .. }));
        Ok(())
    })
    .unwrap();
    assert_eq!(rows, 1);
}
