//! etcd's own Kubernetes traffic (tests/robustness/traffic/kubernetes.go of etcd 3.7): reads are 80 % lists of a prefix
//! with some ten keys, 8 % gets for the revision, 5 % gets, 5 % lists and 2 % gets at an earlier revision; writes are
//! 90 % updates, 5 % creates, 5 % deletes; eight clients of each and eight watchers, at a fixed rate together.
//!
//! One thing differs: the watch that follows a list there stays open here, eight of them from the start.

use super::list::{PAGE, page};
use super::request::{self, RANGE, Range, TXN};
use super::{Answer, Client, Payload, Random, WrongReply, data};
use crate::wire::Method;

pub(crate) const RESOURCE: &str = "mixedobjects";
pub(crate) const CLIENTS: usize = 8;
/// Requests a second of all readers, and of all writers: the upper end of that traffic's range together.
pub(crate) const RATE: f64 = 500.0;
const VALUE_BYTES: usize = 1_024;
/// Objects that a writer has at most; half of them live most of the time, so there are ten or more at once.
const OBJECTS: usize = 3;

struct Reader {
    random: Random,
    prefix: Vec<u8>,
    end: Vec<u8>,
    key: Vec<u8>,
    /// A revision that was seen, for reads at an earlier one.
    seen: u64,
}

/// One that reads.
pub(super) fn reader(index: u64, _count: u64) -> Box<dyn Client> {
    let (prefix, end) = request::prefix(RESOURCE);
    Box::new(Reader { random: Random::new(index + 1_000), prefix, end, key: Vec::new(), seen: 0 })
}

impl Client for Reader {
    fn request(&mut self, message: &mut Vec<u8>) -> Option<Method> {
        let objects = u64::try_from(CLIENTS * OBJECTS).expect("invariant: a small number");
        data::write_key(&mut self.key, RESOURCE, self.random.below(objects));
        let list = Range { end: &self.end, limit: PAGE, ..Range::of(&self.prefix) };
        let get = Range { limit: 1, ..Range::of(&self.key) };
        match self.random.below(100) {
            0..80 => list.write(message),
            80..88 => Range { limit: 1, ..Range::of(b"/registry/mixedobjects") }.write(message),
            88..93 => get.write(message),
            93..98 => Range { revision: self.seen, ..list }.write(message),
            _ => Range { revision: self.seen, ..get }.write(message),
        }
        Some(RANGE)
    }

    fn reply(&mut self, message: &[u8]) -> Result<Answer, WrongReply> {
        let page = page(message)?;
        if page.revision < self.seen {
            return Err(WrongReply("a read's revision is below that of an earlier read"));
        }
        self.seen = page.revision;
        Ok(Answer::Done(1))
    }
}

struct Writer {
    random: Random,
    first: u64,
    /// The revision of each object; `None` when it is not there.
    objects: [Option<u64>; OBJECTS],
    current: usize,
    deletes: bool,
    payload: Payload,
    key: Vec<u8>,
}

/// One that writes; the objects are its own, so no transaction fails.
pub(super) fn writer(index: u64, _count: u64) -> Box<dyn Client> {
    let first = index * u64::try_from(OBJECTS).expect("invariant: a small number");
    let (random, payload) = (Random::new(index), Payload::new(index, VALUE_BYTES));
    Box::new(Writer { random, first, objects: [None; OBJECTS], current: 0, deletes: false, payload, key: Vec::new() })
}

impl Writer {
    /// The first object that is there, or is not.
    fn one(&self, there: bool) -> Option<usize> {
        self.objects.iter().position(|object| object.is_some() == there)
    }
}

impl Client for Writer {
    fn request(&mut self, message: &mut Vec<u8>) -> Option<Method> {
        let (choice, living, free) = (self.random.below(100), self.one(true), self.one(false));
        self.deletes = false;
        self.current = match (choice, living, free) {
            (90..95, _, Some(free)) | (_, None, Some(free)) => free,
            (95.., Some(living), _) => {
                self.deletes = true;
                living
            }
            (_, living, _) => living.unwrap_or_default(),
        };
        let number = self.first + u64::try_from(self.current).expect("invariant: a small number");
        data::write_key(&mut self.key, RESOURCE, number);
        match self.objects.get(self.current).copied().flatten() {
            None => request::create(message, &self.key, self.payload.next()),
            Some(revision) if self.deletes => request::delete(message, &self.key, revision),
            Some(revision) => request::update(message, &self.key, self.payload.next(), revision),
        }
        Some(TXN)
    }

    fn reply(&mut self, message: &[u8]) -> Result<Answer, WrongReply> {
        let now = request::succeeded(message)?;
        if let Some(object) = self.objects.get_mut(self.current) {
            *object = (!self.deletes).then_some(now);
        }
        Ok(Answer::Done(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::protobuf::{bytes, put_bytes, put_number};

    #[test]
    fn writes_have_their_shares() {
        let mut client = writer(0, 1);
        let (mut creates, mut updates, mut deletes) = (0, 0, 0);
        for revision in 1..=10_000 {
            let mut message = Vec::new();
            client.request(&mut message);
            if bytes(bytes(&message, 2).unwrap(), 3).is_some() {
                deletes += 1;
            } else if bytes(&message, 3).is_some() {
                updates += 1;
            } else {
                creates += 1;
            }
            let (mut header, mut reply) = (Vec::new(), Vec::new());
            put_number(&mut header, 3, revision);
            put_bytes(&mut reply, 1, &header);
            put_number(&mut reply, 2, 1);
            client.reply(&reply).unwrap();
        }
        assert!((350..=650).contains(&deletes) && (350..=650).contains(&creates), "{creates} {updates} {deletes}");
    }
}
