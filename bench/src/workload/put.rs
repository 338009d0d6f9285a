//! Puts of random keys, for ever; and the filling of a store, each key once.

use super::request::{self, PUT};
use super::{Answer, Client, KEYS, Payload, Random, WrongReply, data};
use crate::wire::Method;

/// Neither a resource of Kubernetes nor in a namespace that anyone shares.
pub(crate) const RESOURCE: &str = "benchobjects";
const VALUE_BYTES: usize = 256;
/// The values that reads find.
pub(crate) const FILLED_VALUE_BYTES: usize = 1_024;

enum Order {
    /// Below this number.
    Random(Random, u64),
    /// The next number, the distance to the one after it, and the end.
    Every { next: u64, step: u64, end: u64 },
}

struct Put {
    resource: &'static str,
    order: Order,
    payload: Payload,
    key: Vec<u8>,
    revision: u64,
}

impl Put {
    fn new(resource: &'static str, order: Order, value_bytes: usize, index: u64) -> Box<Put> {
        Box::new(Put { resource, order, payload: Payload::new(index, value_bytes), key: Vec::new(), revision: 0 })
    }
}

/// 256 B to one of 10,000 keys, for ever.
pub(super) fn endless(index: u64, _count: u64) -> Box<dyn Client> {
    anywhere(RESOURCE, KEYS, VALUE_BYTES, index)
}

/// Random ones of `keys` objects, for ever.
pub(crate) fn anywhere(resource: &'static str, keys: u64, value_bytes: usize, index: u64) -> Box<dyn Client> {
    Put::new(resource, Order::Random(Random::new(index), keys), value_bytes, index)
}

/// Client `index` of `count` that together put each of `keys` objects once, from number `first` on.
pub(super) fn filling(
    resource: &'static str,
    first: u64,
    keys: u64,
    value_bytes: usize,
    index: u64,
    count: u64,
) -> Box<dyn Client> {
    let order = Order::Every { next: first + index, step: count, end: first + keys };
    Put::new(resource, order, value_bytes, index)
}

impl Client for Put {
    fn request(&mut self, message: &mut Vec<u8>) -> Option<Method> {
        let number = match &mut self.order {
            Order::Random(random, end) => random.below(*end),
            Order::Every { next, end, .. } if *next >= *end => return None,
            Order::Every { next, step, .. } => {
                let number = *next;
                *next += *step;
                number
            }
        };
        data::write_key(&mut self.key, self.resource, number);
        request::put(message, &self.key, self.payload.next());
        Some(PUT)
    }

    fn reply(&mut self, message: &[u8]) -> Result<Answer, WrongReply> {
        let revision = request::header_revision(message)?;
        if revision <= self.revision {
            return Err(WrongReply("a put's revision is not above that of the put before it"));
        }
        self.revision = revision;
        Ok(Answer::Done(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filling_writes_each_key_once() {
        let mut seen = std::collections::BTreeSet::new();
        for index in 0..7 {
            let mut client = filling("pods", 1_000, 500, 16, index, 7);
            let mut message = Vec::new();
            while client.request(&mut message).is_some() {
                let key = crate::wire::protobuf::bytes(&message, 1).unwrap().to_vec();
                assert!(seen.insert(key));
                message.clear();
            }
        }
        assert_eq!(seen.len(), 500);
        assert!(seen.first().unwrap().ends_with(b"1000") && seen.last().unwrap().ends_with(b"1499"), "by namespace");
    }
}
