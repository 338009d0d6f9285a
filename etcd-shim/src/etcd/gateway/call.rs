//! One call of the gRPC router inside the process.

use super::frames::Frames;
use axum::{Router, body::Body};
use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use http_body_util::BodyExt;
use tonic::Status;
use tower::ServiceExt;

/// Says to the services that a call came through the gateway (etcd: server/auth/store.go looks for it: a client
/// certificate is the gateway's own then, and names nobody).
const THROUGH_GATEWAY: HeaderName = HeaderName::from_static("grpcgateway-accept");

/// The replies of a call.
#[derive(Debug)]
pub(super) struct Replies {
    body: Body,
    frames: Frames,
    /// How the call ended, once that is known.
    end: Option<Status>,
}

/// What the HTTP request says of its caller.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    headers: HeaderMap,
    extensions: Extensions,
}

impl Origin {
    pub(super) fn new(headers: &HeaderMap, extensions: &Extensions) -> Origin {
        let mut kept = HeaderMap::new();
        let accept = headers.get(header::ACCEPT).cloned().unwrap_or(HeaderValue::from_static("*/*"));
        kept.insert(THROUGH_GATEWAY, accept);
        if let Some(token) = headers.get(header::AUTHORIZATION) {
            kept.insert(header::AUTHORIZATION, token.clone());
        }
        Origin { headers: kept, extensions: extensions.clone() }
    }
}

/// Calls `package.Service/Method` with a body of frames.
///
/// # Errors
/// What the call was refused with before its first reply.
pub(super) async fn call(grpc: Router, method: &str, origin: Origin, body: Body) -> Result<Replies, Status> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = format!("/{method}").parse().map_err(|_| Status::unimplemented(method.to_owned()))?;
    *request.version_mut() = http::Version::HTTP_2;
    *request.headers_mut() = origin.headers;
    *request.extensions_mut() = origin.extensions;
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    request.headers_mut().insert(header::TE, HeaderValue::from_static("trailers"));
    let response = match grpc.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let (parts, body) = response.into_parts();
    match Status::from_header_map(&parts.headers) {
        Some(status) if status.code() != tonic::Code::Ok => Err(status),
        Some(status) => Ok(Replies { body, frames: Frames::default(), end: Some(status) }),
        None => Ok(Replies { body, frames: Frames::default(), end: None }),
    }
}

impl Replies {
    /// The next reply; None = the call ended well.
    ///
    /// # Errors
    /// How else it ended.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        loop {
            if let Some(message) = self.frames.next()? {
                return Ok(Some(message));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self.take(frame),
                Some(Err(error)) => return Err(Status::internal(format!("archipel: {error}"))),
                None => {
                    return match self.end.take() {
                        Some(status) if status.code() != tonic::Code::Ok => Err(status),
                        _ => Ok(None),
                    };
                }
            }
        }
    }

    fn take(&mut self, frame: http_body::Frame<Bytes>) {
        match frame.into_data() {
            Ok(data) => self.frames.push(&data),
            Err(frame) => self.end = frame.trailers_ref().and_then(Status::from_header_map),
        }
    }
}
