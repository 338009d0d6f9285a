//! etcd's error codes and texts, and nothing else has them. Go clients look a status' text up in a table of exact
//! strings (etcd api/v3rpc/rpctypes/error.go), and kube-apiserver compares what comes out.

use archipel_store::error::RequestError;
use tonic::{Code, Status};

/// An error of etcd's catalogue that this server can give.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum EtcdError {
    EmptyKey,
    KeyNotFound,
    ValueProvided,
    LeaseProvided,
    TooManyOps,
    DuplicateKey,
    InvalidSortOption,
    Compacted,
    FutureRevision,
    NoSpace,
    LeaseNotFound,
    LeaseExists,
    LeaseTtlTooLarge,
    MemberNotFound,
    MemberNotLearner,
    MemberNotEnoughStarted,
    MemberBadUrls,
    MemberUrlsExist,
    LearnerNotReady,
    TooManyLearners,
    RequestTooLarge,
    TooManyRequests,
    AuthNotEnabled,
    Corrupt,
    RootUserNotExist,
    RootRoleNotExist,
    UserAlreadyExist,
    UserEmpty,
    UserNotFound,
    RoleAlreadyExist,
    RoleNotFound,
    RoleEmpty,
    AuthFailed,
    NoPasswordUser,
    PermissionNotGiven,
    PermissionDenied,
    RoleNotGranted,
    PermissionNotGranted,
    InvalidAuthToken,
    InvalidAuthManagement,
    AuthOldRevision,
    PasswordTooLong,
    TokenVerifyOnly,
    BadLeaderTransferee,
    WrongDowngradeVersionFormat,
    InvalidDowngradeTargetVersion,
    DowngradeInProcess,
    Stopped,
}

impl EtcdError {
    /// Every error of the table.
    pub const ALL: &'static [EtcdError] = &[
        EtcdError::EmptyKey,
        EtcdError::KeyNotFound,
        EtcdError::ValueProvided,
        EtcdError::LeaseProvided,
        EtcdError::TooManyOps,
        EtcdError::DuplicateKey,
        EtcdError::InvalidSortOption,
        EtcdError::Compacted,
        EtcdError::FutureRevision,
        EtcdError::NoSpace,
        EtcdError::LeaseNotFound,
        EtcdError::LeaseExists,
        EtcdError::LeaseTtlTooLarge,
        EtcdError::MemberNotFound,
        EtcdError::MemberNotLearner,
        EtcdError::MemberNotEnoughStarted,
        EtcdError::MemberBadUrls,
        EtcdError::MemberUrlsExist,
        EtcdError::LearnerNotReady,
        EtcdError::TooManyLearners,
        EtcdError::RequestTooLarge,
        EtcdError::TooManyRequests,
        EtcdError::AuthNotEnabled,
        EtcdError::Corrupt,
        EtcdError::RootUserNotExist,
        EtcdError::RootRoleNotExist,
        EtcdError::UserAlreadyExist,
        EtcdError::UserEmpty,
        EtcdError::UserNotFound,
        EtcdError::RoleAlreadyExist,
        EtcdError::RoleNotFound,
        EtcdError::RoleEmpty,
        EtcdError::AuthFailed,
        EtcdError::NoPasswordUser,
        EtcdError::PermissionNotGiven,
        EtcdError::PermissionDenied,
        EtcdError::RoleNotGranted,
        EtcdError::PermissionNotGranted,
        EtcdError::InvalidAuthToken,
        EtcdError::InvalidAuthManagement,
        EtcdError::AuthOldRevision,
        EtcdError::PasswordTooLong,
        EtcdError::TokenVerifyOnly,
        EtcdError::BadLeaderTransferee,
        EtcdError::WrongDowngradeVersionFormat,
        EtcdError::InvalidDowngradeTargetVersion,
        EtcdError::DowngradeInProcess,
        EtcdError::Stopped,
    ];

    /// Code and exact text.
    #[must_use]
    pub const fn row(self) -> (Code, &'static str) {
        use EtcdError as E;
        match self {
            E::EmptyKey => (Code::InvalidArgument, "etcdserver: key is not provided"),
            E::KeyNotFound => (Code::InvalidArgument, "etcdserver: key not found"),
            E::ValueProvided => (Code::InvalidArgument, "etcdserver: value is provided"),
            E::LeaseProvided => (Code::InvalidArgument, "etcdserver: lease is provided"),
            E::TooManyOps => (Code::InvalidArgument, "etcdserver: too many operations in txn request"),
            E::DuplicateKey => (Code::InvalidArgument, "etcdserver: duplicate key given in txn request"),
            E::InvalidSortOption => (Code::InvalidArgument, "etcdserver: invalid sort option"),
            E::Compacted => (Code::OutOfRange, "etcdserver: mvcc: required revision has been compacted"),
            E::FutureRevision => (Code::OutOfRange, "etcdserver: mvcc: required revision is a future revision"),
            E::NoSpace => (Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded"),
            E::LeaseNotFound => (Code::NotFound, "etcdserver: requested lease not found"),
            E::LeaseExists => (Code::FailedPrecondition, "etcdserver: lease already exists"),
            E::LeaseTtlTooLarge => (Code::OutOfRange, "etcdserver: too large lease TTL"),
            E::MemberNotFound => (Code::NotFound, "etcdserver: member not found"),
            E::MemberNotLearner => (Code::FailedPrecondition, "etcdserver: can only promote a learner member"),
            // etcd gives this one its client's error value, which has no code (server/etcdserver/api/v3rpc/util.go).
            E::MemberNotEnoughStarted => {
                (Code::Unknown, "etcdserver: re-configuration failed due to not enough started members")
            }
            E::MemberBadUrls => (Code::InvalidArgument, "etcdserver: given member URLs are invalid"),
            E::MemberUrlsExist => (Code::FailedPrecondition, "etcdserver: Peer URLs already exists"),
            E::LearnerNotReady => {
                (Code::FailedPrecondition, "etcdserver: can only promote a learner member which is in sync with leader")
            }
            E::TooManyLearners => (Code::FailedPrecondition, "etcdserver: too many learner members in cluster"),
            E::RequestTooLarge => (Code::InvalidArgument, "etcdserver: request is too large"),
            E::TooManyRequests => (Code::ResourceExhausted, "etcdserver: too many requests"),
            E::AuthNotEnabled => (Code::FailedPrecondition, "etcdserver: authentication is not enabled"),
            E::Corrupt => (Code::DataLoss, "etcdserver: corrupt cluster"),
            E::WrongDowngradeVersionFormat => {
                (Code::InvalidArgument, "etcdserver: wrong downgrade target version format")
            }
            E::InvalidDowngradeTargetVersion => (Code::InvalidArgument, "etcdserver: invalid downgrade target version"),
            E::DowngradeInProcess => (Code::FailedPrecondition, "etcdserver: cluster has a downgrade job in progress"),
            E::RootUserNotExist => (Code::FailedPrecondition, "etcdserver: root user does not exist"),
            E::RootRoleNotExist => (Code::FailedPrecondition, "etcdserver: root user does not have root role"),
            E::UserAlreadyExist => (Code::FailedPrecondition, "etcdserver: user name already exists"),
            E::UserEmpty => (Code::InvalidArgument, "etcdserver: user name is empty"),
            E::UserNotFound => (Code::FailedPrecondition, "etcdserver: user name not found"),
            E::RoleAlreadyExist => (Code::FailedPrecondition, "etcdserver: role name already exists"),
            E::RoleNotFound => (Code::FailedPrecondition, "etcdserver: role name not found"),
            E::RoleEmpty => (Code::InvalidArgument, "etcdserver: role name is empty"),
            E::AuthFailed => (Code::InvalidArgument, "etcdserver: authentication failed, invalid user ID or password"),
            // etcd has no row for these three and sends its own error's text.
            E::NoPasswordUser => {
                (Code::Unknown, "auth: authentication failed, password was given for no password user")
            }
            E::PasswordTooLong => (Code::Unknown, "bcrypt: password length exceeds 72 bytes"),
            E::TokenVerifyOnly => (Code::Unknown, "auth: token signing attempted with verify-only key"),
            E::PermissionNotGiven => (Code::InvalidArgument, "etcdserver: permission not given"),
            E::PermissionDenied => (Code::PermissionDenied, "etcdserver: permission denied"),
            E::RoleNotGranted => (Code::FailedPrecondition, "etcdserver: role is not granted to the user"),
            E::PermissionNotGranted => (Code::FailedPrecondition, "etcdserver: permission is not granted to the role"),
            E::InvalidAuthToken => (Code::Unauthenticated, "etcdserver: invalid auth token"),
            E::InvalidAuthManagement => (Code::InvalidArgument, "etcdserver: invalid auth management"),
            E::AuthOldRevision => (Code::InvalidArgument, "etcdserver: revision of auth store is old"),
            E::BadLeaderTransferee => (Code::FailedPrecondition, "etcdserver: bad leader transferee"),
            E::Stopped => (Code::Unavailable, "etcdserver: server stopped"),
        }
    }
}

/// Reason of a refused watch whose id is taken (etcd server/storage/mvcc/watcher.go).
pub const WATCH_ID_TAKEN: &str = "mvcc: duplicate watch ID provided on the WatchStream";
/// Reason of a refused watch whose range holds nothing.
pub const WATCH_RANGE_EMPTY: &str = "mvcc: watcher range is empty";

/// A waiter for a lock whose lease ended while it waited (etcd client/v3/concurrency/mutex.go). Like the following ones
/// it has no code of its own.
pub const SESSION_EXPIRED: &str = "mutex: session is expired";
/// Nobody leads (etcd client/v3/concurrency/election.go).
pub const ELECTION_NO_LEADER: &str = "election: no leader";
/// Whoever speaks does not lead any more.
pub const ELECTION_NOT_LEADER: &str = "election: not leader";
/// A request that has to say who speaks, and does not (etcd server/etcdserver/api/v3election/election.go).
pub const ELECTION_LEADER_REQUIRED: &str = "\"leader\" field must be provided";
/// Reason of a watch that is not permitted: the whole of Go's text for a status, not only its message
/// (etcd server/etcdserver/api/v3rpc/watch.go).
#[must_use]
pub fn watch_refusal(error: EtcdError) -> String {
    let (code, text) = match error {
        EtcdError::InvalidAuthToken | EtcdError::AuthOldRevision | EtcdError::UserEmpty => error.row(),
        _ => EtcdError::PermissionDenied.row(),
    };
    format!("rpc error: code = {code:?} desc = {text}")
}

impl From<EtcdError> for Status {
    fn from(error: EtcdError) -> Status {
        let (code, text) = error.row();
        Status::new(code, text)
    }
}

/// What the store refused, in etcd's words.
#[must_use]
pub fn from_store(error: RequestError) -> Status {
    match error {
        RequestError::EmptyKey => EtcdError::EmptyKey.into(),
        RequestError::KeyNotFound => EtcdError::KeyNotFound.into(),
        RequestError::Compacted { .. } => EtcdError::Compacted.into(),
        RequestError::FutureRevision { .. } => EtcdError::FutureRevision.into(),
        RequestError::LeaseNotFound => EtcdError::LeaseNotFound.into(),
        RequestError::LeaseExists => EtcdError::LeaseExists.into(),
        RequestError::LeaseTtlTooLarge => EtcdError::LeaseTtlTooLarge.into(),
        RequestError::NoSpace(_) => EtcdError::NoSpace.into(),
        RequestError::TooManyRequests => EtcdError::TooManyRequests.into(),
        RequestError::Overtaken => EtcdError::AuthOldRevision.into(),
        RequestError::ShareForbids(reason) => Status::permission_denied(format!("archipel: {reason}")),
        RequestError::Stopped(reason) => {
            // Clients know the text; the operator needs the reason.
            tracing::error!(reason, "a request was refused: the site stopped acknowledging");
            EtcdError::Stopped.into()
        }
        // Logged by the store, with the place.
        unreadable @ RequestError::Unreadable { .. } => Status::data_loss(format!("archipel: {unreadable}")),
        // A new kind of refusal that has no word in etcd.
        other => Status::unknown(format!("archipel: {other}")),
    }
}

/// The text that gRPC's Go library gives to a message above the receive limit, with its code. The library used here
/// says the same with another code and text; kube-apiserver and etcd's own tests look at these.
#[must_use]
pub fn message_too_large(found: &str, limit: &str) -> Status {
    Status::resource_exhausted(format!("grpc: received message larger than max ({found} vs. {limit})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn texts_are_unique_and_etcds() {
        let texts: BTreeSet<_> = EtcdError::ALL.iter().map(|error| error.row().1).collect();
        assert_eq!(texts.len(), EtcdError::ALL.len());
        let named = |error: &&EtcdError| error.row().0 != Code::Unknown;
        assert!(EtcdError::ALL.iter().filter(named).all(|error| error.row().1.starts_with("etcdserver: ")));
    }
}
