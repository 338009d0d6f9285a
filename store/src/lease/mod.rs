//! Leases: durable grants, volatile deadlines, expiry (etcd: server/lease/lessor.go).

mod info;

pub use info::LeaseInfo;
