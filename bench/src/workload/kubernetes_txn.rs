//! What kube-apiserver does for every object that it writes: create it, then update it at the revision it had. Objects of 1 KiB, each
//! created and updated once by one client, so every transaction must succeed.

use super::request::{self, TXN};
use super::{Answer, Client, Payload, WrongReply, data};
use crate::wire::Method;

const RESOURCE: &str = "pods";
const VALUE_BYTES: usize = 1_024;

struct Transactions {
    /// The object's number, and the distance to this client's next object.
    number: u64,
    step: u64,
    /// The revision at which the object was created, once it is.
    created: Option<u64>,
    payload: Payload,
    key: Vec<u8>,
}

/// Creates and updates in turn, for ever.
pub(super) fn endless(index: u64, count: u64) -> Box<dyn Client> {
    let payload = Payload::new(index, VALUE_BYTES);
    Box::new(Transactions { number: index, step: count, created: None, payload, key: Vec::new() })
}

impl Client for Transactions {
    fn request(&mut self, message: &mut Vec<u8>) -> Option<Method> {
        data::write_key(&mut self.key, RESOURCE, self.number);
        let value = self.payload.next();
        match self.created {
            None => request::create(message, &self.key, value),
            Some(revision) => request::update(message, &self.key, value, revision),
        }
        Some(TXN)
    }

    fn reply(&mut self, message: &[u8]) -> Result<Answer, WrongReply> {
        let revision = request::succeeded(message)?;
        match self.created {
            None => self.created = Some(revision),
            Some(created) if revision > created => {
                self.created = None;
                self.number += self.step;
            }
            Some(_) => return Err(WrongReply("an update's revision is not above that of the creation")),
        }
        Ok(Answer::Done(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::protobuf::{bytes, number, put_bytes, put_number};

    fn reply(revision: u64, succeeded: bool) -> Vec<u8> {
        let mut header = Vec::new();
        put_number(&mut header, 3, revision);
        let mut reply = Vec::new();
        put_bytes(&mut reply, 1, &header);
        put_number(&mut reply, 2, u64::from(succeeded));
        reply
    }

    #[test]
    fn an_object_is_created_then_updated_at_its_revision() {
        let mut client = endless(3, 10);
        let mut compared = Vec::new();
        for revision in [20, 21, 22] {
            let mut message = Vec::new();
            assert_eq!(client.request(&mut message), Some(TXN));
            let compare = bytes(&message, 1).unwrap();
            let key = String::from_utf8(bytes(compare, 3).unwrap().to_vec()).unwrap();
            compared.push((key.split_at(key.len() - 2).1.to_owned(), number(compare, 6).unwrap()));
            client.reply(&reply(revision, true)).unwrap();
        }
        assert_eq!(compared, [("03".to_owned(), 0), ("03".to_owned(), 20), ("13".to_owned(), 0)]);
        assert!(client.reply(&reply(23, false)).is_err(), "a conflict is an error here");
    }
}
