//! Reading a whole keyspace in pages, so that memory holds one page.

use archipel_store::{
    View,
    error::RequestError,
    mvcc::{KeyValue, RangeRequest},
};
use bytes::Bytes;

/// Key and end of the whole keyspace.
const EVERYTHING: &[u8] = &[0];
/// Keys of the first page.
const FIRST_PAGE_KEYS: i64 = 16;
/// Most keys of one page, however small they are.
const PAGE_KEYS_MAX: i64 = 16_384;
/// Bytes that a page has, about; one page may have twice as many keys as the one before.
const PAGE_BYTES: usize = 1 << 20;

/// The live versions of a view at a revision, in key order: encoded `mvccpb.KeyValue`s, a page at a time. Ends after an
/// error.
#[derive(Debug)]
pub(crate) struct Pages {
    view: View,
    request: RangeRequest,
    ended: bool,
}

impl Pages {
    /// `revision` 0 = the view's own.
    pub(crate) fn new(view: View, revision: i64) -> Pages {
        let everything = Bytes::from_static(EVERYTHING);
        let request = RangeRequest {
            key: everything.clone(),
            range_end: everything,
            limit: FIRST_PAGE_KEYS,
            revision,
            ..RangeRequest::default()
        };
        Pages { view, request, ended: false }
    }
}

impl Iterator for Pages {
    type Item = Result<Vec<Bytes>, RequestError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let page = self.view.range(&self.request);
        let next = page.as_ref().ok().filter(|page| page.more).and_then(|page| after(page.kvs.last()?));
        match next {
            Some(next) => self.request.key = next,
            None => self.ended = true,
        }
        let page = page.map(|page| page.kvs);
        let bytes = page.as_ref().map_or(0, |kvs| kvs.iter().map(Bytes::len).sum());
        self.request.limit = next_page_keys(self.request.limit, bytes);
        Some(page)
    }
}

/// The least key above a version's.
fn after(kv: &Bytes) -> Option<Bytes> {
    let key = KeyValue::decode(kv).ok()?.key;
    Some([key, &[0]].concat().into())
}

/// Doubles while a page is small, and falls back at once when it is large.
fn next_page_keys(keys: i64, bytes: usize) -> i64 {
    match bytes {
        ..PAGE_BYTES => (keys * 2).min(PAGE_KEYS_MAX),
        _ => (keys * PAGE_BYTES as i64 / bytes as i64).max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_grow_slowly_and_shrink_at_once() {
        assert_eq!(next_page_keys(16, 0), 32);
        assert_eq!(next_page_keys(PAGE_KEYS_MAX, 10), PAGE_KEYS_MAX);
        assert_eq!(next_page_keys(100, 10 * PAGE_BYTES), 10);
        assert_eq!(next_page_keys(1, 10 * PAGE_BYTES), 1);
    }
}
