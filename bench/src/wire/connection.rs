//! One HTTP/2 connection that carries unary gRPC calls, without any I/O: bytes in, bytes and completions out.
//!
//! It exists because a general client costs several times what the calls of a fast server cost, and would then be
//! what is measured. It does only what a gRPC server needs of a client, and treats everything else as an error.

use std::collections::VecDeque;

use super::error::WireError;
use super::frame::{self, Frame, flag, kind, setting};
use super::hpack::{Decoder, ReplyFields, RequestHeaders};

/// The largest flow-control window: replies are never held back by us.
const WINDOW_BYTES: u32 = (1 << 31) - 1;
/// The window that both directions start with (RFC 9113, section 6.9.2).
const WINDOW_BYTES_INITIAL: u32 = 65_535;
/// After so many received bytes the connection's window is filled up again.
const WINDOW_REFILL_BYTES: u32 = 1 << 28;
/// Length and compression flag before a gRPC message.
const MESSAGE_HEAD_BYTES: usize = 5;
/// The header table that the server must allow; every server known to us allows it.
const HEADER_TABLE_BYTES_MIN: u32 = 4096;
/// Buffers of finished calls that are kept for the next ones.
const SPARE_BUFFERS_MAX: usize = 1_024;

/// A call that succeeded.
#[derive(Debug)]
pub(crate) struct Completion {
    /// What the caller gave to [`Connection::call`].
    pub(crate) slot: usize,
    body: Vec<u8>,
}

impl Completion {
    /// The reply's protobuf message.
    pub(crate) fn message(&self) -> &[u8] {
        self.body.get(MESSAGE_HEAD_BYTES..).unwrap_or_default()
    }
}

#[derive(Debug)]
struct Call {
    slot: usize,
    http_status: Option<Vec<u8>>,
    body: Vec<u8>,
}

/// A call that waits for the server to take more bytes.
#[derive(Debug)]
struct Waiting {
    slot: usize,
    path: &'static str,
    message: Vec<u8>,
}

/// The state of one connection.
#[derive(Debug)]
pub(crate) struct Connection {
    output: Vec<u8>,
    /// The beginning of a frame whose end has not arrived.
    partial: Vec<u8>,
    decoder: Decoder,
    headers: RequestHeaders,
    ready: bool,
    streams_max: u32,
    send_window: i64,
    stream_window: i64,
    received: u32,
    /// Open calls by stream: the first is stream `first_stream`, then every second number; `None` has ended.
    calls: VecDeque<Option<Call>>,
    first_stream: u32,
    waiting: VecDeque<Waiting>,
    spare: Vec<Vec<u8>>,
}

impl Connection {
    /// A connection to `authority` (host and port) whose opening bytes wait in [`Connection::output`].
    pub(crate) fn new(authority: &str) -> Connection {
        let mut output = frame::PREFACE.to_vec();
        let settings = [(setting::ENABLE_PUSH, 0), (setting::INITIAL_WINDOW_SIZE, WINDOW_BYTES)];
        frame::put_head(&mut output, settings.len() * 6, kind::SETTINGS, 0, 0);
        for (name, value) in settings {
            output.extend(name.to_be_bytes());
            output.extend(value.to_be_bytes());
        }
        frame::put_window_update(&mut output, 0, WINDOW_BYTES - WINDOW_BYTES_INITIAL);
        Connection {
            output,
            partial: Vec::new(),
            decoder: Decoder::default(),
            headers: RequestHeaders::new(authority),
            ready: false,
            streams_max: u32::MAX,
            send_window: i64::from(WINDOW_BYTES_INITIAL),
            stream_window: i64::from(WINDOW_BYTES_INITIAL),
            received: 0,
            calls: VecDeque::new(),
            first_stream: 1,
            waiting: VecDeque::new(),
            spare: Vec::new(),
        }
    }

    /// The server's settings have arrived: calls may start.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready
    }

    /// How many calls the server lets run at once.
    pub(crate) fn streams_max(&self) -> u32 {
        self.streams_max
    }

    /// Bytes to be written to the server; the caller takes what it has written off the front.
    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Calls the method `path` with the protobuf `message`. It starts now or as soon as the server takes more bytes.
    ///
    /// # Errors
    /// [`WireError::Protocol`] when the message is larger than the server's window for one call.
    pub(crate) fn call(&mut self, slot: usize, path: &'static str, message: &[u8]) -> Result<(), WireError> {
        if self.waiting.is_empty() && self.has_room_for(message)? {
            return self.start(slot, path, message);
        }
        let mut copy = self.spare.pop().unwrap_or_default();
        copy.extend(message);
        self.waiting.push_back(Waiting { slot, path, message: copy });
        Ok(())
    }

    /// Takes bytes from the server and appends the calls that they complete.
    ///
    /// # Errors
    /// Any [`WireError`]: the connection, and the run, are void.
    pub(crate) fn receive(&mut self, bytes: &[u8], completions: &mut Vec<Completion>) -> Result<(), WireError> {
        if self.partial.is_empty() {
            let rest = self.frames(bytes, completions)?;
            self.partial.extend(rest);
            return Ok(());
        }
        let mut joined = std::mem::take(&mut self.partial);
        joined.extend(bytes);
        let rest = self.frames(&joined, completions)?.len();
        joined.drain(..joined.len() - rest);
        self.partial = joined;
        Ok(())
    }

    /// Gives the buffer of a completion back for later calls.
    pub(crate) fn recycle(&mut self, completion: Completion) {
        self.keep(completion.body);
    }

    fn keep(&mut self, mut buffer: Vec<u8>) {
        if self.spare.len() < SPARE_BUFFERS_MAX {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    fn has_room_for(&self, message: &[u8]) -> Result<bool, WireError> {
        let bytes = i64::try_from(message.len() + MESSAGE_HEAD_BYTES).unwrap_or(i64::MAX);
        if bytes > self.stream_window {
            return Err(WireError::Protocol("a message larger than the server's window for one call"));
        }
        Ok(bytes <= self.send_window)
    }

    fn start(&mut self, slot: usize, path: &'static str, message: &[u8]) -> Result<(), WireError> {
        const EXHAUSTED: WireError = WireError::Protocol("this connection has no stream numbers left");
        let number = u32::try_from(self.calls.len()).map_err(|_| EXHAUSTED)?;
        let stream = self.first_stream.checked_add(number * 2).filter(|stream| *stream <= WINDOW_BYTES);
        let stream = stream.ok_or(EXHAUSTED)?;
        let body = self.spare.pop().unwrap_or_default();
        self.calls.push_back(Some(Call { slot, http_status: None, body }));

        // The head is written first with no length, which is known after the block.
        let head = self.output.len();
        frame::put_head(&mut self.output, 0, kind::HEADERS, flag::END_HEADERS, stream);
        let block = self.output.len();
        self.headers.encode(path, &mut self.output)?;
        let length = u16::try_from(self.output.len() - block).expect("invariant: the fields are bounded").to_be_bytes();
        if let Some(place) = self.output.get_mut(head + 1..head + 3) {
            place.copy_from_slice(&length);
        }

        let total = message.len() + MESSAGE_HEAD_BYTES;
        self.send_window -= i64::try_from(total).unwrap_or(i64::MAX);
        let message_length = u32::try_from(message.len()).expect("invariant: a message fits a window");
        let (mut part, mut rest) = message.split_at(message.len().min(frame::PAYLOAD_BYTES_MAX - MESSAGE_HEAD_BYTES));
        let mut head_bytes = MESSAGE_HEAD_BYTES;
        loop {
            let flags = if rest.is_empty() { flag::END_STREAM } else { 0 };
            frame::put_head(&mut self.output, head_bytes + part.len(), kind::DATA, flags, stream);
            if head_bytes > 0 {
                self.output.push(0);
                self.output.extend(message_length.to_be_bytes());
                head_bytes = 0;
            }
            self.output.extend(part);
            if rest.is_empty() {
                return Ok(());
            }
            (part, rest) = rest.split_at(rest.len().min(frame::PAYLOAD_BYTES_MAX));
        }
    }

    fn start_waiting(&mut self) -> Result<(), WireError> {
        while let Some(first) = self.waiting.front() {
            if !self.has_room_for(&first.message)? {
                return Ok(());
            }
            let first = self.waiting.pop_front().expect("invariant: there is a first");
            self.start(first.slot, first.path, &first.message)?;
            self.keep(first.message);
        }
        Ok(())
    }

    /// Handles all whole frames and returns what is left.
    fn frames<'a>(&mut self, mut input: &'a [u8], done: &mut Vec<Completion>) -> Result<&'a [u8], WireError> {
        while let Some(frame) = frame::next(&mut input)? {
            match frame.kind {
                kind::DATA => self.data(&frame)?,
                kind::HEADERS => self.reply_headers(&frame, done)?,
                kind::RST_STREAM => return Err(WireError::Reset { code: frame::number(frame.payload)? }),
                kind::SETTINGS if !frame.has(flag::ACK) => self.settings(frame.payload)?,
                kind::PING if !frame.has(flag::ACK) => {
                    frame::put_head(&mut self.output, frame.payload.len(), kind::PING, flag::ACK, 0);
                    self.output.extend(frame.payload);
                }
                kind::GOAWAY => {
                    let code = frame::number(frame.payload.get(4..).unwrap_or_default())?;
                    let text = String::from_utf8_lossy(frame.payload.get(8..).unwrap_or_default()).into_owned();
                    return Err(WireError::GoAway { code, text });
                }
                kind::WINDOW_UPDATE if frame.stream == 0 => {
                    self.send_window += i64::from(frame::number(frame.payload)?);
                    self.start_waiting()?;
                }
                // Acknowledgements, and updates of the windows of single calls, which are never exhausted here.
                _ => {}
            }
        }
        Ok(input)
    }

    fn settings(&mut self, mut payload: &[u8]) -> Result<(), WireError> {
        while let Some((&[n0, n1, v0, v1, v2, v3], rest)) = payload.split_first_chunk() {
            payload = rest;
            let value = u32::from_be_bytes([v0, v1, v2, v3]);
            match u16::from_be_bytes([n0, n1]) {
                setting::HEADER_TABLE_SIZE if value < HEADER_TABLE_BYTES_MIN => {
                    return Err(WireError::Protocol("the server's header table is smaller than 4096 bytes"));
                }
                setting::MAX_CONCURRENT_STREAMS => self.streams_max = value,
                setting::INITIAL_WINDOW_SIZE => self.stream_window = i64::from(value),
                _ => {}
            }
        }
        frame::put_head(&mut self.output, 0, kind::SETTINGS, flag::ACK, 0);
        self.ready = true;
        Ok(())
    }

    fn call_of(&mut self, stream: u32) -> Result<&mut Option<Call>, WireError> {
        const UNKNOWN: WireError = WireError::Protocol("a frame for a call that is not open");
        let offset = stream.checked_sub(self.first_stream).filter(|offset| offset % 2 == 0).ok_or(UNKNOWN)?;
        let number = usize::try_from(offset / 2).map_err(|_| UNKNOWN)?;
        self.calls.get_mut(number).filter(|call| call.is_some()).ok_or(UNKNOWN)
    }

    fn data(&mut self, frame: &Frame<'_>) -> Result<(), WireError> {
        let content = frame.content()?;
        if let Some(call) = self.call_of(frame.stream)? {
            call.body.extend(content);
        }
        if frame.has(flag::END_STREAM) {
            return Err(WireError::Protocol("a call ended without a gRPC status"));
        }
        // Padding counts too (RFC 9113, section 6.9.1).
        self.received += u32::try_from(frame.payload.len()).expect("invariant: at most 16 KiB");
        if self.received >= WINDOW_REFILL_BYTES {
            frame::put_window_update(&mut self.output, 0, self.received);
            self.received = 0;
        }
        Ok(())
    }

    fn reply_headers(&mut self, frame: &Frame<'_>, done: &mut Vec<Completion>) -> Result<(), WireError> {
        if !frame.has(flag::END_HEADERS) {
            return Err(WireError::Protocol("a header block in more than one frame"));
        }
        let mut fields = self.decoder.decode(frame.content()?)?;
        let place = self.call_of(frame.stream)?;
        if !frame.has(flag::END_STREAM) {
            if let Some(call) = place {
                call.http_status = fields.http_status;
            }
            return Ok(());
        }
        let call = place.take().expect("invariant: an open call was asked for");
        while matches!(self.calls.front(), Some(None)) {
            self.calls.pop_front();
            self.first_stream += 2;
        }
        if fields.http_status.is_none() {
            fields.http_status = call.http_status;
        }
        done.push(completion(call.slot, call.body, fields)?);
        Ok(())
    }
}

/// A call counts only with HTTP 200, gRPC status 0 and exactly one whole, uncompressed message.
fn completion(slot: usize, body: Vec<u8>, fields: ReplyFields) -> Result<Completion, WireError> {
    let succeeded = fields.http_status.as_deref() == Some(b"200") && fields.grpc_status.as_deref() == Some(b"0");
    if !succeeded {
        let text = |field: Option<Vec<u8>>| {
            field.map_or_else(|| "(none)".to_owned(), |text| String::from_utf8_lossy(&text).into_owned())
        };
        return Err(WireError::Status {
            http: text(fields.http_status),
            grpc: text(fields.grpc_status),
            message: text(fields.grpc_message),
        });
    }
    let whole = matches!(body.split_first_chunk(), Some((&[0, l0, l1, l2, l3], message))
        if usize::try_from(u32::from_be_bytes([l0, l1, l2, l3])) == Ok(message.len()));
    if whole {
        Ok(Completion { slot, body })
    } else {
        Err(WireError::Protocol("a reply is not one whole, uncompressed gRPC message"))
    }
}

#[cfg(test)]
mod tests;
