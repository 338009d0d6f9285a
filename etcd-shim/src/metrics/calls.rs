//! Counters of gRPC calls. A method's counters are looked up once, when the process starts.

use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};
use std::time::Instant;
use tonic::{Code, Status};

/// Labels of a method, as go-grpc-prometheus names them.
const LABELS: &[&str] = &["grpc_service", "grpc_method", "grpc_type"];
/// The same with the code.
const LABELS_WITH_CODE: &[&str] = &["grpc_service", "grpc_method", "grpc_type", "grpc_code"];

/// The counters of every method that is counted.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Calls {
    pub range: Method,
    pub range_stream: Method,
    pub put: Method,
    pub delete_range: Method,
    pub txn: Method,
    pub compact: Method,
    pub watch: Method,
    pub lease_grant: Method,
    pub lease_revoke: Method,
    pub lease_keep_alive: Method,
    pub lease_time_to_live: Method,
    pub lease_leases: Method,
    pub alarm: Method,
    pub status: Method,
    pub defragment: Method,
    pub hash_kv: Method,
    pub member_list: Method,
}

/// One method's counters.
#[derive(Clone, Debug)]
pub struct Method {
    labels: [&'static str; 3],
    started: IntCounter,
    succeeded: IntCounter,
    handled: IntCounterVec,
    seconds: Histogram,
}

/// A call that is under way.
#[derive(Debug)]
pub struct Call<'a> {
    method: &'a Method,
    started: Instant,
}

impl Method {
    /// Counts the start of a call.
    #[must_use]
    pub fn start(&self) -> Call<'_> {
        self.started.inc();
        Call { method: self, started: Instant::now() }
    }
}

impl Call<'_> {
    /// Counts the outcome and passes it on. A streaming call ends, for its counters, when the stream is set up.
    ///
    /// # Errors
    /// The call's own.
    pub fn end<T>(self, outcome: Result<T, Status>) -> Result<T, Status> {
        self.method.seconds.observe(self.started.elapsed().as_secs_f64());
        match &outcome {
            Ok(_) => self.method.succeeded.inc(),
            Err(status) => {
                let [service, method, kind] = self.method.labels;
                self.method.handled.with_label_values(&[service, method, kind, code_name(status.code())]).inc();
            }
        }
        outcome
    }
}

impl Calls {
    /// Registers the three metrics and looks up every method.
    ///
    /// # Errors
    /// A name is registered already.
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Calls> {
        let started = IntCounterVec::new(
            Opts::new("grpc_server_started_total", "Total number of RPCs started on the server."),
            LABELS,
        )?;
        let handled = IntCounterVec::new(
            Opts::new("grpc_server_handled_total", "Total number of RPCs completed on the server, by code."),
            LABELS_WITH_CODE,
        )?;
        let seconds = HistogramVec::new(
            HistogramOpts::new("grpc_server_handling_seconds", "Response latency of RPCs handled by the server."),
            LABELS,
        )?;
        registry.register(Box::new(started.clone()))?;
        registry.register(Box::new(handled.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        let method = |service: &'static str, name: &'static str, kind: &'static str| -> Method {
            let labels = [service, name, kind];
            Method {
                labels,
                started: started.with_label_values(&labels),
                succeeded: handled.with_label_values(&[service, name, kind, code_name(Code::Ok)]),
                handled: handled.clone(),
                seconds: seconds.with_label_values(&labels),
            }
        };
        let unary = |service, name| method(service, name, "unary");
        const KV: &str = "etcdserverpb.KV";
        const LEASE: &str = "etcdserverpb.Lease";
        const MAINTENANCE: &str = "etcdserverpb.Maintenance";
        Ok(Calls {
            range: unary(KV, "Range"),
            range_stream: method(KV, "RangeStream", "server_stream"),
            put: unary(KV, "Put"),
            delete_range: unary(KV, "DeleteRange"),
            txn: unary(KV, "Txn"),
            compact: unary(KV, "Compact"),
            watch: method("etcdserverpb.Watch", "Watch", "bidi_stream"),
            lease_grant: unary(LEASE, "LeaseGrant"),
            lease_revoke: unary(LEASE, "LeaseRevoke"),
            lease_keep_alive: method(LEASE, "LeaseKeepAlive", "bidi_stream"),
            lease_time_to_live: unary(LEASE, "LeaseTimeToLive"),
            lease_leases: unary(LEASE, "LeaseLeases"),
            alarm: unary(MAINTENANCE, "Alarm"),
            status: unary(MAINTENANCE, "Status"),
            defragment: unary(MAINTENANCE, "Defragment"),
            hash_kv: unary(MAINTENANCE, "HashKV"),
            member_list: unary("etcdserverpb.Cluster", "MemberList"),
        })
    }
}

/// The code's name in the label, as Go writes it.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "Canceled",
        Code::Unknown => "Unknown",
        Code::InvalidArgument => "InvalidArgument",
        Code::DeadlineExceeded => "DeadlineExceeded",
        Code::NotFound => "NotFound",
        Code::AlreadyExists => "AlreadyExists",
        Code::PermissionDenied => "PermissionDenied",
        Code::ResourceExhausted => "ResourceExhausted",
        Code::FailedPrecondition => "FailedPrecondition",
        Code::Aborted => "Aborted",
        Code::OutOfRange => "OutOfRange",
        Code::Unimplemented => "Unimplemented",
        Code::Internal => "Internal",
        Code::Unavailable => "Unavailable",
        Code::DataLoss => "DataLoss",
        Code::Unauthenticated => "Unauthenticated",
    }
}
