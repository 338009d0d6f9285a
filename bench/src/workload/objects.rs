//! Objects whose life is that of Kubernetes' own: created, updated at the revision that was read, deleted. A client owns
//! its objects, so no transaction of it fails, and knows the revision of each.

use super::request::{self, TXN};
use super::{Answer, Client, Payload, WrongReply, data};
use crate::wire::Method;

/// What a client does with its objects, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) resource: &'static str,
    pub(crate) value_bytes: usize,
    /// Updates between creation and deletion; `None` for objects that are updated for ever.
    pub(crate) updates: Option<u64>,
}

struct Objects {
    life: Life,
    /// The revision of each of this client's objects, and how often it was updated; `None` when it is not there.
    objects: Vec<Option<(u64, u64)>>,
    first: u64,
    current: usize,
    payload: Payload,
    key: Vec<u8>,
}

/// Client `index` with `count` objects, round and round.
pub(crate) fn objects(life: Life, index: u64, count: usize) -> Box<dyn Client> {
    let first = index * u64::try_from(count).expect("invariant: usize has at most 64 bits");
    let payload = Payload::new(index, life.value_bytes);
    let objects = vec![None; count];
    Box::new(Objects { life, objects, first, current: 0, payload, key: Vec::new() })
}

impl Client for Objects {
    fn request(&mut self, message: &mut Vec<u8>) -> Option<Method> {
        let number = self.first + u64::try_from(self.current).expect("invariant: usize has at most 64 bits");
        data::write_key(&mut self.key, self.life.resource, number);
        match self.objects.get(self.current).copied().flatten() {
            None => request::create(message, &self.key, self.payload.next()),
            Some((revision, updates)) if self.life.updates.is_some_and(|max| updates >= max) => {
                request::delete(message, &self.key, revision);
            }
            Some((revision, _)) => request::update(message, &self.key, self.payload.next(), revision),
        }
        Some(TXN)
    }

    fn reply(&mut self, message: &[u8]) -> Result<Answer, WrongReply> {
        let now = request::succeeded(message)?;
        let Some(object) = self.objects.get_mut(self.current) else { return Ok(Answer::Done(0)) };
        *object = match *object {
            None => Some((now, 0)),
            Some((_, updates)) if self.life.updates.is_some_and(|max| updates >= max) => None,
            Some((_, updates)) => Some((now, updates + 1)),
        };
        self.current = (self.current + 1) % self.objects.len();
        Ok(Answer::Done(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::protobuf::{bytes, number, put_bytes, put_number};

    #[test]
    fn an_object_lives_and_comes_again() {
        let life = Life { resource: "pods", value_bytes: 16, updates: Some(1) };
        let mut client = objects(life, 2, 2);
        let mut steps = Vec::new();
        for revision in 10..17 {
            let mut message = Vec::new();
            client.request(&mut message);
            let compare = bytes(&message, 1).unwrap();
            let operation = bytes(&message, 2).unwrap();
            let deletes = bytes(operation, 3).is_some();
            steps.push((*bytes(compare, 3).unwrap().last().unwrap(), number(compare, 6).unwrap(), deletes));
            let (mut header, mut reply) = (Vec::new(), Vec::new());
            put_number(&mut header, 3, revision);
            put_bytes(&mut reply, 1, &header);
            put_number(&mut reply, 2, 1);
            client.reply(&reply).unwrap();
        }
        let (first, second) = (b'4', b'5');
        let expected = [
            (first, 0, false),
            (second, 0, false),
            (first, 10, false),
            (second, 11, false),
            (first, 12, true),
            (second, 13, true),
            (first, 0, false),
        ];
        assert_eq!(steps, expected);
    }
}
