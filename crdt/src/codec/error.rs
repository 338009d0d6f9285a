//! Why bytes from a disk or a peer do not decode.

/// Bytes that no encoder of this crate made, or that were damaged on the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The input ends inside a value.
    #[error("the bytes end too early: fetch them again")]
    Truncated,
    /// The checksum differs.
    #[error("the checksum does not match, the bytes were damaged: fetch them again")]
    Checksum,
    /// A format version of a later release.
    #[error("format version {0} is unknown here: upgrade this site")]
    Version(u8),
    /// A value that the format does not allow.
    #[error("malformed {0}: the sender is faulty, refuse its entries")]
    Malformed(&'static str),
    /// Values nested deeper than any Kubernetes object is.
    #[error("values are nested too deeply: the sender is faulty, refuse its entries")]
    TooDeep,
}
