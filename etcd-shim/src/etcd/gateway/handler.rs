//! The handler of every path.

use super::{
    call::{Origin, Replies, call},
    frames::frame,
    paths::{PATHS, STAYS_OPEN},
    transcode::{self, DESCRIPTORS, Shape},
};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::any,
};
use bytes::{Bytes, BytesMut};
use http::Method;
use http_body_util::{BodyExt, Limited};
use prost_reflect::DescriptorPool;
use std::{convert::Infallible, sync::Arc};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

/// Replies of a stream that wait for the client; beyond it the call waits.
const REPLIES_MAX: usize = 16;
/// Requests of a stream that wait for the call.
const REQUESTS_MAX: usize = 16;

/// What a path calls.
#[derive(Clone, Debug)]
struct Gateway {
    grpc: Router,
    method: &'static str,
    shape: Arc<Shape>,
    /// Largest body, or document of a streaming body, in bytes.
    receive_max: usize,
}

/// All paths, which call `grpc`.
pub(in crate::etcd) fn routes(grpc: &Router, receive_max: usize) -> Router {
    let pool = DescriptorPool::decode(DESCRIPTORS).expect("invariant: the build script's descriptors are whole");
    let mut routes = Router::new();
    for (path, method) in PATHS {
        let Some(shape) = transcode::shape(&pool, method) else { continue };
        let gateway = Gateway { grpc: grpc.clone(), method, shape: Arc::new(shape), receive_max };
        routes = routes.route(path, any(serve).with_state(gateway));
    }
    routes.route("/v3/{*path}", any(|| async { refused(&Status::not_found("Not Found")) }))
}

async fn serve(State(gateway): State<Gateway>, request: Request) -> Response {
    if request.method() != Method::POST {
        return refused(&Status::unimplemented("Method Not Allowed"));
    }
    let (parts, body) = request.into_parts();
    let origin = Origin::new(&parts.headers, &parts.extensions);
    match gateway.call(origin, body).await {
        Ok(response) => response,
        Err(status) => refused(&status),
    }
}

impl Gateway {
    async fn call(self, origin: Origin, body: Body) -> Result<Response, Status> {
        let body = if self.shape.streams_in { self.requests(body) } else { Body::from(self.request(body).await?) };
        let mut replies = call(self.grpc.clone(), self.method, origin, body).await?;
        let first = replies.next().await?;
        if self.shape.streams_out {
            return Ok(self.stream(first, replies));
        }
        let message = first.ok_or_else(|| Status::internal("archipel: a call without a reply"))?;
        let json = transcode::json(&self.shape.output, &message)?;
        // How the call ended stands behind its reply.
        replies.next().await?;
        Ok(([(CONTENT_TYPE, "application/json")], json).into_response())
    }

    /// The only message of a request; an empty body is an empty message.
    async fn request(&self, body: Body) -> Result<Bytes, Status> {
        let text =
            Limited::new(body, self.receive_max).collect().await.map_err(|error| unreadable(&*error))?.to_bytes();
        match transcode::message(&self.shape.input, &text)? {
            Some((message, _)) => Ok(frame(&message)),
            None if text.trim_ascii().is_empty() => Ok(frame(&[])),
            None => Err(Status::invalid_argument("unexpected EOF")),
        }
    }

    /// The documents of a body, one after the other, as they come.
    fn requests(&self, body: Body) -> Body {
        let (frames, stream) = mpsc::channel::<Result<Bytes, Status>>(REQUESTS_MAX);
        let (shape, receive_max) = (self.shape.clone(), self.receive_max);
        let stays_open = self.method == STAYS_OPEN;
        // Ends with the request's body, or when the call ends.
        tokio::spawn(async move {
            if let Err(status) = documents(body, &shape, receive_max, &frames).await {
                drop(frames.send(Err(status)).await);
            } else if stays_open {
                frames.closed().await;
            }
        });
        Body::from_stream(ReceiverStream::new(stream))
    }

    /// A document a line for each reply, and one for the error that ends them.
    fn stream(self, first: Option<Bytes>, mut replies: Replies) -> Response {
        let (lines, stream) = mpsc::channel::<Result<Vec<u8>, Infallible>>(REPLIES_MAX);
        // Ends with the call, or when the client goes away.
        tokio::spawn(async move {
            let mut next = Ok(first);
            loop {
                let line = match next.and_then(|message| message.map(|message| self.line(&message)).transpose()) {
                    Ok(Some(line)) => line,
                    Ok(None) => return,
                    Err(status) => {
                        let line = format!("{}\n", serde_json::json!({ "error": transcode::refusal(&status) }));
                        drop(lines.send(Ok(line.into_bytes())).await);
                        return;
                    }
                };
                if lines.send(Ok(line)).await.is_err() {
                    return;
                }
                next = tokio::select! {
                    next = replies.next() => next,
                    () = lines.closed() => return,
                };
            }
        });
        let body = Body::from_stream(ReceiverStream::new(stream));
        ([(CONTENT_TYPE, "application/json")], body).into_response()
    }

    fn line(&self, message: &[u8]) -> Result<Vec<u8>, Status> {
        let json = transcode::json(&self.shape.output, message)?;
        Ok([&b"{\"result\":"[..], &json, b"}\n"].concat())
    }
}

/// Sends each document of a body as a frame.
async fn documents(
    mut body: Body,
    shape: &Shape,
    receive_max: usize,
    frames: &mpsc::Sender<Result<Bytes, Status>>,
) -> Result<(), Status> {
    let mut text = BytesMut::new();
    while let Some(piece) = body.frame().await {
        let Ok(piece) = piece.map_err(|error| unreadable(&error))?.into_data() else { continue };
        text.extend_from_slice(&piece);
        while let Some((message, end)) = transcode::message(&shape.input, &text)? {
            drop(text.split_to(end));
            if frames.send(Ok(frame(&message))).await.is_err() {
                return Ok(());
            }
        }
        if text.len() > receive_max {
            return Err(Status::invalid_argument("a document of the request is too large"));
        }
    }
    if text.trim_ascii().is_empty() { Ok(()) } else { Err(Status::invalid_argument("unexpected EOF")) }
}

fn unreadable(error: &(dyn std::error::Error + Send + Sync)) -> Status {
    Status::invalid_argument(format!("the request's body cannot be read: {error}"))
}

fn refused(status: &Status) -> Response {
    let http = StatusCode::from_u16(transcode::http_status(status.code())).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (http, [(CONTENT_TYPE, "application/json")], transcode::refusal(status).to_string()).into_response()
}
