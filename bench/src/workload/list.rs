//! Lists of all objects of a resource: by pages of 500 as kube-apiserver reads them, or as one stream (etcd 3.7's
//! RangeStream, which newer kube-apiservers use). The unit is a key.

use super::request::{self, RANGE, RANGE_STREAM, Range};
use super::{Answer, Client, WrongReply, ask::ask};
use crate::wire::Method;
use crate::wire::protobuf::{Value, bytes, fields};

/// kube-apiserver's page (k8s.io/apiserver, pkg/storage/etcd3/store.go: the default chunk of a reflector's list).
pub(crate) const PAGE: u64 = 500;

/// One RangeResponse, in one pass.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page<'a> {
    pub(super) revision: u64,
    pub(super) keys: u64,
    pub(super) last: Option<&'a [u8]>,
    pub(super) more: bool,
    pub(super) count: u64,
}

/// Reads a RangeResponse: header=1, kvs=2, more=3, count=4.
pub(super) fn page(message: &[u8]) -> Result<Page<'_>, WrongReply> {
    let mut page = Page::default();
    let mut last_pair = None;
    for field in fields(message) {
        match field.ok_or(WrongReply("a range's reply is damaged"))? {
            (1, Value::Bytes(_)) => page.revision = request::header_revision(message)?,
            (2, Value::Bytes(pair)) => {
                page.keys += 1;
                last_pair = Some(pair);
            }
            (3, Value::Number(more)) => page.more = more == 1,
            (4, Value::Number(count)) => page.count = count,
            _ => {}
        }
    }
    page.last = last_pair.and_then(|pair| bytes(pair, 1));
    Ok(page)
}

struct Pages {
    prefix: Vec<u8>,
    end: Vec<u8>,
    expected: u64,
    /// Where the next page begins, the revision of the whole list, and the keys so far.
    next: Vec<u8>,
    revision: u64,
    seen: u64,
}

/// Lists `resource`, which has `expected` objects, by pages, for ever.
pub(super) fn by_pages(resource: &str, expected: u64) -> Box<dyn Client> {
    let (prefix, end) = request::prefix(resource);
    Box::new(Pages { next: prefix.clone(), prefix, end, expected, revision: 0, seen: 0 })
}

impl Client for Pages {
    fn request(&mut self, message: &mut Vec<u8>) -> Option<Method> {
        let range = Range { end: &self.end, limit: PAGE, revision: self.revision, ..Range::of(&self.next) };
        range.write(message);
        Some(RANGE)
    }

    fn reply(&mut self, message: &[u8]) -> Result<Answer, WrongReply> {
        let page = page(message)?;
        let last = page.last.ok_or(WrongReply("a page is empty"))?;
        self.seen += page.keys;
        if page.more {
            self.next.clear();
            self.next.extend_from_slice(last);
            self.next.push(0);
            // The first page decides the revision of the others.
            self.revision = if self.revision == 0 { page.revision } else { self.revision };
        } else {
            if self.seen != self.expected {
                return Err(WrongReply("a list by pages has too few or too many keys"));
            }
            self.next.clone_from(&self.prefix);
            (self.revision, self.seen) = (0, 0);
        }
        Ok(Answer::Done(page.keys))
    }
}

struct Stream {
    prefix: Vec<u8>,
    end: Vec<u8>,
    expected: u64,
    seen: u64,
}

/// Streams `resource`, which has `expected` objects, for ever.
pub(super) fn as_stream(resource: &str, expected: u64) -> Box<dyn Client> {
    let (prefix, end) = request::prefix(resource);
    Box::new(Stream { prefix, end, expected, seen: 0 })
}

impl Client for Stream {
    fn request(&mut self, message: &mut Vec<u8>) -> Option<Method> {
        Range { end: &self.end, ..Range::of(&self.prefix) }.write(message);
        Some(RANGE_STREAM)
    }

    fn reply(&mut self, message: &[u8]) -> Result<Answer, WrongReply> {
        // RangeStreamResponse: range_response=1.
        let part = page(bytes(message, 1).unwrap_or_default())?;
        self.seen += part.keys;
        Ok(Answer::Part(part.keys))
    }

    fn end(&mut self) -> Result<(), WrongReply> {
        if std::mem::take(&mut self.seen) == self.expected {
            return Ok(());
        }
        Err(WrongReply("a streamed list has too few or too many keys"))
    }
}

/// One page from the beginning of a resource of `count` objects, `times` times.
pub(crate) fn first_page(resource: &str, count: u64, times: u64) -> Box<dyn Client> {
    let (prefix, end) = request::prefix(resource);
    let write = move |message: &mut Vec<u8>| Range { end: &end, limit: PAGE, ..Range::of(&prefix) }.write(message);
    ask(RANGE, times, write, move |message| {
        let page = page(message)?;
        let right = page.keys == PAGE && page.count == count && page.more;
        if right { Ok(Answer::Done(1)) } else { Err(WrongReply("a page has too few keys or a wrong count")) }
    })
}

/// The number of objects of a resource, `times` times.
pub(crate) fn count(resource: &str, count: u64, times: u64) -> Box<dyn Client> {
    let (prefix, end) = request::prefix(resource);
    let write = move |message: &mut Vec<u8>| Range { end: &end, count_only: true, ..Range::of(&prefix) }.write(message);
    ask(RANGE, times, write, move |message| {
        if page(message)?.count == count { Ok(Answer::Done(1)) } else { Err(WrongReply("a count is wrong")) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::protobuf::{put_bytes, put_number};

    fn reply(first: u64, keys: u64, more: bool) -> Vec<u8> {
        let (mut header, mut reply) = (Vec::new(), Vec::new());
        put_number(&mut header, 3, 77);
        put_bytes(&mut reply, 1, &header);
        for number in first..first + keys {
            let mut pair = Vec::new();
            put_bytes(&mut pair, 1, format!("/registry/pods/{number:06}").as_bytes());
            put_bytes(&mut reply, 2, &pair);
        }
        put_number(&mut reply, 3, u64::from(more));
        put_number(&mut reply, 4, 600 - first);
        reply
    }

    #[test]
    fn pages_follow_each_other_at_one_revision() {
        let mut client = by_pages("pods", 600);
        let mut message = Vec::new();
        client.request(&mut message);
        assert_eq!(message, b"\x0a\x0f/registry/pods/\x12\x0f/registry/pods0\x18\xf4\x03");
        assert_eq!(client.reply(&reply(0, 500, true)), Ok(Answer::Done(500)));
        message.clear();
        client.request(&mut message);
        assert_eq!(bytes(&message, 1), Some(b"/registry/pods/000499\0".as_slice()));
        assert_eq!(crate::wire::protobuf::number(&message, 4), Some(77));
        assert_eq!(client.reply(&reply(500, 100, false)), Ok(Answer::Done(100)));
        message.clear();
        client.request(&mut message);
        assert_eq!(bytes(&message, 1), Some(b"/registry/pods/".as_slice()));
        assert!(client.reply(&reply(0, 500, false)).is_err(), "a list that ends early");
    }

    #[test]
    fn a_stream_is_checked_at_its_end() {
        let mut client = as_stream("pods", 600);
        let part = |first, keys| {
            let mut part = Vec::new();
            put_bytes(&mut part, 1, &reply(first, keys, false));
            part
        };
        for _ in 0..2 {
            assert_eq!(client.reply(&part(0, 400)), Ok(Answer::Part(400)));
            assert_eq!(client.reply(&part(400, 200)), Ok(Answer::Part(200)));
            assert_eq!(client.end(), Ok(()));
        }
        client.reply(&part(0, 400)).unwrap();
        assert!(client.end().is_err());
    }
}
