//! The Auth service. This site has no accounts: it says so in etcd's words, so that a client that brings a user and a
//! password fails clearly instead of reading without being asked for them (etcd: server/auth/store.go).

use super::{
    context::Context,
    status::EtcdError,
    wire::{AuthStatusRequest, AuthStatusResponse, AuthenticateRequest, AuthenticateResponse, auth_server::Auth},
};
use tonic::{Request, Response, Status};

/// The revision of an account store that was never changed.
const FIRST_AUTH_REVISION: u64 = 1;

/// etcdserverpb.Auth.
#[derive(Clone, Debug)]
pub(crate) struct AuthService {
    context: Context,
}

impl AuthService {
    /// The service over the shared context.
    #[must_use]
    pub(crate) fn new(context: Context) -> AuthService {
        AuthService { context }
    }
}

#[tonic::async_trait]
impl Auth for AuthService {
    async fn auth_status(&self, _request: Request<AuthStatusRequest>) -> Result<Response<AuthStatusResponse>, Status> {
        Ok(Response::new(AuthStatusResponse {
            header: Some(self.context.header_now()),
            enabled: false,
            auth_revision: FIRST_AUTH_REVISION,
        }))
    }

    async fn authenticate(
        &self,
        _request: Request<AuthenticateRequest>,
    ) -> Result<Response<AuthenticateResponse>, Status> {
        Err(EtcdError::AuthNotEnabled.into())
    }
}
