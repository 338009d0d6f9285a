//! Watchers of one resource, many on one gRPC stream as etcd's client has them, and writers whose every put is an event
//! for each watcher. The unit is a delivered event; its latency is from the making of the put to the reading of the event.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Instant;

use super::request::{self, PUT, WATCH};
use super::{Answer, Client, Payload, WrongReply, data};
use crate::wire::Method;
use crate::wire::protobuf::{Value, bytes, fields, number};

const RESOURCE: &str = "watchedobjects";
const VALUE_BYTES: usize = 1_024;
/// Each writer rewrites so many objects in turn.
const KEYS_OF_A_WRITER: u64 = 100;
/// A value begins with the time of its making.
const STAMP_BYTES: usize = 8;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Nanoseconds of this process's own clock.
fn now_ns() -> u64 {
    u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// What a stream's watchers watch, and whether their events are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watching {
    /// All of them what the writers write.
    Writes,
    /// What the writers of another workload write; checked, but worth nothing.
    Others(&'static str),
    /// Each a prefix of its own in which nothing happens.
    Nothing,
}

struct Watchers {
    watching: Watching,
    /// Numbers of the watchers that this stream has, the next to be created first.
    next: u64,
    end: u64,
    /// The revision of the last event of each watcher.
    last: HashMap<u64, u64>,
}

/// `watchers` of them on one stream; `stream` is its number.
pub(crate) fn watchers(watching: Watching, stream: u64, watchers: u64) -> Box<dyn Client> {
    LazyLock::force(&START);
    Box::new(Watchers { watching, next: stream * watchers, end: (stream + 1) * watchers, last: HashMap::new() })
}

impl Client for Watchers {
    fn request(&mut self, message: &mut Vec<u8>) -> Option<Method> {
        if self.next == self.end {
            return None;
        }
        let (prefix, end) = match self.watching {
            Watching::Writes => request::prefix(RESOURCE),
            Watching::Others(resource) => request::prefix(resource),
            Watching::Nothing => request::prefix(&format!("idle-{:07}", self.next)),
        };
        request::watch(message, &prefix, &end);
        self.next += 1;
        Some(WATCH)
    }

    fn reply(&mut self, message: &[u8]) -> Result<Answer, WrongReply> {
        // WatchResponse: header=1, watch_id=2, created=3, canceled=4, events=11; Event: kv=2.
        let (mut watch, mut created, mut events, mut last) = (0, false, 0, None);
        for field in fields(message) {
            match field.ok_or(WrongReply("a watch's message is damaged"))? {
                (2, Value::Number(id)) => watch = id,
                (3, Value::Number(flag)) => created = flag == 1,
                (4, Value::Number(1)) => return Err(WrongReply("a watch was cancelled")),
                (11, Value::Bytes(event)) => {
                    events += 1;
                    last = Some(event);
                }
                _ => {}
            }
        }
        if created {
            return Ok(Answer::Done(0));
        }
        let Some(pair) = last.and_then(|event| bytes(event, 2)) else { return Ok(Answer::Part(0)) };
        let revision = number(pair, 3).ok_or(WrongReply("an event has no revision"))?;
        // Only these writes happen, each at a revision of its own: a watcher that missed one sees a gap.
        if let Some(before) = self.last.insert(watch, revision)
            && before + events != revision
        {
            return Err(WrongReply("a watcher missed an event, or saw one twice"));
        }
        if self.watching != Watching::Writes {
            return Ok(Answer::Part(0));
        }
        let stamp = bytes(pair, 5).and_then(|value| value.first_chunk::<STAMP_BYTES>());
        let made_ns = stamp.map(|stamp| u64::from_le_bytes(*stamp)).ok_or(WrongReply("an event has no stamp"))?;
        Ok(Answer::Pushed { units: events, latency_ns: now_ns().saturating_sub(made_ns) })
    }
}

struct Writer {
    number: u64,
    turn: u64,
    payload: Payload,
    key: Vec<u8>,
    value: Vec<u8>,
}

/// A writer that puts as fast as it is answered.
pub(super) fn writer(index: u64, _count: u64) -> Box<dyn Client> {
    let payload = Payload::new(index, VALUE_BYTES);
    Box::new(Writer { number: index, turn: 0, payload, key: Vec::new(), value: Vec::new() })
}

impl Client for Writer {
    fn request(&mut self, message: &mut Vec<u8>) -> Option<Method> {
        self.turn = (self.turn + 1) % KEYS_OF_A_WRITER;
        data::write_key(&mut self.key, RESOURCE, self.number * KEYS_OF_A_WRITER + self.turn);
        self.value.clear();
        self.value.extend_from_slice(self.payload.next());
        if let Some(place) = self.value.first_chunk_mut::<STAMP_BYTES>() {
            *place = now_ns().to_le_bytes();
        }
        request::put(message, &self.key, &self.value);
        Some(PUT)
    }

    fn reply(&mut self, message: &[u8]) -> Result<Answer, WrongReply> {
        request::header_revision(message).map(|_| Answer::Done(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::protobuf::{put_bytes, put_number};

    fn events(watch: u64, revisions: std::ops::Range<u64>) -> Vec<u8> {
        let mut message = Vec::new();
        put_number(&mut message, 2, watch);
        for revision in revisions {
            let (mut pair, mut event) = (Vec::new(), Vec::new());
            put_number(&mut pair, 3, revision);
            put_bytes(&mut pair, 5, &now_ns().to_le_bytes());
            put_bytes(&mut event, 2, &pair);
            put_bytes(&mut message, 11, &event);
        }
        message
    }

    #[test]
    fn a_missing_event_is_noticed_for_each_watcher() {
        let mut client = watchers(Watching::Writes, 0, 2);
        assert!(matches!(client.reply(&events(0, 5..8)), Ok(Answer::Pushed { units: 3, .. })));
        assert!(matches!(client.reply(&events(1, 7..8)), Ok(Answer::Pushed { units: 1, .. })));
        assert!(matches!(client.reply(&events(0, 8..9)), Ok(Answer::Pushed { units: 1, .. })));
        assert!(client.reply(&events(1, 9..10)).is_err(), "revision 8 was missed");
    }

    #[test]
    fn a_stream_creates_its_watchers_one_after_the_other() {
        let mut client = watchers(Watching::Nothing, 3, 2);
        let mut message = Vec::new();
        assert_eq!(client.request(&mut message), Some(WATCH));
        let create = bytes(&message, 1).unwrap();
        assert_eq!(bytes(create, 1), Some(b"/registry/idle-0000006/".as_slice()));
        assert_eq!(bytes(create, 2), Some(b"/registry/idle-00000060".as_slice()));
        let mut created = Vec::new();
        put_number(&mut created, 3, 1);
        assert_eq!(client.reply(&created), Ok(Answer::Done(0)));
        assert!(client.request(&mut message).is_some());
        assert!(client.request(&mut message).is_none());
    }
}
