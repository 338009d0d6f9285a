//! Frames to and from protobuf. What a peer sent is checked against every bound here, before the engine sees it.

use super::engine::{Frame, Hello};
use super::limits::{ACTORS_MAX, ADDRESSES_MAX, CONTROL_BYTES_MAX, SHARES_MAX, TEXT_BYTES_MAX};
use super::proto::{self, frame::Body};
use archipel_crdt::dot::ActorId;
use archipel_crdt::version_vector::VersionVector;
use bytes::Bytes;
use thiserror::Error;
use uuid::Uuid;

/// Why a frame was not understood.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub(crate) enum WireError {
    /// Kind of frame that this release does not know.
    #[error("a frame of unknown kind")]
    UnknownKind,
    /// An id that is not 16 bytes.
    #[error("an id of {0} bytes")]
    Id(usize),
    /// More of something than is allowed.
    #[error("too many or too long {0}")]
    TooLarge(&'static str),
}

/// A frame as it goes over the wire.
pub(crate) fn encode(frame: Frame) -> proto::Frame {
    let body = match frame {
        Frame::Hello(hello) => Body::Hello(proto::Hello {
            protocol: hello.protocol,
            site_id: id(hello.site_id),
            name: hello.name,
            actor: actor(hello.actor),
            address: hello.addresses,
            version: hello.version,
        }),
        Frame::Control(message) => Body::Control(proto::Control { message }),
        Frame::Have { share, seen, stream, ask } => Body::Have(proto::Have {
            share_id: id(share),
            seen: seen.iter().map(|(who, n)| proto::Seen { actor: actor(who), n }).collect(),
            stream,
            ask,
        }),
        Frame::Entries { share, stream, entries } => {
            Body::Entries(proto::Entries { share_id: id(share), stream, entry: entries })
        }
        Frame::Progress { unix_ms, newest } => Body::Progress(proto::Progress {
            unix_ms,
            share: newest
                .into_iter()
                .map(|(share, own_newest)| proto::ShareProgress { share_id: id(share), own_newest })
                .collect(),
        }),
        Frame::Refused { share, stream, reason } => {
            Body::Refused(proto::Refused { share_id: id(share), stream, reason: cut(reason) })
        }
        Frame::Goodbye(reason) => Body::Goodbye(proto::Goodbye { reason: cut(reason) }),
    };
    proto::Frame { body: Some(body) }
}

/// A frame from the wire.
///
/// # Errors
/// It is of an unknown kind, or over a bound.
pub(crate) fn decode(frame: proto::Frame) -> Result<Frame, WireError> {
    Ok(match frame.body.ok_or(WireError::UnknownKind)? {
        Body::Hello(hello) => {
            bounded(hello.address.len(), ADDRESSES_MAX, "addresses")?;
            let texts = hello.address.iter().chain([&hello.name, &hello.version]);
            bounded(texts.map(String::len).max().unwrap_or(0), TEXT_BYTES_MAX, "texts")?;
            Frame::Hello(Hello {
                protocol: hello.protocol,
                site_id: uuid(&hello.site_id)?,
                name: clean(hello.name),
                actor: actor_id(&hello.actor)?,
                addresses: hello.address,
                version: clean(hello.version),
            })
        }
        Body::Control(control) => {
            bounded(control.message.len(), CONTROL_BYTES_MAX, "control message")?;
            Frame::Control(control.message)
        }
        Body::Have(have) => {
            bounded(have.seen.len(), ACTORS_MAX, "actors")?;
            let seen = have.seen.iter().map(|seen| Ok((actor_id(&seen.actor)?, seen.n)));
            let seen = seen.collect::<Result<VersionVector, WireError>>()?;
            Frame::Have { share: uuid(&have.share_id)?, seen, stream: have.stream, ask: have.ask }
        }
        Body::Entries(entries) => Frame::Entries {
            share: uuid(&entries.share_id)?,
            stream: entries.stream,
            // Each entry gets its own memory: the store keeps some of them, and must not keep the frame around them.
            entries: entries.entry.iter().map(|entry| Bytes::copy_from_slice(entry)).collect(),
        },
        Body::Progress(progress) => {
            bounded(progress.share.len(), SHARES_MAX, "shares")?;
            let newest = progress.share.iter().map(|share| Ok((uuid(&share.share_id)?, share.own_newest)));
            Frame::Progress { unix_ms: progress.unix_ms, newest: newest.collect::<Result<_, WireError>>()? }
        }
        Body::Refused(refused) => {
            let reason = clean(cut(refused.reason));
            Frame::Refused { share: uuid(&refused.share_id)?, stream: refused.stream, reason }
        }
        Body::Goodbye(goodbye) => Frame::Goodbye(clean(cut(goodbye.reason))),
    })
}

fn id(id: Uuid) -> Bytes {
    Bytes::copy_from_slice(id.as_bytes())
}

fn actor(actor: ActorId) -> Bytes {
    Bytes::copy_from_slice(&actor.0.to_be_bytes())
}

fn uuid(bytes: &[u8]) -> Result<Uuid, WireError> {
    Uuid::from_slice(bytes).map_err(|_| WireError::Id(bytes.len()))
}

fn actor_id(bytes: &[u8]) -> Result<ActorId, WireError> {
    let bytes: [u8; 16] = bytes.try_into().map_err(|_| WireError::Id(bytes.len()))?;
    Ok(ActorId(u128::from_be_bytes(bytes)))
}

fn bounded(len: usize, max: usize, what: &'static str) -> Result<(), WireError> {
    if len <= max { Ok(()) } else { Err(WireError::TooLarge(what)) }
}

/// At most the bound, cut at a character.
fn cut(mut text: String) -> String {
    let end = (0..=TEXT_BYTES_MAX.min(text.len())).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0);
    text.truncate(end);
    text
}

/// A peer's text may reach a terminal: control characters do not.
fn clean(text: String) -> String {
    if text.chars().any(char::is_control) { text.replace(char::is_control, " ") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames() -> Vec<Frame> {
        let share = Uuid::from_u128(7);
        vec![
            Frame::Hello(Hello {
                protocol: 1,
                site_id: Uuid::from_u128(1),
                name: "nantes".into(),
                actor: ActorId(10),
                addresses: vec!["127.0.0.1:1".into()],
                version: "0.1.0".into(),
            }),
            Frame::Control(Bytes::from_static(b"x")),
            Frame::Have { share, seen: [(ActorId(10), 3)].into_iter().collect(), stream: 2, ask: true },
            Frame::Entries { share, stream: 2, entries: vec![Bytes::from_static(b"e")] },
            Frame::Progress { unix_ms: 5, newest: vec![(share, 9)] },
            Frame::Refused { share, stream: 1, reason: "no".into() },
            Frame::Goodbye("done".into()),
        ]
    }

    #[test]
    fn every_frame_survives_the_wire() {
        for frame in frames() {
            assert_eq!(decode(encode(frame.clone())), Ok(frame));
        }
    }

    #[test]
    fn what_is_over_a_bound_is_refused_and_texts_are_cleaned() {
        assert_eq!(decode(proto::Frame { body: None }), Err(WireError::UnknownKind));
        let seen = (0..=ACTORS_MAX as u128).map(|i| (ActorId(i), 1)).collect();
        let wide = Frame::Have { share: Uuid::nil(), seen, stream: 1, ask: false };
        assert_eq!(decode(encode(wide)), Err(WireError::TooLarge("actors")));
        let have = proto::Have { share_id: Bytes::from_static(b"short"), ..proto::Have::default() };
        assert_eq!(decode(proto::Frame { body: Some(Body::Have(have)) }), Err(WireError::Id(5)));
        let goodbye = decode(encode(Frame::Goodbye(format!("\u{1b}[2J{}", "é".repeat(TEXT_BYTES_MAX)))));
        let Ok(Frame::Goodbye(text)) = goodbye else { panic!("{goodbye:?}") };
        assert!(text.len() <= TEXT_BYTES_MAX && !text.contains('\u{1b}'));
    }
}
