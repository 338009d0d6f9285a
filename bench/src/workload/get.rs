//! Linearizable gets of one of 10,000 keys with values of 1 KiB.

use super::put::{FILLED_VALUE_BYTES, RESOURCE};
use super::request::{self, RANGE_PATH};
use super::{Client, KEYS, Random, WrongReply, data};

struct Get {
    random: Random,
    key: Vec<u8>,
}

/// Gets for ever, of keys that were filled before.
pub(super) fn endless(index: u64, _count: u64) -> Box<dyn Client> {
    Box::new(Get { random: Random::new(index), key: Vec::new() })
}

impl Client for Get {
    fn request(&mut self, message: &mut Vec<u8>) -> Option<&'static str> {
        data::write_key(&mut self.key, RESOURCE, self.random.below(KEYS));
        request::get(message, &self.key);
        Some(RANGE_PATH)
    }

    fn reply(&mut self, message: &[u8]) -> Result<(), WrongReply> {
        request::header_revision(message)?;
        // KeyValue: key=1, value=5.
        let pair = request::only_pair(message)?;
        if crate::wire::protobuf::bytes(pair, 1) != Some(&self.key) {
            return Err(WrongReply("a get returned another key"));
        }
        match crate::wire::protobuf::bytes(pair, 5) {
            Some(value) if value.len() == FILLED_VALUE_BYTES => Ok(()),
            _ => Err(WrongReply("a get's value has another size than was put")),
        }
    }
}

struct Probe {
    asked: bool,
}

/// One get of a key that does not exist.
pub(super) fn probe() -> Box<dyn Client> {
    Box::new(Probe { asked: false })
}

impl Client for Probe {
    fn request(&mut self, message: &mut Vec<u8>) -> Option<&'static str> {
        if std::mem::replace(&mut self.asked, true) {
            return None;
        }
        request::get(message, b"/registry/health");
        Some(RANGE_PATH)
    }

    fn reply(&mut self, message: &[u8]) -> Result<(), WrongReply> {
        request::header_revision(message).map(drop)
    }
}
