//! A large response in parts, for clients that asked for it.

use crate::etcd::wire::WatchResponse;
use prost::Message;

/// Cuts a response into parts below `max_bytes` where that is possible: a part holds at least one event, and all but the
/// last are flagged. The parts must follow each other on the stream (etcd: sendFragments).
pub(super) fn parts(response: WatchResponse, max_bytes: usize) -> Vec<WatchResponse> {
    if response.events.len() < 2 || response.encoded_len() < max_bytes {
        return vec![response];
    }
    let WatchResponse { events, .. } = response;
    let frame = WatchResponse { events: Vec::new(), fragment: true, ..response };
    let frame_bytes = frame.encoded_len();
    let mut parts = vec![frame.clone()];
    let mut part_bytes = frame_bytes;
    for event in events {
        // Tag and length of the field take at most 6 bytes.
        let event_bytes = event.encoded_len() + 6;
        let full = part_bytes + event_bytes >= max_bytes;
        if full && parts.last().is_some_and(|part| !part.events.is_empty()) {
            parts.push(frame.clone());
            part_bytes = frame_bytes;
        }
        part_bytes += event_bytes;
        if let Some(part) = parts.last_mut() {
            part.events.push(event);
        }
    }
    if let Some(last) = parts.last_mut() {
        last.fragment = false;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::etcd::wire::Event;

    fn response(sizes: &[usize]) -> WatchResponse {
        let events = sizes.iter().map(|size| Event { kv: vec![7; *size].into(), ..Event::default() }).collect();
        WatchResponse { watch_id: 3, events, ..WatchResponse::default() }
    }

    #[test]
    fn parts_are_small_ordered_and_flagged() {
        let whole = response(&[400, 400, 400, 2000, 10]);
        let parts = parts(whole.clone(), 1000);
        let sizes: Vec<usize> = parts.iter().map(|part| part.events.len()).collect();
        assert_eq!(sizes, [2, 1, 1, 1]);
        let flags: Vec<bool> = parts.iter().map(|part| part.fragment).collect();
        assert_eq!(flags, [true, true, true, false]);
        let merged: Vec<Event> = parts.into_iter().flat_map(|part| part.events).collect();
        assert_eq!(merged, whole.events);
    }

    #[test]
    fn a_small_response_and_a_single_event_stay_whole() {
        assert_eq!(parts(response(&[10, 10]), 1000).len(), 1);
        let single = parts(response(&[5000]), 1000);
        assert_eq!(single.len(), 1);
        assert!(!single[0].fragment);
    }
}
