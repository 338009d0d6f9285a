//! Leases: durable grants, volatile deadlines, expiry (etcd: server/lease/lessor.go).

mod deadlines;
mod info;
mod row;

pub use info::LeaseInfo;

pub(crate) use deadlines::Deadlines;
pub(crate) use row::{granted_s, row_id, row_key, row_value};
