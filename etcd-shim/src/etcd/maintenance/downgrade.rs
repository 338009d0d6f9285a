//! Downgrades as a single etcd member answers them (etcd: server/etcdserver/version/version.go). The target is kept as a
//! row and shown in the status; nothing else follows from it, because the etcd version is only what this process speaks.

use crate::{
    config::ETCD_CLUSTER_VERSION,
    etcd::status::{self, EtcdError},
};
use archipel_store::{Store, View, log::Table};
use bytes::Bytes;
use tonic::Status;

/// The row of the site's table that holds the target of a downgrade under way.
const ROW: &[u8] = b"etcd/downgrade";

/// The target of a downgrade under way.
pub(super) fn target(view: &View) -> Option<String> {
    view.row(Table::Site, ROW).map(|row| String::from_utf8_lossy(&row).into_owned())
}

/// May the cluster be downgraded to `wanted`? Its canonical form comes back.
///
/// # Errors
/// Not a version, not the release before this one, or another downgrade is under way.
pub(super) fn validate(view: &View, wanted: &str) -> Result<String, EtcdError> {
    let (major, minor) = version(wanted).ok_or(EtcdError::WrongDowngradeVersionFormat)?;
    let current = version(ETCD_CLUSTER_VERSION).ok_or(EtcdError::InvalidDowngradeTargetVersion)?;
    if (major, minor + 1) != current {
        return Err(EtcdError::InvalidDowngradeTargetVersion);
    }
    if target(view).is_some() {
        return Err(EtcdError::DowngradeInProcess);
    }
    Ok(format!("{major}.{minor}.0"))
}

/// Starts a downgrade.
///
/// # Errors
/// As [`validate`]; the store's.
pub(super) async fn enable(store: &Store, wanted: &str) -> Result<(), Status> {
    let target = validate(&store.view(), wanted)?;
    write(store, Some(target)).await
}

/// Ends a downgrade. Without one it succeeds too, as etcd's does.
///
/// # Errors
/// The store's.
pub(super) async fn cancel(store: &Store) -> Result<(), Status> {
    write(store, None).await
}

async fn write(store: &Store, target: Option<String>) -> Result<(), Status> {
    let change = |commit: &mut archipel_store::sequencer::Commit<'_>| {
        match target {
            Some(target) => commit.table_put(Table::Site, Bytes::from_static(ROW), target.into()),
            None => commit.table_delete(Table::Site, ROW),
        }
        Ok(())
    };
    let ((), ticket) = store.commit(change).map_err(status::from_store)?;
    ticket.await.map_err(status::from_store)
}

/// Major and minor of `3.6`, `3.6.0` or `3.6.1-rc.0`.
fn version(text: &str) -> Option<(u64, u64)> {
    let core = text.split_once(['-', '+']).map_or(text, |(core, _)| core);
    let numbers: Option<Vec<u64>> = core.split('.').map(|part| part.parse().ok()).collect();
    match numbers?.as_slice() {
        [major, minor] if core == text => Some((*major, *minor)),
        [major, minor, _patch] => Some((*major, *minor)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ETCD_CLUSTER_SERIES;

    #[test]
    fn versions_are_semantic_or_major_and_minor() {
        assert_eq!(version("3.6"), Some((3, 6)));
        assert_eq!(version("3.6.0"), Some((3, 6)));
        assert_eq!(version("3.6.1-rc.0"), Some((3, 6)));
        for wrong in ["", "3", "abc", "3.x", "3.6.1.2", "v3.6", "3.6-rc.0"] {
            assert_eq!(version(wrong), None, "{wrong:?}");
        }
        assert_eq!(ETCD_CLUSTER_VERSION, format!("{ETCD_CLUSTER_SERIES}.0"));
    }
}
