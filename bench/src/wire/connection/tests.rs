//! The connection against replies written by hand.

use super::*;

const PATH: Method = Method::unary("/etcdserverpb.KV/Put");

/// What a server says first: settings and their acknowledgement.
fn greeting() -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::put_head(&mut bytes, 6, kind::SETTINGS, 0, 0);
    bytes.extend([0, 3, 0, 0, 0, 100]);
    frame::put_head(&mut bytes, 0, kind::SETTINGS, flag::ACK, 0);
    bytes
}

fn reply(stream: u32, message: &[u8], grpc_status: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::put_head(&mut bytes, 1, kind::HEADERS, flag::END_HEADERS, stream);
    bytes.push(0x88);
    let length = u8::try_from(message.len()).unwrap();
    frame::put_head(&mut bytes, 5 + message.len(), kind::DATA, 0, stream);
    bytes.extend([0, 0, 0, 0, length]);
    bytes.extend(message);
    frame::put_head(&mut bytes, 15, kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream);
    bytes.extend(b"\x00\x0bgrpc-status\x01");
    bytes.push(b'0' + grpc_status);
    bytes
}

fn ready() -> Connection {
    let mut connection = Connection::new("127.0.0.1:2379");
    connection.receive(&greeting(), &mut Vec::new()).unwrap();
    connection.output().clear();
    connection
}

#[test]
fn a_call_completes_however_the_bytes_are_cut() {
    let mut bytes = greeting();
    bytes.extend(reply(3, b"second", 0));
    bytes.extend(reply(1, b"first", 0));
    for cut in 0..bytes.len() {
        let mut connection = Connection::new("127.0.0.1:2379");
        connection.call(10, PATH, b"a").unwrap();
        connection.call(11, PATH, b"b").unwrap();
        let mut done = Vec::new();
        connection.receive(&bytes[..cut], &mut done).unwrap();
        connection.receive(&bytes[cut..], &mut done).unwrap();
        assert!(connection.is_ready() && connection.streams_max() == 100);
        let slots: Vec<_> = done.iter().map(|one| (one.slot, one.message().unwrap())).collect();
        assert_eq!(slots, [(11, b"second".as_slice()), (10, b"first")]);
        assert_eq!((connection.calls.len(), connection.first_stream), (0, 5));
    }
}

#[test]
fn only_success_counts() {
    let refused = |bytes: &[u8]| {
        let mut connection = ready();
        connection.call(0, PATH, b"a").unwrap();
        connection.receive(bytes, &mut Vec::new()).unwrap_err()
    };
    assert!(matches!(refused(&reply(1, b"x", 8)), WireError::Status { grpc, .. } if grpc == "8"));
    let mut without_message = Vec::new();
    frame::put_head(&mut without_message, 16, kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1);
    without_message.extend(b"\x88\x00\x0bgrpc-status\x010");
    assert!(matches!(refused(&without_message), WireError::Protocol(_)));
    assert!(matches!(refused(&reply(3, b"x", 0)), WireError::Protocol(_)), "a call that was not made");
    let mut reset = Vec::new();
    frame::put_head(&mut reset, 4, kind::RST_STREAM, 0, 1);
    reset.extend(7_u32.to_be_bytes());
    assert_eq!(refused(&reset), WireError::Reset { code: 7 });
}

#[test]
fn calls_wait_for_the_server_s_window_in_order() {
    let mut connection = ready();
    let message = vec![7; 60_000];
    for slot in 0..3 {
        connection.call(slot, PATH, &message).unwrap();
    }
    assert_eq!((connection.calls.len(), connection.waiting.len()), (1, 2));
    let mut update = Vec::new();
    frame::put_window_update(&mut update, 0, 60_000);
    connection.receive(&update, &mut Vec::new()).unwrap();
    assert_eq!((connection.calls.len(), connection.waiting.len()), (2, 1));
    assert_eq!(connection.waiting.front().unwrap().slot, 2);
    assert!(connection.call(3, PATH, &vec![0; 70_000]).is_err() || connection.waiting.len() == 2);
}

#[test]
fn what_is_sent_is_whole_frames_with_the_message_in_them() {
    let mut connection = ready();
    let message: Vec<u8> = (0..40_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    connection.call(0, PATH, &message).unwrap();
    let output = std::mem::take(connection.output());
    let mut input = output.as_slice();
    let headers = frame::next(&mut input).unwrap().unwrap();
    assert_eq!((headers.kind, headers.stream, headers.flags), (kind::HEADERS, 1, flag::END_HEADERS));
    assert!(String::from_utf8_lossy(headers.payload).contains(PATH.path));
    let mut sent: Vec<u8> = Vec::new();
    let mut ended = false;
    while let Some(data) = frame::next(&mut input).unwrap() {
        assert!(!ended && data.kind == kind::DATA);
        sent.extend(data.payload);
        ended = data.has(flag::END_STREAM);
    }
    assert!(ended && input.is_empty());
    assert_eq!(sent[..5], [0, 0, 0, 0x9c, 0x40]);
    assert_eq!(sent[5..], message);
}

#[test]
fn a_ping_is_answered_with_its_own_bytes() {
    let mut connection = ready();
    let mut ping = Vec::new();
    frame::put_head(&mut ping, 8, kind::PING, 0, 0);
    ping.extend(b"12345678");
    connection.receive(&ping, &mut Vec::new()).unwrap();
    let mut expected = Vec::new();
    frame::put_head(&mut expected, 8, kind::PING, flag::ACK, 0);
    expected.extend(b"12345678");
    assert_eq!(*connection.output(), expected);
}
