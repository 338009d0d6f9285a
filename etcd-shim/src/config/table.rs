//! Every flag. Names, kinds and defaults are etcd 3.7's (server/embed/config.go, server/etcdmain/config.go); those of 3.6
//! that 3.7 dropped are taken too, because manifests outlive releases.

use super::flag::{Class, Flag, Kind};
use Kind::{Count, Duration, OneOf, Signed, Switch, Text, Urls};

/// Numbers that etcd keeps in 32 bits.
const COUNT32: Kind = Count(u32::MAX as u64);
/// Numbers that etcd keeps in 64 bits.
const COUNT64: Kind = Count(u64::MAX);

const fn acts(name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Flag {
    Flag { name, kind, default, class: Class::Acts, help }
}

const fn own(name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Flag {
    Flag { name, kind, default, class: Class::Own, help }
}

const fn no_effect(name: &'static str, kind: Kind, default: &'static str) -> Flag {
    Flag { name, kind, default, class: Class::NoEffect, help: "" }
}

const fn old_name(name: &'static str, kind: Kind, new: &'static str) -> Flag {
    Flag { name, kind, default: "", class: Class::OldName(new), help: "" }
}

const fn old_gate(name: &'static str, gate: &'static str) -> Flag {
    Flag { name, kind: Switch, default: "", class: Class::OldGate(gate), help: "" }
}

const fn ignored(name: &'static str) -> Flag {
    Flag { name, kind: Text, default: "", class: Class::Ignored, help: "" }
}

const fn refused(name: &'static str, kind: Kind) -> Flag {
    Flag { name, kind, default: "", class: Class::Refused, help: "" }
}

/// The groups, in the order of the help.
pub(super) const GROUPS: &[(&str, &[Flag])] = &[
    ("The site", SITE),
    ("Limits", LIMITS),
    ("Security", SECURITY),
    ("Accounts", ACCOUNTS),
    ("Logs and metrics", OBSERVED),
    ("Links to other sites", LINKS),
    ("Without effect", NO_EFFECT),
    ("Old names", OLD),
    ("Refused", REFUSED),
];

/// All flags.
pub(super) fn flags() -> impl Iterator<Item = &'static Flag> {
    GROUPS.iter().flat_map(|(_, flags)| flags.iter())
}

/// The flag of that name.
pub(super) fn flag(name: &str) -> Option<&'static Flag> {
    flags().find(|flag| flag.name == name)
}

const SITE: &[Flag] = &[
    acts("name", Text, "default", "Name of this site (etcd: of this member)."),
    acts("data-dir", Text, "", "Where the site's data live; default: NAME.etcd."),
    acts("config-file", Text, "", "A YAML file with the other flags; command line and environment are then ignored."),
    acts("listen-client-urls", Urls, "http://localhost:2379", "Where clients are served: http, https, unix or unixs."),
    acts("advertise-client-urls", Urls, "http://localhost:2379", "What clients are told to dial."),
    acts("initial-advertise-peer-urls", Urls, "http://localhost:2380", "The peer URLs that member lists show."),
    acts("listen-client-http-urls", Urls, "", "Where HTTP without gRPC is served; it then leaves the client URLs."),
    acts("listen-metrics-urls", Urls, "", "More addresses for /metrics, /health, /livez and /readyz."),
    acts("enable-grpc-gateway", Switch, "true", "Serve JSON over HTTP."),
    acts("socket-reuse-port", Switch, "false", "Set SO_REUSEPORT on listeners."),
    acts("socket-reuse-address", Switch, "false", "Set SO_REUSEADDR on listeners."),
    acts("heartbeat-interval", COUNT64, "100", "Milliseconds; the election timeout is at least five times this."),
    acts("election-timeout", COUNT64, "1000", "Milliseconds; the shortest lease is one and a half of it."),
    acts(
        "watch-progress-notify-interval",
        Duration,
        "0s",
        "How often an idle watcher that asked for it is told the \
     revision; 0 = 10 minutes.",
    ),
    acts("auto-compaction-mode", OneOf(&["periodic", "revision"]), "periodic", "What the retention counts."),
    acts("auto-compaction-retention", Text, "0", "Hours, a duration, or revisions that are kept; 0 = all."),
    acts("unsafe-no-fsync", Switch, "false", "Answer before the disk has the data; for tests only."),
    acts("feature-gates", Text, "", "Gates of etcd as NAME=true,NAME=false."),
    acts("version", Switch, "false", "Print the versions and exit."),
];

const LIMITS: &[Flag] = &[
    acts("quota-backend-bytes", Signed, "0", "Bytes after which writes are refused: 0 = 2 GiB, negative = never."),
    acts("max-txn-ops", COUNT32, "128", "Most operations in one list of a transaction."),
    acts("max-request-bytes", COUNT32, "1572864", "Largest write request in bytes."),
    acts("max-concurrent-streams", COUNT32, "4294967295", "Most concurrent requests of one connection."),
    acts("grpc-keepalive-min-time", Duration, "5s", "A client may not ping more often."),
    acts("grpc-keepalive-interval", Duration, "2h", "An idle connection is pinged after this time; 0 = never."),
    acts("grpc-keepalive-timeout", Duration, "20s", "A ping that is not answered in this time ends the connection."),
    own(
        "scrub-bytes-per-second",
        COUNT64,
        "4194304",
        "Bytes of the commit log that are checked in a second; 0 = none.",
    ),
    own("value-cache-bytes", COUNT64, "67108864", "Bytes of values that stay in memory; others are read from the log."),
    acts("warning-unary-request-duration", Duration, "300ms", "A request that takes longer is logged."),
];

const SECURITY: &[Flag] = &[
    acts("cert-file", Text, "", "Certificate of the client listeners, PEM, with its chain."),
    acts("key-file", Text, "", "Its private key, PEM."),
    acts("trusted-ca-file", Text, "", "CAs that clients' certificates must come from, PEM; makes them obligatory."),
    acts("client-cert-auth", Switch, "false", "Clients must show a certificate."),
    acts("client-crl-file", Text, "", "Revoked client certificates, PEM or DER."),
    acts("client-cert-allowed-hostname", Text, "", "Client certificates must be for one of these hosts."),
    acts("client-cert-allowed-cn", Text, "", "Client certificates must have one of these common names."),
    acts("auto-tls", Switch, "false", "Serve TLS with a certificate that is made at the first start."),
    acts("self-signed-cert-validity", Count(MAX_VALIDITY_YEARS), "1", "Years that such a certificate is valid."),
    acts("cipher-suites", Text, "", "Suites of TLS 1.2, by Go's names; empty = all that are served."),
    acts("tls-min-version", OneOf(&["", "TLS1.2", "TLS1.3"]), "TLS1.2", "Oldest version of TLS."),
    acts("tls-max-version", OneOf(&["", "TLS1.2", "TLS1.3"]), "", "Newest version of TLS."),
    acts("cors", Text, "*", "Origins that browsers may call from; * = all."),
    acts("host-whitelist", Text, "*", "Host names that plain HTTP requests may carry; * = all."),
];

/// A certificate cannot outlive the four-digit years of its time format by much.
const MAX_VALIDITY_YEARS: u64 = 1000;

const ACCOUNTS: &[Flag] = &[
    acts("auth-token", Text, "simple", "simple, or jwt with its options."),
    acts("auth-token-ttl", COUNT32, "300", "Seconds that a simple token lives."),
    acts("bcrypt-cost", COUNT32, "10", "Work of hashing a password, 4 to 31; each step doubles it."),
];

const OBSERVED: &[Flag] = &[
    acts(
        "log-level",
        Text,
        "info",
        "debug, info, warn, error, panic or fatal; or a filter such as archipel=debug,info.",
    ),
    acts("log-format", OneOf(&["json", "console"]), "json", "How a log line is written."),
    acts("log-outputs", Text, "default", "stderr (default), stdout, or files, separated by commas."),
    acts("metrics", OneOf(&["basic", "extensive"]), "basic", "extensive adds histograms of every gRPC method."),
];

const LINKS: &[Flag] = &[
    own(
        "link-listen-url",
        Text,
        "",
        "Where links of peers are accepted: https://IP:PORT, or none. Default: \
     https://127.0.0.1:2382 if it is free.",
    ),
    own(
        "link-advertise-address",
        Text,
        "",
        "HOST:PORT that peers are told to dial, or none; default: where it listens.",
    ),
    own("admin-socket", Text, "", "The socket of the admin API; default: admin.sock in the data directory."),
    own("kubernetes-prefix", Text, "/registry", "Prefix of Kubernetes' keys, as kube-apiserver's --etcd-prefix."),
];

const NO_EFFECT: &[Flag] = &[
    no_effect("wal-dir", Text, ""),
    no_effect("listen-peer-urls", Urls, "http://localhost:2380"),
    no_effect("initial-cluster", Text, ""),
    no_effect("initial-cluster-state", OneOf(&["new", "existing"]), "new"),
    no_effect("initial-cluster-token", Text, "etcd-cluster"),
    no_effect("force-new-cluster", Switch, "false"),
    no_effect("strict-reconfig-check", Switch, "true"),
    no_effect("snapshot-count", COUNT64, "10000"),
    no_effect("snapshot-catchup-entries", COUNT64, "5000"),
    no_effect("max-snapshots", COUNT32, "5"),
    no_effect("max-wals", COUNT32, "5"),
    no_effect("max-learners", Signed, "1"),
    no_effect("initial-election-tick-advance", Switch, "true"),
    no_effect("pre-vote", Switch, "true"),
    no_effect("raft-read-timeout", Duration, "5s"),
    no_effect("raft-write-timeout", Duration, "5s"),
    no_effect("backend-batch-interval", Duration, "0s"),
    no_effect("backend-batch-limit", Signed, "0"),
    no_effect("backend-bbolt-freelist-type", Text, ""),
    no_effect("bootstrap-defrag-threshold-megabytes", COUNT32, "0"),
    no_effect("memory-mlock", Switch, "false"),
    no_effect("compaction-batch-limit", Signed, "0"),
    no_effect("compaction-sleep-interval", Duration, "0s"),
    no_effect("corrupt-check-time", Duration, "0s"),
    no_effect("compact-hash-check-time", Duration, "1m"),
    no_effect("downgrade-check-time", Duration, "5s"),
    no_effect("warning-apply-duration", Duration, "100ms"),
    no_effect("client-cert-file", Text, ""),
    no_effect("client-key-file", Text, ""),
    no_effect("peer-cert-file", Text, ""),
    no_effect("peer-key-file", Text, ""),
    no_effect("peer-trusted-ca-file", Text, ""),
    no_effect("peer-client-cert-auth", Switch, "false"),
    no_effect("peer-client-cert-file", Text, ""),
    no_effect("peer-client-key-file", Text, ""),
    no_effect("peer-crl-file", Text, ""),
    no_effect("peer-cert-allowed-cn", Text, ""),
    no_effect("peer-cert-allowed-hostname", Text, ""),
    no_effect("peer-skip-client-san-verification", Switch, "false"),
    no_effect("peer-auto-tls", Switch, "false"),
    no_effect("enable-pprof", Switch, "false"),
    no_effect("logger", OneOf(&["zap"]), "zap"),
    no_effect("enable-log-rotation", Switch, "false"),
    no_effect("log-rotation-config-json", Text, ""),
    no_effect("enable-distributed-tracing", Switch, "false"),
    no_effect("distributed-tracing-address", Text, "localhost:4317"),
    no_effect("distributed-tracing-service-name", Text, "etcd"),
    no_effect("distributed-tracing-instance-id", Text, ""),
    no_effect("distributed-tracing-sampling-rate", Signed, "0"),
    no_effect("v2-deprecation", Text, ""),
    no_effect("discovery-fallback", OneOf(&["exit"]), "exit"),
];

const OLD: &[Flag] = &[
    old_name("experimental-compact-hash-check-time", Duration, "compact-hash-check-time"),
    old_name("experimental-corrupt-check-time", Duration, "corrupt-check-time"),
    old_name("experimental-compaction-batch-limit", Signed, "compaction-batch-limit"),
    old_name("experimental-compaction-sleep-interval", Duration, "compaction-sleep-interval"),
    old_name("experimental-watch-progress-notify-interval", Duration, "watch-progress-notify-interval"),
    old_name("experimental-warning-apply-duration", Duration, "warning-apply-duration"),
    old_name("experimental-warning-unary-request-duration", Duration, "warning-unary-request-duration"),
    old_name("experimental-bootstrap-defrag-threshold-megabytes", COUNT32, "bootstrap-defrag-threshold-megabytes"),
    old_name("experimental-memory-mlock", Switch, "memory-mlock"),
    old_name("experimental-max-learners", Signed, "max-learners"),
    old_name("experimental-snapshot-catchup-entries", COUNT64, "snapshot-catchup-entries"),
    old_name("experimental-downgrade-check-time", Duration, "downgrade-check-time"),
    old_name("experimental-peer-skip-client-san-verification", Switch, "peer-skip-client-san-verification"),
    old_name("experimental-enable-distributed-tracing", Switch, "enable-distributed-tracing"),
    old_name("experimental-distributed-tracing-address", Text, "distributed-tracing-address"),
    old_name("experimental-distributed-tracing-service-name", Text, "distributed-tracing-service-name"),
    old_name("experimental-distributed-tracing-instance-id", Text, "distributed-tracing-instance-id"),
    old_name("experimental-distributed-tracing-sampling-rate", Signed, "distributed-tracing-sampling-rate"),
    old_gate("experimental-compact-hash-check-enabled", "CompactHashCheck"),
    old_gate("experimental-initial-corrupt-check", "InitialCorruptCheck"),
    old_gate("experimental-enable-lease-checkpoint", "LeaseCheckpoint"),
    old_gate("experimental-enable-lease-checkpoint-persist", "LeaseCheckpointPersist"),
    old_gate("experimental-txn-mode-write-with-shared-buffer", "TxnModeWriteWithSharedBuffer"),
    old_gate("experimental-stop-grpc-service-on-defrag", "StopGRPCServiceOnDefrag"),
    ignored("cluster-active-size"),
    ignored("cluster-remove-delay"),
    ignored("cluster-sync-interval"),
    ignored("config"),
    ignored("force"),
    ignored("max-result-buffer"),
    ignored("max-retry-attempts"),
    ignored("peer-heartbeat-interval"),
    ignored("peer-election-timeout"),
    ignored("retry-interval"),
    ignored("snapshot"),
    ignored("v"),
    ignored("vv"),
    ignored("test.coverprofile"),
    ignored("test.outputdir"),
];

const REFUSED: &[Flag] = &[
    refused("discovery", Text),
    refused("discovery-srv", Text),
    refused("discovery-srv-name", Text),
    refused("discovery-endpoints", Text),
    refused("discovery-token", Text),
    refused("discovery-dial-timeout", Duration),
    refused("discovery-request-timeout", Duration),
    refused("discovery-keepalive-time", Duration),
    refused("discovery-keepalive-timeout", Duration),
    refused("discovery-insecure-transport", Switch),
    refused("discovery-insecure-skip-tls-verify", Switch),
    refused("discovery-cert", Text),
    refused("discovery-key", Text),
    refused("discovery-cacert", Text),
    refused("discovery-user", Text),
    refused("discovery-password", Text),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_name_occurs_once_and_a_default_is_a_value() {
        let names: BTreeSet<_> = flags().map(|flag| flag.name).collect();
        assert_eq!(names.len(), flags().count());
        for flag in flags().filter(|flag| !flag.default.is_empty()) {
            assert_eq!(flag.kind.check(flag.default), Ok(()), "{}", flag.name);
        }
    }

    #[test]
    fn an_old_name_takes_what_the_new_one_takes() {
        for flag in flags() {
            if let Class::OldName(new) = flag.class {
                assert_eq!(super::flag(new).map(|new| new.kind), Some(flag.kind), "{}", flag.name);
            }
        }
    }
}
