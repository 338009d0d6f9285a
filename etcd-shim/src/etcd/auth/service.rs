//! The Auth service: decodes, lets the guard decide, answers (etcd: server/etcdserver/v3_server.go).

use super::{
    account::{Hash, ROOT},
    change::Change,
    credentials::Credentials,
    guard::Auth as Guard,
    operation::Operation,
};
use crate::etcd::{
    context::Context,
    status::EtcdError,
    wire::{
        AuthDisableRequest, AuthDisableResponse, AuthEnableRequest, AuthEnableResponse, AuthRoleAddRequest,
        AuthRoleAddResponse, AuthRoleDeleteRequest, AuthRoleDeleteResponse, AuthRoleGetRequest, AuthRoleGetResponse,
        AuthRoleGrantPermissionRequest, AuthRoleGrantPermissionResponse, AuthRoleListRequest, AuthRoleListResponse,
        AuthRoleRevokePermissionRequest, AuthRoleRevokePermissionResponse, AuthStatusRequest, AuthStatusResponse,
        AuthUserAddRequest, AuthUserAddResponse, AuthUserChangePasswordRequest, AuthUserChangePasswordResponse,
        AuthUserDeleteRequest, AuthUserDeleteResponse, AuthUserGetRequest, AuthUserGetResponse,
        AuthUserGrantRoleRequest, AuthUserGrantRoleResponse, AuthUserListRequest, AuthUserListResponse,
        AuthUserRevokeRoleRequest, AuthUserRevokeRoleResponse, AuthenticateRequest, AuthenticateResponse, Permission,
        auth_server::Auth, permission,
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use tonic::{Request, Response, Status};

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

    fn guard(&self) -> &Guard {
        &self.context.auth
    }

    /// Makes the change that a request asks for.
    async fn change<T>(&self, request: Request<T>, of: impl FnOnce(T) -> Change) -> Result<(), Status> {
        let credentials = Credentials::of(&request);
        self.guard().change(credentials, of(request.into_inner())).await
    }

    /// Whoever may not change passwords makes nobody hash them.
    fn permits_hashing<T>(&self, request: &Request<T>) -> Result<(), EtcdError> {
        self.guard().authorize(request, Operation::AuthAdministration).map(|_| ())
    }
}

/// The password of a change: hashed here, or by the client. None if what the client sent is no hash at all.
async fn new_password(guard: &Guard, password: String, hashed: &str) -> Result<Option<Hash>, EtcdError> {
    if password.is_empty() {
        return Ok(STANDARD.decode(hashed).ok().map(|hash| Hash(Bytes::from(hash))));
    }
    guard.hash(password).await.map(Some)
}

/// A reply that has nothing but a header.
macro_rules! done {
    ($self:ident, $reply:ident) => {
        Ok(Response::new($reply { header: Some($self.context.header_now()) }))
    };
}

#[tonic::async_trait]
impl Auth for AuthService {
    async fn auth_enable(&self, request: Request<AuthEnableRequest>) -> Result<Response<AuthEnableResponse>, Status> {
        self.change(request, |_| Change::Enable).await?;
        done!(self, AuthEnableResponse)
    }

    async fn auth_disable(
        &self,
        request: Request<AuthDisableRequest>,
    ) -> Result<Response<AuthDisableResponse>, Status> {
        self.change(request, |_| Change::Disable).await?;
        done!(self, AuthDisableResponse)
    }

    async fn auth_status(&self, request: Request<AuthStatusRequest>) -> Result<Response<AuthStatusResponse>, Status> {
        let _permit = self.guard().authorize(&request, Operation::AuthStatus)?;
        let accounts = self.guard().accounts();
        Ok(Response::new(AuthStatusResponse {
            header: Some(self.context.header_now()),
            enabled: accounts.enabled,
            auth_revision: accounts.revision,
        }))
    }

    /// The one method that asks for no token, and does not look at one.
    async fn authenticate(
        &self,
        request: Request<AuthenticateRequest>,
    ) -> Result<Response<AuthenticateResponse>, Status> {
        let call = self.context.metrics.calls.authenticate.start();
        let AuthenticateRequest { name, password } = request.into_inner();
        let token = call.end(self.guard().authenticate(&name, &password).await.map_err(Status::from))?;
        Ok(Response::new(AuthenticateResponse { header: Some(self.context.header_now()), token }))
    }

    async fn user_add(&self, request: Request<AuthUserAddRequest>) -> Result<Response<AuthUserAddResponse>, Status> {
        self.permits_hashing(&request)?;
        let options = request.get_ref().options;
        // A hash that a client sends is not used here, as in etcd.
        let password = if options.is_some_and(|options| options.no_password) {
            Hash::default()
        } else {
            self.guard().hash(request.get_ref().password.clone()).await?
        };
        self.change(request, |user| Change::AddUser { name: user.name, password, options }).await?;
        done!(self, AuthUserAddResponse)
    }

    async fn user_get(&self, request: Request<AuthUserGetRequest>) -> Result<Response<AuthUserGetResponse>, Status> {
        let name = &request.get_ref().name;
        let _permit = self.guard().authorize(&request, Operation::UserGet { name })?;
        let accounts = self.guard().accounts();
        let user = accounts.users.get(name).ok_or(EtcdError::UserNotFound)?;
        let roles = user.roles.iter().cloned().collect();
        Ok(Response::new(AuthUserGetResponse { header: Some(self.context.header_now()), roles }))
    }

    async fn user_list(&self, request: Request<AuthUserListRequest>) -> Result<Response<AuthUserListResponse>, Status> {
        let _permit = self.guard().authorize(&request, Operation::AuthAdministration)?;
        let users = self.guard().accounts().users.keys().cloned().collect();
        Ok(Response::new(AuthUserListResponse { header: Some(self.context.header_now()), users }))
    }

    async fn user_delete(
        &self,
        request: Request<AuthUserDeleteRequest>,
    ) -> Result<Response<AuthUserDeleteResponse>, Status> {
        self.change(request, |user| Change::DeleteUser { name: user.name }).await?;
        done!(self, AuthUserDeleteResponse)
    }

    async fn user_change_password(
        &self,
        request: Request<AuthUserChangePasswordRequest>,
    ) -> Result<Response<AuthUserChangePasswordResponse>, Status> {
        self.permits_hashing(&request)?;
        let AuthUserChangePasswordRequest { password, hashed_password, .. } = request.get_ref();
        let password = new_password(self.guard(), password.clone(), hashed_password).await?;
        self.change(request, |user| Change::Password { name: user.name, password }).await?;
        done!(self, AuthUserChangePasswordResponse)
    }

    async fn user_grant_role(
        &self,
        request: Request<AuthUserGrantRoleRequest>,
    ) -> Result<Response<AuthUserGrantRoleResponse>, Status> {
        self.change(request, |grant| Change::GrantRole { user: grant.user, role: grant.role }).await?;
        done!(self, AuthUserGrantRoleResponse)
    }

    async fn user_revoke_role(
        &self,
        request: Request<AuthUserRevokeRoleRequest>,
    ) -> Result<Response<AuthUserRevokeRoleResponse>, Status> {
        self.change(request, |grant| Change::RevokeRole { user: grant.name, role: grant.role }).await?;
        done!(self, AuthUserRevokeRoleResponse)
    }

    async fn role_add(&self, request: Request<AuthRoleAddRequest>) -> Result<Response<AuthRoleAddResponse>, Status> {
        self.change(request, |role| Change::AddRole { name: role.name }).await?;
        done!(self, AuthRoleAddResponse)
    }

    async fn role_get(&self, request: Request<AuthRoleGetRequest>) -> Result<Response<AuthRoleGetResponse>, Status> {
        let name = &request.get_ref().role;
        let _permit = self.guard().authorize(&request, Operation::RoleGet { name })?;
        let accounts = self.guard().accounts();
        let role = accounts.roles.get(name).ok_or(EtcdError::RoleNotFound)?;
        let perm = if name == ROOT { vec![everything()] } else { role.permissions.clone() };
        Ok(Response::new(AuthRoleGetResponse { header: Some(self.context.header_now()), perm }))
    }

    async fn role_list(&self, request: Request<AuthRoleListRequest>) -> Result<Response<AuthRoleListResponse>, Status> {
        let _permit = self.guard().authorize(&request, Operation::AuthAdministration)?;
        let roles = self.guard().accounts().roles.keys().cloned().collect();
        Ok(Response::new(AuthRoleListResponse { header: Some(self.context.header_now()), roles }))
    }

    async fn role_delete(
        &self,
        request: Request<AuthRoleDeleteRequest>,
    ) -> Result<Response<AuthRoleDeleteResponse>, Status> {
        self.change(request, |role| Change::DeleteRole { name: role.role }).await?;
        done!(self, AuthRoleDeleteResponse)
    }

    async fn role_grant_permission(
        &self,
        request: Request<AuthRoleGrantPermissionRequest>,
    ) -> Result<Response<AuthRoleGrantPermissionResponse>, Status> {
        let change = |grant: AuthRoleGrantPermissionRequest| Change::GrantPermission {
            role: grant.name,
            permission: grant.perm,
        };
        self.change(request, change).await?;
        done!(self, AuthRoleGrantPermissionResponse)
    }

    async fn role_revoke_permission(
        &self,
        request: Request<AuthRoleRevokePermissionRequest>,
    ) -> Result<Response<AuthRoleRevokePermissionResponse>, Status> {
        let change = |grant: AuthRoleRevokePermissionRequest| Change::RevokePermission {
            role: grant.role,
            key: grant.key,
            range_end: grant.range_end,
        };
        self.change(request, change).await?;
        done!(self, AuthRoleRevokePermissionResponse)
    }
}

/// What the role root is shown to permit.
fn everything() -> Permission {
    Permission { perm_type: permission::Type::Readwrite.into(), key: Bytes::new(), range_end: Bytes::from_static(&[0]) }
}
