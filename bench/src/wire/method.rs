//! What a call is, as far as the connection cares.

/// How many messages go each way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One request, one reply.
    Unary,
    /// One request; replies until the server ends the call.
    ServerStream,
    /// Requests and replies on one call that nobody ends.
    TwoWay,
}

/// One gRPC method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Method {
    pub(crate) path: &'static str,
    pub(crate) shape: Shape,
}

impl Method {
    pub(crate) const fn unary(path: &'static str) -> Method {
        Method { path, shape: Shape::Unary }
    }

    pub(crate) const fn server_stream(path: &'static str) -> Method {
        Method { path, shape: Shape::ServerStream }
    }

    pub(crate) const fn two_way(path: &'static str) -> Method {
        Method { path, shape: Shape::TwoWay }
    }
}
