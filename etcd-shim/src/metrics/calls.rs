//! Counters of gRPC calls. A method's counters are looked up once, when the process starts.

use super::MetricsSettings;
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};
use std::time::{Duration, Instant};
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
    pub authenticate: Method,
}

/// One method's counters.
#[derive(Clone, Debug)]
pub struct Method {
    labels: [&'static str; 3],
    started: IntCounter,
    succeeded: IntCounter,
    handled: IntCounterVec,
    /// Messages from clients.
    pub received: IntCounter,
    /// Messages to clients.
    pub sent: IntCounter,
    /// With `--metrics=extensive`.
    seconds: Option<Histogram>,
    is_unary: bool,
    /// A unary call that takes longer is logged.
    slow: Duration,
    slow_calls: IntCounter,
}

/// A call that is under way.
#[derive(Debug)]
pub struct Call<'a> {
    method: &'a Method,
    started: Instant,
}

impl Method {
    /// Counts the start of a call, and the message of a unary one.
    #[must_use]
    pub fn start(&self) -> Call<'_> {
        self.started.inc();
        if self.is_unary {
            self.received.inc();
        }
        Call { method: self, started: Instant::now() }
    }
}

impl Call<'_> {
    /// Counts the outcome and passes it on. A streaming call ends, for its counters, when the stream is set up.
    ///
    /// # Errors
    /// The call's own.
    pub fn end<T>(self, outcome: Result<T, Status>) -> Result<T, Status> {
        let took = self.started.elapsed();
        if let Some(seconds) = &self.method.seconds {
            seconds.observe(took.as_secs_f64());
        }
        if self.method.is_unary && took > self.method.slow {
            let [service, method, _] = self.method.labels;
            self.method.slow_calls.inc();
            tracing::warn!(service, method, took_ms = took.as_secs_f64() * 1e3, "request took too long");
        }
        match &outcome {
            Ok(_) => {
                self.method.succeeded.inc();
                if self.method.is_unary {
                    self.method.sent.inc();
                }
            }
            Err(status) => {
                let [service, method, kind] = self.method.labels;
                self.method.handled.with_label_values(&[service, method, kind, code_name(status.code())]).inc();
            }
        }
        outcome
    }
}

impl Calls {
    /// Registers the metrics and looks up every method; histograms only if they are wanted.
    ///
    /// # Errors
    /// A name is registered already.
    pub(super) fn register(registry: &Registry, wish: MetricsSettings) -> prometheus::Result<Calls> {
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
        if wish.extensive {
            registry.register(Box::new(seconds.clone()))?;
        }
        let help = "The total number of slow requests (longer than --warning-unary-request-duration).";
        let slow_calls = IntCounter::new("etcd_server_slow_apply_total", help)?;
        registry.register(Box::new(slow_calls.clone()))?;
        let messages = |name: &str, help: &str| -> prometheus::Result<IntCounterVec> {
            let messages = IntCounterVec::new(Opts::new(name, help), LABELS)?;
            registry.register(Box::new(messages.clone()))?;
            Ok(messages)
        };
        let help = "Total number of RPC stream messages received on the server.";
        let received = messages("grpc_server_msg_received_total", help)?;
        let sent = messages("grpc_server_msg_sent_total", "Total number of gRPC stream messages sent by the server.")?;
        let method = |service: &'static str, name: &'static str, kind: &'static str| -> Method {
            let labels = [service, name, kind];
            Method {
                labels,
                started: started.with_label_values(&labels),
                succeeded: handled.with_label_values(&[service, name, kind, code_name(Code::Ok)]),
                handled: handled.clone(),
                received: received.with_label_values(&labels),
                sent: sent.with_label_values(&labels),
                seconds: wish.extensive.then(|| seconds.with_label_values(&labels)),
                is_unary: kind == "unary",
                slow: wish.slow_request,
                slow_calls: slow_calls.clone(),
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
            authenticate: unary("etcdserverpb.Auth", "Authenticate"),
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
