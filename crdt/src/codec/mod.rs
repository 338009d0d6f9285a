//! The compact binary forms of this crate: varints, a dictionary of Kubernetes' usual words, and decoders that give an
//! error for every byte string that no encoder made.

mod bytes;
mod error;
mod words;

pub(crate) use bytes::{ActorTable, Reader, Writer};
pub use error::DecodeError;
