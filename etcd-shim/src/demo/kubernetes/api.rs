//! Requests to a kube-apiserver: JSON over HTTPS, one connection a request.
//!
//! For looking at objects often, where starting kubectl each time would cost more than the request.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

/// How long one request may take. kube-apiserver gives up after 60 s itself; a look should never take that long.
const REQUEST_PATIENCE: Duration = Duration::from_secs(15);
/// The largest answer that is read: lists in a demo are small.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// A kube-apiserver on a loopback port and the administrator's token for it.
#[derive(Clone)]
pub struct Api {
    address: SocketAddr,
    token: Arc<str>,
    tls: TlsConnector,
}

/// Why a request has no answer, or not the one that was wanted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// No connection, or it broke.
    #[error("kube-apiserver at {address} does not answer: {why}; its log says more")]
    Connection { address: SocketAddr, why: String },
    /// It answered with an error.
    #[error("{method} {path}: {status}: {message}")]
    Refused { method: Method, path: String, status: StatusCode, message: String },
}

impl ApiError {
    /// Whether the object is not there.
    pub fn not_found(&self) -> bool {
        matches!(self, ApiError::Refused { status: StatusCode::NOT_FOUND, .. })
    }
}

impl std::fmt::Debug for Api {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Api").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Api {
    /// For the server at `port`, whose certificate was signed by `authority` (DER).
    pub(crate) fn new(port: u16, authority: Vec<u8>, token: &str) -> Result<Api, String> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(authority)).map_err(|error| error.to_string())?;
        let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Ok(Api { address, token: token.into(), tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Reads the object or list at `path`, such as `/api/v1/namespaces/team-a`.
    ///
    /// # Errors
    /// [`ApiError`]; a missing object is [`ApiError::not_found`].
    pub async fn get(&self, path: &str) -> Result<Value, ApiError> {
        self.json(Method::GET, path, None).await
    }

    /// Reads an object; `None` when it is not there.
    ///
    /// # Errors
    /// [`ApiError`], but not for a missing object.
    pub async fn find(&self, path: &str) -> Result<Option<Value>, ApiError> {
        match self.get(path).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Posts `object` to the collection or subresource at `path` and returns what the server made of it.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn create(&self, path: &str, object: &Value) -> Result<Value, ApiError> {
        self.json(Method::POST, path, Some(("application/json", object))).await
    }

    /// Replaces the object at `path` by `object`, whose resourceVersion must be the current one if it has one.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn replace(&self, path: &str, object: &Value) -> Result<Value, ApiError> {
        self.json(Method::PUT, path, Some(("application/json", object))).await
    }

    /// Applies the JSON merge patch `patch` (RFC 7386) to the object at `path`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn merge(&self, path: &str, patch: &Value) -> Result<Value, ApiError> {
        self.json(Method::PATCH, path, Some(("application/merge-patch+json", patch))).await
    }

    /// Applies Kubernetes' strategic merge patch `patch` to the object at `path`: list items are merged by their keys.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn strategic(&self, path: &str, patch: &Value) -> Result<Value, ApiError> {
        self.json(Method::PATCH, path, Some(("application/strategic-merge-patch+json", patch))).await
    }

    /// Deletes the object at `path`.
    ///
    /// # Errors
    /// [`ApiError`]; a missing object is [`ApiError::not_found`].
    pub async fn delete(&self, path: &str) -> Result<Value, ApiError> {
        self.json(Method::DELETE, path, None).await
    }

    /// Whether the server says that it is ready to serve.
    pub async fn ready(&self) -> bool {
        matches!(self.request(Method::GET, "/readyz", None).await, Ok((StatusCode::OK, _)))
    }

    async fn json(&self, method: Method, path: &str, body: Option<(&str, &Value)>) -> Result<Value, ApiError> {
        let body = body.map(|(kind, value)| (kind, Bytes::from(value.to_string())));
        let (status, answer) = self.request(method.clone(), path, body).await?;
        let value: Value = serde_json::from_slice(&answer).unwrap_or_default();
        if status.is_success() {
            return Ok(value);
        }
        // An error is a Status object with a message, or plain text from in front of the API machinery.
        let message = value.get("message").and_then(Value::as_str).map(str::to_owned);
        let message = message.unwrap_or_else(|| String::from_utf8_lossy(&answer).trim().to_owned());
        Err(ApiError::Refused { method, path: path.to_owned(), status, message })
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Bytes)>,
    ) -> Result<(StatusCode, Bytes), ApiError> {
        match tokio::time::timeout(REQUEST_PATIENCE, self.exchange(method, path, body)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(ApiError::Connection { address: self.address, why: error.to_string() }),
            Err(_) => Err(ApiError::Connection { address: self.address, why: "no answer in time".to_owned() }),
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Bytes)>,
    ) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error + Send + Sync>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let server = ServerName::from(std::net::IpAddr::from(Ipv4Addr::LOCALHOST));
        let stream = self.tls.connect(server, stream).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.address.to_string())
            .header(AUTHORIZATION, format!("Bearer {}", self.token));
        if let Some((kind, _)) = &body {
            request = request.header(CONTENT_TYPE, *kind);
        }
        let request = request.body(Full::new(body.map(|(_, bytes)| bytes).unwrap_or_default()))?;
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let bytes = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await?.to_bytes();
        connection.abort();
        Ok((status, bytes))
    }
}
