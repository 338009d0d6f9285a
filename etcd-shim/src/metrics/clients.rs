//! Requests by kind and by the version of the API that the client says it speaks (etcd
//! server/etcdserver/api/v3rpc/interceptor.go).

use http::{HeaderMap, HeaderValue};
use prometheus::{IntCounter, IntCounterVec, Opts, Registry};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// The header in which clients of etcd say it.
const VERSION_HEADER: &str = "client-api-version";
/// Who says nothing.
const UNKNOWN: &str = "unknown";
/// Versions that are told apart; a client chooses the text, so that further ones count as one.
const VERSIONS_MAX: usize = 16;
const OTHER: &str = "other";
/// The methods that answer in a stream.
const STREAMS: &[&str] = &["/Watch", "/LeaseKeepAlive", "/Snapshot", "/RangeStream", "/Observe"];

/// Counts requests of one connection; the counters are looked up at its first request. Clones are of one connection.
#[derive(Clone, Debug)]
pub struct ClientRequests {
    requests: IntCounterVec,
    versions: Arc<Mutex<BTreeSet<String>>>,
    known: Arc<OnceLock<Known>>,
}

#[derive(Debug)]
struct Known {
    version: Option<HeaderValue>,
    unary: IntCounter,
    stream: IntCounter,
}

impl ClientRequests {
    /// Registers the metric.
    ///
    /// # Errors
    /// Its name is registered already.
    pub(super) fn register(registry: &Registry) -> prometheus::Result<ClientRequests> {
        let help = "The total number of client requests per client version.";
        let opts = Opts::new("etcd_server_client_requests_total", help);
        let requests = IntCounterVec::new(opts, &["type", "client_api_version"])?;
        registry.register(Box::new(requests.clone()))?;
        Ok(ClientRequests { requests, versions: Arc::default(), known: Arc::default() })
    }

    /// For a new connection.
    #[must_use]
    pub fn of_connection(&self) -> ClientRequests {
        ClientRequests { known: Arc::default(), ..self.clone() }
    }

    /// Counts a request. Cost: one look at the headers; a client that changes its version pays a look-up.
    pub fn count(&self, path: &str, headers: &HeaderMap) {
        let version = headers.get(VERSION_HEADER);
        let known = self.known.get_or_init(|| Known {
            version: version.cloned(),
            unary: self.counter("unary", version),
            stream: self.counter("stream", version),
        });
        let is_stream = STREAMS.iter().any(|method| path.ends_with(method));
        if known.version.as_ref() == version {
            if is_stream { known.stream.inc() } else { known.unary.inc() }
        } else {
            self.counter(if is_stream { "stream" } else { "unary" }, version).inc();
        }
    }

    fn counter(&self, kind: &str, version: Option<&HeaderValue>) -> IntCounter {
        let said = version.and_then(|version| version.to_str().ok()).unwrap_or(UNKNOWN);
        // A panic inside leaves a set that is whole.
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = versions.contains(said) || versions.len() < VERSIONS_MAX && versions.insert(said.to_owned());
        let version = if is_known { said } else { OTHER };
        self.requests.with_label_values(&[kind, version])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_apart_up_to_a_bound() {
        let all = ClientRequests::register(&Registry::new()).unwrap();
        let count = |requests: &ClientRequests, path: &str, version: Option<String>| {
            let mut headers = HeaderMap::new();
            if let Some(version) = version {
                headers.insert(VERSION_HEADER, version.parse().unwrap());
            }
            requests.count(path, &headers);
        };
        let connection = all.of_connection();
        count(&connection, "/etcdserverpb.KV/Range", Some("3.7".to_owned()));
        count(&connection, "/etcdserverpb.Watch/Watch", Some("3.7".to_owned()));
        count(&connection, "/etcdserverpb.KV/Put", None);
        let counted = |kind, version| all.requests.with_label_values(&[kind, version]).get();
        assert_eq!([counted("unary", "3.7"), counted("stream", "3.7"), counted("unary", UNKNOWN)], [1, 1, 1]);
        (0..40).for_each(|version| count(&all.of_connection(), "/etcdserverpb.KV/Put", Some(format!("x{version}"))));
        assert_eq!(all.versions.lock().unwrap().len(), VERSIONS_MAX);
        assert_eq!(counted("unary", OTHER), 40 - (VERSIONS_MAX as u64 - 2));
    }
}
