//! A client made of two functions, for requests that need no state of their own: an administrator's call, a page, a count.

use super::client::{Answer, Client, WrongReply};
use crate::wire::Method;

struct Ask<W, R> {
    method: Method,
    left: u64,
    write: W,
    read: R,
}

/// Asks `times` times: `write` appends the request, `read` checks the reply. What a call that streams is worth was said
/// by its parts.
pub(crate) fn ask<W, R>(method: Method, times: u64, write: W, read: R) -> Box<dyn Client>
where
    W: FnMut(&mut Vec<u8>) + 'static,
    R: FnMut(&[u8]) -> Result<Answer, WrongReply> + 'static,
{
    Box::new(Ask { method, left: times, write, read })
}

impl<W, R> Client for Ask<W, R>
where
    W: FnMut(&mut Vec<u8>),
    R: FnMut(&[u8]) -> Result<Answer, WrongReply>,
{
    fn request(&mut self, message: &mut Vec<u8>) -> Option<Method> {
        self.left = self.left.checked_sub(1)?;
        (self.write)(message);
        Some(self.method)
    }

    fn reply(&mut self, message: &[u8]) -> Result<Answer, WrongReply> {
        (self.read)(message)
    }

    fn end(&mut self) -> Result<(), WrongReply> {
        Ok(())
    }
}
