//! A pinned state as the frames of a snapshot.

use super::format::{FORMAT, Header, Kind, MAGIC, TABLES, Totals, put_frame};
use crate::paging::Pages;
use archipel_store::{
    View,
    error::RequestError,
    mvcc::KeyValue,
    watch::{WatchEventKind, WatchRequest, WatchStep, Watcher},
};
use bytes::{BufMut, Bytes, BytesMut};

/// Bytes of events that are taken from the history at a time.
const EVENTS_BYTES: usize = 1 << 20;

/// Makes a snapshot's bytes piece by piece, without padding and digest. Memory holds one piece.
#[derive(Debug)]
pub(super) struct Writer {
    view: View,
    stage: Stage,
    totals: Totals,
}

#[derive(Debug)]
enum Stage {
    Begin(Box<Header>),
    Versions(Pages),
    Events(Watcher),
    Rows,
    Done,
}

impl Writer {
    pub(super) fn new(view: View, header: Header) -> Writer {
        Writer { view, stage: Stage::Begin(Box::new(header)), totals: Totals::default() }
    }

    /// The first revision whose events are in the snapshot.
    fn history_start(&self) -> i64 {
        self.view.compact_revision().max(1)
    }

    /// The next piece, empty if a stage had nothing.
    fn piece(&mut self) -> Result<BytesMut, RequestError> {
        let mut out = BytesMut::new();
        let start = self.history_start();
        let next = match &mut self.stage {
            Stage::Begin(header) => {
                out.put_slice(MAGIC);
                out.put_u32(FORMAT);
                put_frame(&mut out, Kind::Header, &[&json(header)]);
                Some(Stage::Versions(Pages::new(self.view.clone(), start.min(self.view.revision()))))
            }
            // What was never compacted is all in the history.
            Stage::Versions(_) if start == 1 => Some(self.events()),
            Stage::Versions(pages) => match pages.next().transpose()? {
                Some(kvs) => {
                    for kv in kvs.iter().filter(|kv| mod_revision(kv) < start) {
                        put_frame(&mut out, Kind::Version, &[kv]);
                        self.totals.versions += 1;
                    }
                    None
                }
                None => Some(self.events()),
            },
            Stage::Events(history) => match history.poll_events(EVENTS_BYTES) {
                WatchStep::Events { events, .. } => {
                    for event in events {
                        let kind = match event.kind {
                            WatchEventKind::Put => Kind::Put,
                            WatchEventKind::Delete => Kind::Delete,
                        };
                        put_frame(&mut out, kind, &[&event.kv]);
                        self.totals.events += 1;
                    }
                    None
                }
                WatchStep::Synced { .. } => Some(Stage::Rows),
                WatchStep::Unreadable(error) => return Err(error),
                WatchStep::Compacted { compact_revision } => return Err(RequestError::Compacted { compact_revision }),
            },
            Stage::Rows => {
                for table in TABLES {
                    for (key, value) in self.view.rows(*table, &[]) {
                        let length = u32::try_from(key.len()).unwrap_or(u32::MAX).to_be_bytes();
                        put_frame(&mut out, Kind::Row, &[&[*table as u8], &length, &key, &value]);
                        self.totals.rows += 1;
                    }
                }
                put_frame(&mut out, Kind::End, &[&json(&self.totals)]);
                Some(Stage::Done)
            }
            Stage::Done => None,
        };
        if let Some(next) = next {
            self.stage = next;
        }
        Ok(out)
    }

    fn events(&self) -> Stage {
        let everything = Bytes::from_static(&[0]);
        Stage::Events(self.view.watch(WatchRequest {
            key: everything.clone(),
            range_end: everything,
            start_revision: self.history_start(),
            ..WatchRequest::default()
        }))
    }
}

impl Iterator for Writer {
    type Item = Result<Bytes, RequestError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !matches!(self.stage, Stage::Done) {
            match self.piece() {
                Ok(piece) if piece.is_empty() => {}
                Ok(piece) => return Some(Ok(piece.freeze())),
                Err(error) => {
                    self.stage = Stage::Done;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

fn mod_revision(kv: &Bytes) -> i64 {
    KeyValue::decode(kv).map_or(0, |kv| kv.mod_revision)
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("invariant: plain fields become JSON")
}
