//! All services and HTTP paths of the client port as one router.

use super::{
    auth::AuthService,
    cluster::ClusterService,
    context::Context,
    election::ElectionService,
    election_wire::election_server::ElectionServer,
    gateway,
    kv::KvService,
    lease::LeaseService,
    lock::LockService,
    lock_wire::lock_server::LockServer,
    maintenance::MaintenanceService,
    status,
    watch::WatchService,
    wire::{
        auth_server::AuthServer, cluster_server::ClusterServer, kv_server::KvServer, lease_server::LeaseServer,
        maintenance_server::MaintenanceServer, watch_server::WatchServer,
    },
};
use crate::admin;
use axum::{
    Router,
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use tonic::{Code, service::Routes};

/// What etcd adds to the largest request for the receive limit (server/etcdserver/api/v3rpc/grpc.go).
const RECEIVE_OVERHEAD_BYTES: usize = 512 * 1024;
/// How content types of gRPC begin.
const GRPC_TYPE: &[u8] = b"application/grpc";
/// How the gRPC library begins its refusal of a message above the receive limit.
const TOO_LARGE: &str = "Error, decoded message length too large: found ";

/// What is served to clients: one router a kind of traffic, because each may have addresses of its own.
#[derive(Clone, Debug)]
pub struct Routers {
    /// gRPC, by its paths.
    pub grpc: Router,
    /// HTTP, by etcd's, with the API as JSON if it is wanted.
    pub http: Router,
}

impl Routers {
    /// All on one address.
    pub fn both(&self) -> Router {
        answering(self.grpc.clone().merge(self.http.clone()))
    }

    /// gRPC alone.
    pub fn grpc_only(&self) -> Router {
        answering(self.grpc.clone())
    }

    /// HTTP alone.
    pub fn http_only(&self) -> Router {
        answering(self.http.clone())
    }
}

fn answering(router: Router) -> Router {
    router.fallback(unknown)
}

/// The routers of the client port; the API is also served as JSON if `gateway` says so.
pub fn routes(context: &Context, gateway: bool) -> Routers {
    let receive_max = context.limits.max_request_bytes + RECEIVE_OVERHEAD_BYTES;
    let grpc = grpc(context, receive_max);
    let http = admin::http::client_routes(context.clone());
    let http = if gateway { http.merge(gateway::routes(&grpc, receive_max)) } else { http };
    Routers { grpc, http }
}

/// What nobody serves, in the words of whoever asks.
async fn unknown(request: Request) -> Response {
    let is_grpc = request.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(GRPC_TYPE));
    if is_grpc {
        tonic::Status::unimplemented(format!("unknown method {}", request.uri().path())).into_http()
    } else {
        (StatusCode::NOT_FOUND, "404 page not found\n").into_response()
    }
}

fn grpc(context: &Context, receive_max: usize) -> Router {
    macro_rules! server {
        ($server:ident, $service:expr) => {
            $server::new($service).max_decoding_message_size(receive_max).max_encoding_message_size(usize::MAX)
        };
    }
    // As long as the process serves, it is healthy in the sense of this service; `/readyz` says more.
    let (_, health) = tonic_health::server::health_reporter();
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(gateway::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let whole = "invariant: the build script's descriptors are whole";
    Routes::new(server!(KvServer, KvService::new(context.clone())))
        .add_service(server!(WatchServer, WatchService::new(context.clone())))
        .add_service(server!(LeaseServer, LeaseService::new(context.clone())))
        .add_service(server!(MaintenanceServer, MaintenanceService::new(context.clone())))
        .add_service(server!(ClusterServer, ClusterService::new(context.clone())))
        .add_service(server!(AuthServer, AuthService::new(context.clone())))
        .add_service(server!(LockServer, LockService::new(context.clone())))
        .add_service(server!(ElectionServer, ElectionService::new(context.clone())))
        .add_service(health)
        .add_service(reflection().build_v1().expect(whole))
        .add_service(reflection().build_v1alpha().expect(whole))
        .into_axum_router()
        .layer(axum::middleware::map_response(etcds_size_refusal))
}

/// Gives the refusal of a message above the receive limit the code and text that etcd's clients know.
async fn etcds_size_refusal(mut response: Response) -> Response {
    if let Some(status) = size_refusal(response.headers()) {
        // A refusal is a response without a body whose status stands in the headers.
        if status.add_header(response.headers_mut()).is_err() {
            tracing::debug!("a status could not be rewritten");
        }
    }
    response
}

fn size_refusal(headers: &HeaderMap) -> Option<tonic::Status> {
    // Looked at first, because nearly every response has none.
    headers.get("grpc-status")?;
    let status = tonic::Status::from_header_map(headers)?;
    if status.code() != Code::OutOfRange {
        return None;
    }
    let numbers = status.message().strip_prefix(TOO_LARGE)?;
    let (found, rest) = numbers.split_once(" bytes, the limit is: ")?;
    let limit = rest.split_once(' ').map_or(rest, |(limit, _)| limit);
    Some(status::message_too_large(found, limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_librarys_size_refusal_is_rewritten() {
        let headers = |code, message: &str| {
            let mut headers = HeaderMap::new();
            tonic::Status::new(code, message).add_header(&mut headers).unwrap();
            headers
        };
        let refusal = "Error, decoded message length too large: found 3000000 bytes, the limit is: 2097152 bytes";
        let status = size_refusal(&headers(Code::OutOfRange, refusal)).unwrap();
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(status.message(), "grpc: received message larger than max (3000000 vs. 2097152)");
        assert!(size_refusal(&headers(Code::OutOfRange, "etcdserver: too large lease TTL")).is_none());
        assert!(size_refusal(&HeaderMap::new()).is_none());
    }
}
