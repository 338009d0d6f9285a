//! etcd's flags that are accepted and have no effect: they speak of Raft members, of etcd's own storage files or of
//! features that are not served. kubeadm, kwok and test frameworks pass them.

use clap::{Arg, ArgAction, ArgMatches, Command};

/// Flags with a value.
const VALUES: &[&str] = &[
    "backend-batch-interval",
    "backend-batch-limit",
    "backend-bbolt-freelist-type",
    "bootstrap-defrag-threshold-megabytes",
    "compact-hash-check-time",
    "compaction-batch-limit",
    "compaction-sleep-interval",
    "corrupt-check-time",
    "cors",
    "distributed-tracing-address",
    "distributed-tracing-instance-id",
    "distributed-tracing-sampling-rate",
    "distributed-tracing-service-name",
    "downgrade-check-time",
    "feature-gates",
    "grpc-keepalive-interval",
    "grpc-keepalive-min-time",
    "grpc-keepalive-timeout",
    "heartbeat-interval",
    "host-whitelist",
    "initial-cluster",
    "initial-cluster-state",
    "initial-cluster-token",
    "listen-peer-urls",
    "log-outputs",
    "log-rotation-config-json",
    "logger",
    "max-learners",
    "max-snapshots",
    "max-wals",
    "metrics",
    "peer-cert-file",
    "peer-key-file",
    "peer-trusted-ca-file",
    "raft-read-timeout",
    "raft-write-timeout",
    "snapshot-catchup-entries",
    "snapshot-count",
    "v2-deprecation",
    "wal-dir",
    "warning-apply-duration",
    "warning-unary-request-duration",
    "experimental-watch-progress-notify-interval",
];

/// Flags that are true or false.
const SWITCHES: &[&str] = &[
    "enable-distributed-tracing",
    "enable-log-rotation",
    "enable-pprof",
    "experimental-initial-corrupt-check",
    "initial-election-tick-advance",
    "memory-mlock",
    "peer-auto-tls",
    "peer-client-cert-auth",
    "pre-vote",
    "socket-reuse-address",
    "socket-reuse-port",
    "strict-reconfig-check",
];

/// The command line with the flags that have no effect, hidden from the help.
#[must_use]
pub fn with_accepted_flags(command: Command) -> Command {
    let values = VALUES.iter().map(|name| Arg::new(*name).long(*name).hide(true).action(ArgAction::Append));
    let switches = SWITCHES.iter().map(|name| {
        Arg::new(*name)
            .long(*name)
            .hide(true)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .action(ArgAction::Append)
    });
    command.args(values).args(switches)
}

/// The flags without effect that were given on this command line or in this environment.
#[must_use]
pub fn given_without_effect(matches: &ArgMatches, in_environment: impl Fn(&str) -> bool) -> Vec<String> {
    VALUES
        .iter()
        .chain(SWITCHES)
        .filter(|name| matches.contains_id(name) || in_environment(&environment_name(name)))
        .map(|name| (*name).to_owned())
        .collect()
}

/// `ETCD_` and the flag's name in capitals.
fn environment_name(flag: &str) -> String {
    format!("ETCD_{}", flag.replace('-', "_").to_ascii_uppercase())
}
