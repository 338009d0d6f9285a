//! From where HTTP that is not gRPC may be asked: `--cors` and `--host-whitelist` (etcd server/embed/serve.go,
//! `accessController`).

use super::OverTls;
use crate::config::Http;
use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use std::sync::Arc;

const ALLOWED_METHODS: HeaderValue = HeaderValue::from_static("POST, GET, OPTIONS, PUT, DELETE");
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static("accept, content-type, authorization");
const ANYWHERE: HeaderValue = HeaderValue::from_static("*");

/// The rules. An empty list allows all.
#[derive(Debug)]
struct Access {
    origins: Vec<String>,
    hosts: Vec<String>,
}

/// The router behind the rules of the flags.
pub fn controlled(router: Router, http: &Http) -> Router {
    let access = Arc::new(Access { origins: http.cors.clone(), hosts: http.hosts.clone() });
    router.layer(middleware::from_fn_with_state(access, control))
}

async fn control(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let over_tls = request.extensions().get::<OverTls>().is_some();
    if !over_tls && !access.knows_host(&request) {
        return (StatusCode::MISDIRECTED_REQUEST, UNKNOWN_HOST).into_response();
    }
    let origin = access.allowed_origin(request.headers());
    let mut response =
        if request.method() == Method::OPTIONS { StatusCode::OK.into_response() } else { next.run(request).await };
    if let Some(origin) = origin {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
    }
    response
}

/// What a request with an unknown `Host` is answered: a browser was led here by a name that changed its address
/// (CVE-2018-5702).
const UNKNOWN_HOST: &str = "etcd received your request, but the Host header was unrecognized.

To fix this, choose one of the following options:
- Enable TLS, then any HTTPS request will be allowed.
- Add the hostname you want to use to the whitelist in settings: --host-whitelist
";

impl Access {
    fn knows_host(&self, request: &Request) -> bool {
        let header = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let host = request.uri().host().or(header).unwrap_or_default();
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        self.hosts.is_empty() || self.hosts.iter().any(|known| known == name)
    }

    /// The origin that the answer names; None: the browser that asked keeps the answer from its page.
    fn allowed_origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        if self.origins.is_empty() {
            return Some(ANYWHERE);
        }
        let origin = headers.get(header::ORIGIN)?;
        let is_allowed = self.origins.iter().any(|allowed| origin.as_bytes() == allowed.as_bytes());
        is_allowed.then(|| origin.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{body::Body, routing::get};
    use tower::ServiceExt;

    async fn answer(cors: &[&str], hosts: &[&str], request: http::request::Builder) -> Response {
        let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
        let http = Http { gateway: true, cors: list(cors), hosts: list(hosts) };
        let router = controlled(Router::new().route("/health", get(|| async { "ok" })), &http);
        router.oneshot(request.uri("/health").body(Body::empty()).unwrap()).await.unwrap()
    }

    fn origin(response: &Response) -> Option<&str> {
        response.headers().get(header::ACCESS_CONTROL_ALLOW_ORIGIN).map(|origin| origin.to_str().unwrap())
    }

    #[tokio::test]
    async fn unknown_hosts_are_refused_on_plain_connections() {
        let from = |host: &str| Request::builder().header(header::HOST, host);
        assert_eq!(answer(&[], &[], from("evil.example")).await.status(), StatusCode::OK);
        assert_eq!(answer(&[], &["a.example"], from("a.example:2379")).await.status(), StatusCode::OK);
        let refused = answer(&[], &["a.example"], from("evil.example")).await;
        assert_eq!(refused.status(), StatusCode::MISDIRECTED_REQUEST);
        assert_eq!(answer(&[], &["a"], from("evil.example").extension(OverTls)).await.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn origins_are_named_as_allowed() {
        let from = |origin: &str| Request::builder().header(header::ORIGIN, origin);
        assert_eq!(origin(&answer(&[], &[], from("http://b")).await), Some("*"));
        assert_eq!(origin(&answer(&["http://a"], &[], from("http://a")).await), Some("http://a"));
        assert_eq!(origin(&answer(&["http://a"], &[], from("http://b")).await), None);
        let options = answer(&[], &[], from("http://b").method(Method::OPTIONS)).await;
        assert_eq!((options.status(), origin(&options)), (StatusCode::OK, Some("*")));
    }
}
