//! Puts of 256 B to 10,000 keys in random order; and the filling of these keys for the workloads that read.

use super::request::{self, PUT_PATH};
use super::{Client, KEYS, Payload, Random, WrongReply, data};

/// Neither a resource of Kubernetes nor in a namespace that anyone shares.
pub(super) const RESOURCE: &str = "benchobjects";
const VALUE_BYTES: usize = 256;
/// The values that [`filling`] writes.
pub(super) const FILLED_VALUE_BYTES: usize = 1_024;

enum Order {
    Random(Random),
    /// The next number, and the distance to the one after it.
    Every(u64, u64),
}

struct Put {
    order: Order,
    payload: Payload,
    key: Vec<u8>,
    revision: u64,
}

/// Random keys, for ever.
pub(super) fn endless(index: u64, _count: u64) -> Box<dyn Client> {
    let order = Order::Random(Random::new(index));
    Box::new(Put { order, payload: Payload::new(index, VALUE_BYTES), key: Vec::new(), revision: 0 })
}

/// Every key once, shared between `count` clients, with values of 1 KiB.
pub(super) fn filling(index: u64, count: u64) -> Box<dyn Client> {
    let order = Order::Every(index, count);
    Box::new(Put { order, payload: Payload::new(index, FILLED_VALUE_BYTES), key: Vec::new(), revision: 0 })
}

impl Client for Put {
    fn request(&mut self, message: &mut Vec<u8>) -> Option<&'static str> {
        let number = match &mut self.order {
            Order::Random(random) => random.below(KEYS),
            Order::Every(next, _) if *next >= KEYS => return None,
            Order::Every(next, step) => {
                let number = *next;
                *next += *step;
                number
            }
        };
        data::write_key(&mut self.key, RESOURCE, number);
        request::put(message, &self.key, self.payload.next());
        Some(PUT_PATH)
    }

    fn reply(&mut self, message: &[u8]) -> Result<(), WrongReply> {
        let revision = request::header_revision(message)?;
        if revision <= self.revision {
            return Err(WrongReply("a put's revision is not above that of the put before it"));
        }
        self.revision = revision;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filling_writes_each_key_once() {
        let mut seen = std::collections::BTreeSet::new();
        for index in 0..7 {
            let mut client = filling(index, 7);
            let mut message = Vec::new();
            while client.request(&mut message).is_some() {
                let key = crate::wire::protobuf::bytes(&message, 1).unwrap().to_vec();
                assert!(seen.insert(key));
                message.clear();
            }
        }
        assert_eq!(seen.len() as u64, KEYS);
    }
}
