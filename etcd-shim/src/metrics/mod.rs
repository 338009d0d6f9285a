//! Prometheus metrics, with the names that dashboards and alerts for etcd query.
