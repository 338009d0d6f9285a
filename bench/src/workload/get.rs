//! Linearizable gets of one of many keys.

use super::put::{FILLED_VALUE_BYTES, RESOURCE};
use super::request::{self, RANGE};
use super::{Answer, Client, KEYS, Random, WrongReply, data};
use crate::wire::Method;

struct Get {
    resource: &'static str,
    keys: u64,
    value_bytes: usize,
    random: Random,
    key: Vec<u8>,
}

/// One of 10,000 keys with values of 1 KiB, for ever.
pub(super) fn endless(index: u64, _count: u64) -> Box<dyn Client> {
    sample(RESOURCE, KEYS, FILLED_VALUE_BYTES, index)
}

/// Random ones of `keys` objects that have values of so many bytes, for ever.
pub(crate) fn sample(resource: &'static str, keys: u64, value_bytes: usize, index: u64) -> Box<dyn Client> {
    Box::new(Get { resource, keys, value_bytes, random: Random::new(index), key: Vec::new() })
}

impl Client for Get {
    fn request(&mut self, message: &mut Vec<u8>) -> Option<Method> {
        data::write_key(&mut self.key, self.resource, self.random.below(self.keys));
        request::get(message, &self.key);
        Some(RANGE)
    }

    fn reply(&mut self, message: &[u8]) -> Result<Answer, WrongReply> {
        request::header_revision(message)?;
        // KeyValue: key=1, value=5.
        let pair = request::only_pair(message)?;
        if crate::wire::protobuf::bytes(pair, 1) != Some(&self.key) {
            return Err(WrongReply("a get returned another key"));
        }
        match crate::wire::protobuf::bytes(pair, 5) {
            Some(value) if value.len() == self.value_bytes => Ok(Answer::Done(1)),
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
    fn request(&mut self, message: &mut Vec<u8>) -> Option<Method> {
        if std::mem::replace(&mut self.asked, true) {
            return None;
        }
        request::get(message, b"/registry/health");
        Some(RANGE)
    }

    fn reply(&mut self, message: &[u8]) -> Result<Answer, WrongReply> {
        request::header_revision(message).map(|_| Answer::Done(1))
    }
}
