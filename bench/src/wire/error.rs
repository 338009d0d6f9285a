//! What can go wrong on a connection. Every one of them makes the run void.

/// Why a connection or a call failed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum WireError {
    /// The server (or this client) broke HTTP/2.
    #[error("HTTP/2: {0}; check that the address is a gRPC server's")]
    Protocol(&'static str),
    /// The server ended the connection.
    #[error("the server closed the connection with GOAWAY code {code}: {text}")]
    GoAway { code: u32, text: String },
    /// The server ended one call.
    #[error("the server reset a call with code {code}")]
    Reset { code: u32 },
    /// A call was answered, but not with success.
    #[error("a call failed: HTTP status {http}, gRPC status {grpc}, {message}")]
    Status { http: String, grpc: String, message: String },
}
