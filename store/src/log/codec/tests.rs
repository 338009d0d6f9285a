use super::*;
use proptest::prelude::*;

const AT: LogPoint = LogPoint { segment: 3, offset: 88 };

fn bytes() -> impl Strategy<Value = Bytes> {
    prop_oneof![9 => prop::collection::vec(any::<u8>(), 0..40), 1 => prop::collection::vec(any::<u8>(), 0..400)]
        .prop_map(Bytes::from)
}

fn event() -> impl Strategy<Value = Event> {
    let kind = prop_oneof![bytes().prop_map(EventKind::Put), Just(EventKind::Delete)];
    (bytes(), 0..i64::MAX, 0..200_i64, kind).prop_map(|(key, main, sub, kind)| Event {
        key,
        revision: Revision { main, sub },
        kind,
    })
}

fn record() -> impl Strategy<Value = Record> {
    let table = prop::sample::select(Table::ALL.to_vec());
    let write =
        (table, bytes(), prop::option::of(bytes())).prop_map(|(table, key, value)| TableWrite { table, key, value });
    let moved =
        (event(), prop::option::of(0..i64::MAX)).prop_map(|(event, superseded_at)| Moved { event, superseded_at });
    (
        prop::collection::vec(event(), 0..4),
        prop::collection::vec(write, 0..4),
        prop::option::of(0..i64::MAX),
        prop::collection::vec(moved, 0..3),
    )
        .prop_map(|(events, tables, compact, moved)| Record { events, tables, compact, moved })
}

fn encoded(record: &Record) -> (Bytes, Pieces) {
    // What stands before the payload in the batch does not matter.
    let mut out = vec![7; 5];
    let pieces = encode(record, AT, &mut out);
    (Bytes::from(out).slice(5..), pieces)
}

proptest! {
    #[test]
    fn a_record_comes_back_with_the_same_positions(record in record()) {
        let (payload, pieces) = encoded(&record);
        prop_assert!(payload.len() <= encoded_len_max(&record));
        let (decoded, found) = decode(&payload, AT).unwrap();
        prop_assert_eq!(&decoded, &record);
        prop_assert_eq!(&found, &pieces);
        for (event, at) in record.events.iter().zip(&pieces.events) {
            let from = (at.offset - AT.offset) as usize;
            let value = payload.slice(from..from + at.length as usize);
            prop_assert_eq!(EventKind::Put(value), match &event.kind {
                EventKind::Delete => EventKind::Put(Bytes::new()),
                put => put.clone(),
            });
        }
    }

    #[test]
    fn no_cut_and_no_change_is_taken_for_the_record(record in record(), cut in any::<prop::sample::Index>(), byte in 1_u8..) {
        let (payload, _) = encoded(&record);
        let cut = cut.index(payload.len());
        prop_assert!(decode(&payload.slice(..cut), AT).is_err());
        let mut changed = payload.to_vec();
        changed[cut] ^= byte;
        // Some changes make another record; the frame's checksum is there for those. None makes this one, or a panic.
        let decoded = decode(&Bytes::from(changed), AT).map(|(record, _)| record);
        prop_assert_ne!(decoded, Ok(record));
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&Bytes::from(bytes), AT);
    }
}

#[test]
fn counts_are_not_believed() {
    let many = Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
    assert_eq!(decode(&many, AT), Err(CodecError::Truncated));
    let overlong = Bytes::from_static(&[0x80; 12]);
    assert_eq!(decode(&overlong, AT), Err(CodecError::Overflow));
}

#[test]
fn each_rule_is_refused_when_it_is_broken() {
    let record = Record {
        events: vec![Event {
            key: Bytes::from_static(b"k"),
            revision: Revision { main: 1, sub: 0 },
            kind: EventKind::Put(Bytes::from_static(b"value")),
        }],
        ..Record::default()
    };
    let (payload, pieces) = encoded(&record);
    let changed = |at: usize, byte: u8| {
        let mut bytes = payload.to_vec();
        bytes[at] = byte;
        decode(&Bytes::from(bytes), AT).unwrap_err()
    };
    assert_eq!(changed(1, 9), CodecError::UnknownKind(9));
    let value = (pieces.events[0].offset - AT.offset) as usize;
    assert_eq!(changed(value, b'V'), CodecError::Checksum);
    let trailing = Bytes::from([&payload[..], &[0]].concat());
    assert_eq!(decode(&trailing, AT), Err(CodecError::Trailing));
}
