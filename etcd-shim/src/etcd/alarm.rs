//! The space and the corruption alarm, and the quota that raises the first. When a write would pass the quota, or the disk
//! does not let the log grow, the alarm is raised, and writes that need space are refused until an operator has made room
//! and disarmed it (etcd: server/etcdserver/api/v3rpc/quota.go). The quota is held against the bytes in use, which a
//! compaction lowers. An alarm is a row of the site's table: it outlives a restart, as in etcd.

use super::{context::Context, status::EtcdError, wire};
use archipel_store::{Store, error::RequestError, log::Table, sequencer::Commit};
use bytes::Bytes;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

/// What etcd adds to key and value for a version's own fields (server/storage/quota.go).
const VERSION_OVERHEAD_BYTES: usize = 256;
/// What etcd counts for a lease.
const LEASE_BYTES: usize = 64;
/// How often the disk is asked for.
const SPACE_INTERVAL: Duration = Duration::from_secs(1);
/// Rows of alarms in the site's table: this prefix, the kind (1 byte), the member's id (8 bytes).
const ROWS: &[u8] = b"etcd/alarm/";

/// Quota and raised alarms. The flags say what the rows say, so that a write need not look the rows up.
#[derive(Debug)]
pub struct Alarms {
    member_id: u64,
    quota_bytes: Option<u64>,
    no_space: AtomicBool,
    corrupt: AtomicBool,
}

/// A kind of alarm; the number is etcd's `AlarmType`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Alarm {
    /// The quota was reached.
    NoSpace = 1,
    /// Values are lost, as the scrub found, or an operator said.
    Corrupt = 2,
}

/// A raised alarm. As in etcd, an operator may raise one in the name of any member.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Raised {
    /// Its kind.
    pub alarm: Alarm,
    /// Whose it is.
    pub member_id: u64,
}

impl Alarm {
    /// Every kind.
    pub const ALL: [Alarm; 2] = [Alarm::NoSpace, Alarm::Corrupt];

    /// etcd's name of it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Alarm::NoSpace => "NOSPACE",
            Alarm::Corrupt => "CORRUPT",
        }
    }
}

impl Raised {
    fn row(self) -> Bytes {
        [ROWS, &[self.alarm as u8], &self.member_id.to_be_bytes()].concat().into()
    }

    fn from_row(row: &[u8]) -> Option<Raised> {
        let (kind, member) = row.strip_prefix(ROWS)?.split_first()?;
        let alarm = Alarm::ALL.into_iter().find(|alarm| *alarm as u8 == *kind)?;
        Some(Raised { alarm, member_id: u64::from_be_bytes(member.try_into().ok()?) })
    }
}

impl Alarms {
    /// The alarms that the store holds. `quota_bytes` None = no quota.
    #[must_use]
    pub fn load(store: &Store, member_id: u64, quota_bytes: Option<u64>) -> Alarms {
        let alarms =
            Alarms { member_id, quota_bytes, no_space: AtomicBool::new(false), corrupt: AtomicBool::new(false) };
        for Raised { alarm, member_id } in alarms.raised(store) {
            tracing::warn!(alarm = alarm.name(), member_id, "an alarm is raised since before this start");
            alarms.flag(alarm).store(true, Ordering::Relaxed);
        }
        alarms
    }

    /// The quota in bytes; 0 = none.
    #[must_use]
    pub fn quota_bytes(&self) -> u64 {
        self.quota_bytes.unwrap_or(0)
    }

    /// The alarms that are raised, by kind and member.
    #[must_use]
    pub fn raised(&self, store: &Store) -> Vec<Raised> {
        let rows = store.view().rows(Table::Site, ROWS);
        rows.iter().filter_map(|(row, _)| Raised::from_row(row)).collect()
    }

    /// Is an alarm of this kind raised?
    #[must_use]
    pub fn is_raised(&self, alarm: Alarm) -> bool {
        self.flag(alarm).load(Ordering::Relaxed)
    }

    /// Raises an alarm; durable when it returns.
    ///
    /// # Errors
    /// The store's.
    pub async fn raise(&self, store: &Store, raised: Raised) -> Result<(), RequestError> {
        let ((), ticket) = store.commit(|commit| self.write(commit, raised, true))?;
        ticket.await
    }

    /// Disarms an alarm, durably; says whether it was raised.
    ///
    /// # Errors
    /// The store's.
    pub async fn disarm(&self, store: &Store, raised: Raised) -> Result<bool, RequestError> {
        let change = |commit: &mut Commit<'_>| {
            let was = commit.table_get(Table::Site, &raised.row()).is_some();
            self.write(commit, raised, false)?;
            Ok::<_, RequestError>(was)
        };
        let (was, ticket) = store.commit(change)?;
        ticket.await?;
        Ok(was)
    }

    /// Under the store's lock, so that rows and flags never disagree.
    fn write(&self, commit: &mut Commit<'_>, raised: Raised, on: bool) -> Result<(), RequestError> {
        let is_set = commit.table_get(Table::Site, &raised.row()).is_some();
        match (is_set, on) {
            (false, true) => commit.table_put(Table::Site, raised.row(), Bytes::from_static(b"1")),
            (true, false) => commit.table_delete(Table::Site, &raised.row()),
            _ => {}
        }
        let kind = [ROWS, &[raised.alarm as u8]].concat();
        let any = !commit.table_scan(Table::Site, &kind).is_empty();
        self.flag(raised.alarm).store(any, Ordering::Relaxed);
        Ok(())
    }

    fn flag(&self, alarm: Alarm) -> &AtomicBool {
        match alarm {
            Alarm::NoSpace => &self.no_space,
            Alarm::Corrupt => &self.corrupt,
        }
    }

    /// May anything be written?
    ///
    /// # Errors
    /// The corruption alarm is raised (etcd: server/etcdserver/apply/corrupt.go).
    pub fn refuse_if_corrupt(&self) -> Result<(), EtcdError> {
        if self.is_raised(Alarm::Corrupt) { Err(EtcdError::Corrupt) } else { Ok(()) }
    }

    /// Is there room for `bytes` more?
    ///
    /// # Errors
    /// No space, by the alarm or by the quota; the alarm is raised then, and stands when this returns. Corrupt.
    pub async fn admit(&self, store: &Store, bytes: usize) -> Result<(), EtcdError> {
        self.refuse_if_corrupt()?;
        if self.is_raised(Alarm::NoSpace) {
            return Err(EtcdError::NoSpace);
        }
        let Some(quota) = self.quota_bytes else { return Ok(()) };
        if store.size().in_use_bytes.saturating_add(bytes as u64) < quota {
            return Ok(());
        }
        self.raise_no_space(store, &format!("the space quota of {quota} bytes is reached")).await;
        Err(EtcdError::NoSpace)
    }

    /// Raises the corruption alarm of this member.
    async fn raise_corrupt(&self, store: &Store) {
        tracing::error!(
            "alarm CORRUPT: all requests are refused; stop the site, run archipel verify, and restore it from a snapshot or \
             from a peer"
        );
        if let Err(error) = self.raise(store, Raised { alarm: Alarm::Corrupt, member_id: self.member_id }).await {
            tracing::error!(%error, "the corruption alarm cannot be stored");
        }
    }

    /// Raises the space alarm of this member.
    pub async fn raise_no_space(&self, store: &Store, reason: &str) {
        tracing::warn!(reason, "alarm NOSPACE: writes are refused; compact, then disarm the alarm");
        if let Err(error) = self.raise(store, Raised { alarm: Alarm::NoSpace, member_id: self.member_id }).await {
            tracing::error!(%error, "the space alarm cannot be stored");
        }
    }
}

/// Looks at the disk until the process stops. Raises the space alarm when it does not let the log grow: writes are refused
/// before the log fails. Raises the corruption alarm when the scrub finds that a value is lost that somebody may ask for;
/// damage to what nobody needs any more is logged and no reason to refuse. An operator who disarms it sees it again when
/// the next pass finds the same.
pub async fn watch_disk(context: Context) {
    let mut lost_seen = 0;
    loop {
        tokio::select! {
            () = tokio::time::sleep(SPACE_INTERVAL) => {}
            () = context.stop.cancelled() => return,
        }
        let lost = context.store.scrub_status().lost;
        if lost > lost_seen {
            lost_seen = lost;
            context.alarms.raise_corrupt(&context.store).await;
        }
        if context.alarms.is_raised(Alarm::NoSpace) {
            continue;
        }
        if let Some(reason) = context.store.space_error() {
            context.alarms.raise_no_space(&context.store, &reason).await;
        }
    }
}

/// What a Put costs.
#[must_use]
pub fn put_bytes(request: &wire::PutRequest) -> usize {
    request.key.len() + request.value.len() + VERSION_OVERHEAD_BYTES
}

/// What a transaction costs at most: the dearer of its branches; 0 = it puts nothing.
#[must_use]
pub fn txn_bytes(request: &wire::TxnRequest) -> usize {
    use wire::request_op::Request;
    let branch = |ops: &[wire::RequestOp]| -> usize {
        let cost = |op: &wire::RequestOp| match &op.request {
            Some(Request::RequestPut(put)) => put_bytes(put),
            Some(Request::RequestTxn(nested)) => txn_bytes(nested),
            _ => 0,
        };
        ops.iter().map(cost).sum()
    };
    branch(&request.success).max(branch(&request.failure))
}

/// What a lease costs.
#[must_use]
pub const fn lease_bytes() -> usize {
    LEASE_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::{PutRequest, RequestOp, TxnRequest, request_op::Request};

    #[test]
    fn a_transaction_costs_its_dearer_branch() {
        let put = |bytes: usize| RequestOp {
            request: Some(Request::RequestPut(PutRequest { value: vec![0; bytes].into(), ..PutRequest::default() })),
        };
        let request = TxnRequest { success: vec![put(10), put(20)], failure: vec![put(500)], ..TxnRequest::default() };
        assert_eq!(txn_bytes(&request), 500 + VERSION_OVERHEAD_BYTES);
        assert_eq!(txn_bytes(&TxnRequest::default()), 0);
    }

    #[test]
    fn rows_read_back() {
        let raised = Raised { alarm: Alarm::Corrupt, member_id: u64::MAX };
        assert_eq!(Raised::from_row(&raised.row()), Some(raised));
        assert_eq!(Raised::from_row(b"etcd/alarm/"), None);
        assert_eq!(Raised::from_row(b"id"), None);
    }
}
