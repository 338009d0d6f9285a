//! One HTTP/2 connection that carries gRPC calls, without any I/O: bytes in, bytes and arrivals out.
//!
//! It exists because a general client costs several times what the calls of a fast server cost, and would then be
//! what is measured. It does only what a gRPC server needs of a client, and treats everything else as an error.

use std::collections::VecDeque;

use super::error::WireError;
use super::frame::{self, Frame, flag, kind, setting};
use super::hpack::{Decoder, ReplyFields, RequestHeaders};
use super::method::{Method, Shape};

/// The largest flow-control window: replies are never held back by us.
const WINDOW_BYTES: u32 = (1 << 31) - 1;
/// The window that both directions start with (RFC 9113, section 6.9.2).
const WINDOW_BYTES_INITIAL: u32 = 65_535;
/// After so many received bytes a window is filled up again.
const WINDOW_REFILL_BYTES: u32 = 1 << 28;
/// Length and compression flag before a gRPC message.
const MESSAGE_HEAD_BYTES: usize = 5;
/// The header table that the server must allow; every server known to us allows it.
const HEADER_TABLE_BYTES_MIN: u32 = 4096;
/// Buffers of finished calls that are kept for the next ones.
const SPARE_BUFFERS_MAX: usize = 1_024;

/// A message of the server, which ends the call if it is unary; or the end of a call that streamed.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// What the caller gave to [`Connection::call`].
    pub(crate) slot: usize,
    /// The message with its head; empty at the end of a call that streamed.
    body: Vec<u8>,
}

impl Arrival {
    /// The protobuf message; `None` when this is only the end of a call that streamed.
    pub(crate) fn message(&self) -> Option<&[u8]> {
        self.body.get(MESSAGE_HEAD_BYTES..)
    }
}

#[derive(Debug)]
struct Call {
    slot: usize,
    shape: Shape,
    http_status: Option<u16>,
    body: Vec<u8>,
    /// Received since the stream's window was last filled up; counted only for calls that stream.
    received: u32,
}

/// A call that waits for the server to take more bytes.
#[derive(Debug)]
struct Waiting {
    slot: usize,
    method: Method,
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
    /// Open calls by stream: the first is stream `first_stream`, then every second number; `None` has ended. A call that
    /// nobody ends holds the front, so such calls have connections of their own.
    calls: VecDeque<Option<Call>>,
    first_stream: u32,
    /// Slots with a two-way call, and its stream.
    open: Vec<(usize, u32)>,
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
            open: Vec::new(),
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

    /// Sends the protobuf `message` to the method, now or as soon as the server takes more bytes. A slot's second message
    /// to a two-way method goes into the call that is open.
    ///
    /// # Errors
    /// [`WireError::Protocol`] when the message is larger than the server's window for one call.
    pub(crate) fn call(&mut self, slot: usize, method: Method, message: &[u8]) -> Result<(), WireError> {
        if self.waiting.is_empty() && self.has_room_for(message)? {
            return self.start(slot, method, message);
        }
        let mut copy = self.spare.pop().unwrap_or_default();
        copy.extend(message);
        self.waiting.push_back(Waiting { slot, method, message: copy });
        Ok(())
    }

    /// Takes bytes from the server and appends what they complete.
    ///
    /// # Errors
    /// Any [`WireError`]: the connection, and the run, are void.
    pub(crate) fn receive(&mut self, bytes: &[u8], arrivals: &mut Vec<Arrival>) -> Result<(), WireError> {
        let mut rest = bytes;
        if !self.partial.is_empty() {
            // Only the frame that was cut is put together; the others are read where they are.
            let mut cut = std::mem::take(&mut self.partial);
            while !rest.is_empty() && frame::missing(&cut) > 0 {
                let (part, after) = rest.split_at(frame::missing(&cut).min(rest.len()));
                cut.extend_from_slice(part);
                rest = after;
            }
            let left = self.frames(&cut, arrivals)?.len();
            cut.drain(..cut.len() - left);
            self.partial = cut;
        }
        if self.partial.is_empty() {
            let left = self.frames(rest, arrivals)?;
            self.partial.extend_from_slice(left);
        }
        Ok(())
    }

    /// Gives the buffer of an arrival back for later calls.
    pub(crate) fn recycle(&mut self, arrival: Arrival) {
        self.keep(arrival.body);
    }

    fn keep(&mut self, mut buffer: Vec<u8>) {
        if self.spare.len() < SPARE_BUFFERS_MAX && buffer.capacity() > 0 {
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

    fn start(&mut self, slot: usize, method: Method, message: &[u8]) -> Result<(), WireError> {
        if let Some((_, stream)) = self.open.iter().find(|(its_slot, _)| *its_slot == slot) {
            let stream = *stream;
            self.put_message(stream, message, 0);
            return Ok(());
        }
        const EXHAUSTED: WireError = WireError::Protocol("this connection has no stream numbers left");
        let number = u32::try_from(self.calls.len()).map_err(|_| EXHAUSTED)?;
        let stream = self.first_stream.checked_add(number * 2).filter(|stream| *stream <= WINDOW_BYTES);
        let stream = stream.ok_or(EXHAUSTED)?;
        let body = self.spare.pop().unwrap_or_default();
        self.calls.push_back(Some(Call { slot, shape: method.shape, http_status: None, body, received: 0 }));

        // The head is written first with no length, which is known after the block.
        let head = self.output.len();
        frame::put_head(&mut self.output, 0, kind::HEADERS, flag::END_HEADERS, stream);
        let block = self.output.len();
        self.headers.encode(method.path, &mut self.output)?;
        let length = u16::try_from(self.output.len() - block).expect("invariant: the fields are bounded").to_be_bytes();
        if let Some(place) = self.output.get_mut(head + 1..head + 3) {
            place.copy_from_slice(&length);
        }
        if method.shape == Shape::TwoWay {
            self.open.push((slot, stream));
            self.put_message(stream, message, 0);
        } else {
            self.put_message(stream, message, flag::END_STREAM);
        }
        Ok(())
    }

    /// Appends a message as DATA frames; the last of them has `end`.
    fn put_message(&mut self, stream: u32, message: &[u8], end: u8) {
        let total = message.len() + MESSAGE_HEAD_BYTES;
        self.send_window -= i64::try_from(total).unwrap_or(i64::MAX);
        let message_length = u32::try_from(message.len()).expect("invariant: a message fits a window");
        let (mut part, mut rest) = message.split_at(message.len().min(frame::PAYLOAD_BYTES_MAX - MESSAGE_HEAD_BYTES));
        let mut head_bytes = MESSAGE_HEAD_BYTES;
        loop {
            let flags = if rest.is_empty() { end } else { 0 };
            frame::put_head(&mut self.output, head_bytes + part.len(), kind::DATA, flags, stream);
            if head_bytes > 0 {
                let [l0, l1, l2, l3] = message_length.to_be_bytes();
                self.output.extend_from_slice(&[0, l0, l1, l2, l3]);
                head_bytes = 0;
            }
            self.output.extend_from_slice(part);
            if rest.is_empty() {
                return;
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
            self.start(first.slot, first.method, &first.message)?;
            self.keep(first.message);
        }
        Ok(())
    }

    /// Handles all whole frames and returns what is left.
    fn frames<'a>(&mut self, mut input: &'a [u8], arrivals: &mut Vec<Arrival>) -> Result<&'a [u8], WireError> {
        while let Some(frame) = frame::next(&mut input)? {
            match frame.kind {
                kind::DATA => self.data(&frame, arrivals)?,
                kind::HEADERS => self.reply_headers(&frame, arrivals)?,
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

    fn data(&mut self, frame: &Frame<'_>, arrivals: &mut Vec<Arrival>) -> Result<(), WireError> {
        let content = frame.content()?;
        // Padding counts too (RFC 9113, section 6.9.1).
        let bytes = u32::try_from(frame.payload.len()).expect("invariant: at most 16 KiB");
        let call = call_of(&mut self.calls, self.first_stream, frame.stream)?;
        if let Some(call) = call {
            call.body.extend_from_slice(content);
            if call.shape != Shape::Unary {
                whole_messages(call, &mut self.spare, arrivals)?;
                call.received += bytes;
                if call.received >= WINDOW_REFILL_BYTES {
                    frame::put_window_update(&mut self.output, frame.stream, call.received);
                    call.received = 0;
                }
            }
        }
        if frame.has(flag::END_STREAM) {
            return Err(WireError::Protocol("a call ended without a gRPC status"));
        }
        self.received += bytes;
        if self.received >= WINDOW_REFILL_BYTES {
            frame::put_window_update(&mut self.output, 0, self.received);
            self.received = 0;
        }
        Ok(())
    }

    fn reply_headers(&mut self, frame: &Frame<'_>, arrivals: &mut Vec<Arrival>) -> Result<(), WireError> {
        if !frame.has(flag::END_HEADERS) {
            return Err(WireError::Protocol("a header block in more than one frame"));
        }
        let mut fields = self.decoder.decode(frame.content()?)?;
        let place = call_of(&mut self.calls, self.first_stream, frame.stream)?;
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
        if call.shape == Shape::TwoWay {
            self.open.retain(|(slot, _)| *slot != call.slot);
        }
        arrivals.push(end(call, fields)?);
        Ok(())
    }
}

fn call_of(calls: &mut VecDeque<Option<Call>>, first: u32, stream: u32) -> Result<&mut Option<Call>, WireError> {
    const UNKNOWN: WireError = WireError::Protocol("a frame for a call that is not open");
    let offset = stream.checked_sub(first).filter(|offset| offset % 2 == 0).ok_or(UNKNOWN)?;
    let number = usize::try_from(offset / 2).map_err(|_| UNKNOWN)?;
    calls.get_mut(number).filter(|call| call.is_some()).ok_or(UNKNOWN)
}

/// The length of the first message of a body with its head; `None` when the head has not arrived.
fn first_length(body: &[u8]) -> Result<Option<usize>, WireError> {
    match body.first_chunk() {
        None => Ok(None),
        Some(&[0, l0, l1, l2, l3]) => {
            let length = usize::try_from(u32::from_be_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
            Ok(Some(length.saturating_add(MESSAGE_HEAD_BYTES)))
        }
        Some(_) => Err(WireError::Protocol("a compressed message, which was not asked for")),
    }
}

/// Takes the messages that are complete off the front of a call's body.
fn whole_messages(call: &mut Call, spare: &mut Vec<Vec<u8>>, arrivals: &mut Vec<Arrival>) -> Result<(), WireError> {
    let slot = call.slot;
    let mut rest = call.body.as_slice();
    while let Some(length) = first_length(rest)? {
        let Some((message, after)) = rest.split_at_checked(length) else { break };
        if after.is_empty() && length == call.body.len() {
            // The usual case hands the buffer on instead of copying it.
            let body = std::mem::replace(&mut call.body, spare.pop().unwrap_or_default());
            arrivals.push(Arrival { slot, body });
            return Ok(());
        }
        let mut body = spare.pop().unwrap_or_default();
        body.extend_from_slice(message);
        arrivals.push(Arrival { slot, body });
        rest = after;
    }
    let taken = call.body.len() - rest.len();
    call.body.drain(..taken);
    Ok(())
}

/// A call counts only with HTTP 200, gRPC status 0 and whole, uncompressed messages; a unary one with exactly one.
fn end(call: Call, fields: ReplyFields) -> Result<Arrival, WireError> {
    if fields.http_status != Some(200) || fields.grpc_status != Some(0) {
        let text = |status: Option<u16>| status.map_or_else(|| "(none)".to_owned(), |status| status.to_string());
        return Err(WireError::Status {
            http: text(fields.http_status),
            grpc: text(fields.grpc_status),
            message: String::from_utf8_lossy(&fields.grpc_message.unwrap_or_default()).into_owned(),
        });
    }
    let whole = match call.shape {
        Shape::Unary => first_length(&call.body)? == Some(call.body.len()),
        Shape::ServerStream | Shape::TwoWay => call.body.is_empty(),
    };
    if whole {
        Ok(Arrival { slot: call.slot, body: call.body })
    } else {
        Err(WireError::Protocol("a reply is not whole, uncompressed gRPC messages"))
    }
}

#[cfg(test)]
mod tests;
