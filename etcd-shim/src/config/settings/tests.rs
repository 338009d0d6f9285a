use super::*;
use crate::config::{CertificateSource, LogOutput, Request, TlsVersions, read};
use std::collections::BTreeMap;

fn configured(words: &[&str]) -> Result<Config, ConfigError> {
    match read(words.iter().map(|word| (*word).to_owned()), &BTreeMap::new()).unwrap() {
        Request::Serve(values) => Config::new(values),
        other => panic!("{other:?}"),
    }
}

fn refused(words: &[&str]) -> String {
    configured(words).unwrap_err().to_string()
}

#[test]
fn without_flags_a_site_is_what_etcd_is() {
    let config = configured(&[]).unwrap();
    assert_eq!(config.name, "default");
    assert_eq!(config.data_dir, PathBuf::from("default.etcd"));
    assert_eq!(config.listen.client, ListenUrl::parse_list("http://localhost:2379").unwrap());
    assert_eq!(config.advertise_client, ["http://localhost:2379"]);
    assert_eq!(config.min_lease_ttl_s, 2);
    assert_eq!(config.quota_bytes, Some(2 << 30));
    assert_eq!(config.auto_compaction, AutoCompaction::Off);
    assert_eq!(config.progress_notify.as_secs(), 600);
    assert_eq!(config.transport.ping_every.map(|every| every.as_secs()), Some(7200));
    assert_eq!(config.log.outputs, [LogOutput::Stderr]);
    assert!(config.fsync && config.log.json && config.http.gateway && config.http.cors.is_empty());
    assert!(config.tls.certificate.is_none());
}

#[test]
fn what_kubeadm_passes_is_taken() {
    let words = "--name=node --data-dir=/var/lib/etcd --listen-client-urls=https://127.0.0.1:2379,https://10.0.0.1:2379 \
        --advertise-client-urls=https://10.0.0.1:2379 --listen-peer-urls=https://10.0.0.1:2380 \
        --initial-advertise-peer-urls=https://10.0.0.1:2380 --initial-cluster=node=https://10.0.0.1:2380 \
        --cert-file=/p/server.crt --key-file=/p/server.key --trusted-ca-file=/p/ca.crt --client-cert-auth=true \
        --peer-cert-file=/p/peer.crt --peer-key-file=/p/peer.key --peer-trusted-ca-file=/p/ca.crt \
        --peer-client-cert-auth=true --snapshot-count=10000 --listen-metrics-urls=http://127.0.0.1:2381 \
        --feature-gates=InitialCorruptCheck=true --watch-progress-notify-interval=5s";
    let config = configured(&words.split_whitespace().collect::<Vec<_>>()).unwrap();
    assert_eq!(config.progress_notify.as_secs(), 5);
    assert!(config.tls.asks_for_certificates());
    assert!(matches!(config.tls.certificate, Some(CertificateSource::Files { .. })));
    let subjects: Vec<_> = config.notes.iter().map(|note| note.subject.as_str()).collect();
    assert_eq!(subjects.len(), 2, "{subjects:?}");
    assert!(
        subjects.first().is_some_and(|flags| flags.contains("initial-cluster") && flags.contains("peer-cert-file"))
    );
    assert_eq!(subjects.last(), Some(&"InitialCorruptCheck"));
}

#[test]
fn timeouts_are_checked_as_etcd_checks_them() {
    let lease = |heartbeat, election| min_lease_ttl_s(heartbeat, election);
    assert_eq!(lease(100, 1000), Ok(2));
    assert_eq!(lease(10, 100), Ok(1));
    assert_eq!(lease(100, 2000), Ok(3));
    assert!(refused(&["--election-timeout=400"]).contains("at least as 5 times as --heartbeat-interval[100ms]"));
    assert!(refused(&["--election-timeout=50001"]).contains("should be set less than 50000ms"));
    assert!(refused(&["--heartbeat-interval=0"]).contains("--heartbeat-interval must be >0"));
}

#[test]
fn retention_is_hours_a_duration_or_revisions() {
    let compaction = |mode: &str, retention: &str| {
        let words = [format!("--auto-compaction-mode={mode}"), format!("--auto-compaction-retention={retention}")];
        configured(&[&words[0], &words[1]]).map(|config| config.auto_compaction)
    };
    assert_eq!(compaction("periodic", "2"), Ok(AutoCompaction::Periodic(Duration::from_secs(7200))));
    assert_eq!(compaction("periodic", "5m"), Ok(AutoCompaction::Periodic(Duration::from_secs(300))));
    assert_eq!(compaction("revision", "1000"), Ok(AutoCompaction::Revisions(1000)));
    assert_eq!(compaction("revision", "0"), Ok(AutoCompaction::Off));
    assert!(compaction("revision", "5m").is_err());
    assert!(compaction("periodic", "-1").is_err());
}

#[test]
fn clients_must_be_told_where_to_dial() {
    assert!(refused(&["--listen-client-urls=http://127.0.0.1:1"]).contains("--advertise-client-urls is required"));
    let words = ["--listen-client-urls=unix://localhost:20000", "--advertise-client-urls", "http://b:1,http://a:1"];
    assert_eq!(configured(&words).unwrap().advertise_client, ["http://a:1", "http://b:1"]);
    assert!(refused(&["--listen-metrics-urls=http://nantes:1"]).contains("--listen-metrics-urls: expected IP"));
}

#[test]
fn tls_flags_must_fit_together() {
    let files = ["--cert-file=c", "--key-file=k"];
    let with_files = |more: &[&str]| refused(&[&files, more].concat());
    assert!(refused(&["--cert-file=c"]).contains("must both be given"));
    assert!(with_files(&["--client-cert-auth"]).contains("needs --trusted-ca-file"));
    assert!(with_files(&["--tls-min-version=TLS1.3", "--tls-max-version=TLS1.2"]).contains("greater than max"));
    assert!(with_files(&["--tls-min-version=TLS1.3", "--cipher-suites=X"]).contains("only TLS1.3"));
    assert!(refused(&["--auto-tls", "--client-cert-auth"]).contains("--auto-tls cannot verify clients"));
    assert!(
        refused(&["--listen-metrics-urls=https://127.0.0.1:1"]).contains("must be provided for https://127.0.0.1:1")
    );
    let config = configured(&["--auto-tls", "--tls-max-version", "TLS1.2"]).unwrap();
    assert_eq!(config.tls.versions, TlsVersions::Only12);
    assert_eq!(config.tls.certificate, Some(CertificateSource::Made { years: 1 }));
}

#[test]
fn what_a_site_cannot_do_is_refused() {
    assert!(refused(&["--discovery-endpoints=http://a:1"]).contains("--discovery-endpoints is not supported"));
    assert!(refused(&["--feature-gates=NoSuchGate=true"]).contains("unrecognized feature gate: NoSuchGate"));
    assert!(refused(&["--log-level=archipel=loud"]).contains("--log-level"));
    assert!(refused(&["--log-level=loud"]).contains("no such level"));
    assert_eq!(configured(&["--log-level=fatal"]).unwrap().log.filter, "error");
    assert!(refused(&["--log-outputs=default,/tmp/log"]).contains("multi logoutput"));
    assert!(configured(&["--auth-token=jwt"]).is_err());
    assert!(refused(&["--name="]).contains("--name is empty"));
    assert_eq!(configured(&["--quota-backend-bytes=-1"]).unwrap().quota_bytes, None);
}

#[test]
fn lists_of_hosts_and_origins() {
    let config = configured(&["--cors=https://a.example,https://b.example", "--host-whitelist=a.example,*"]).unwrap();
    assert_eq!(config.http.cors, ["https://a.example", "https://b.example"]);
    assert!(config.http.hosts.is_empty());
}
