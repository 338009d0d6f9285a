//! Plain HTTP on the client port, flags, log lines.

use super::{site, site_with};

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

#[tokio::test]
async fn health_versions_and_metrics_share_the_port() {
    let (site, mut client) = site().await;
    client.put("a", "1").await.unwrap();
    assert_eq!(body(&site.http_get("/health").unwrap()), r#"{"health":"true","reason":""}"#);
    assert_eq!(body(&site.http_get("/livez").unwrap()), "ok\n");
    assert_eq!(body(&site.http_get("/readyz?exclude=non_learner&verbose").unwrap()).lines().count(), 4);
    assert_eq!(body(&site.http_get("/readyz/data_corruption").unwrap()), "ok\n");
    assert!(site.http_get("/readyz/nothing").unwrap().starts_with("HTTP/1.1 404"));
    let version = site.http_get("/version").unwrap();
    assert!(body(&version).contains(r#""etcdserver":"3.7.3""#), "{version}");
    let metrics = site.http_get("/metrics").unwrap();
    for line in [
        "etcd_server_has_leader 1",
        "etcd_server_is_leader 1",
        "etcd_server_leader_changes_seen_total 1",
        "etcd_mvcc_put_total 1",
        "etcd_debugging_mvcc_keys_total 1",
        "etcd_debugging_mvcc_current_revision 2",
        "etcd_server_version{server_version=\"3.7.3\"} 1",
        "etcd_cluster_version{cluster_version=\"3.7\"} 1",
        "grpc_server_handled_total{grpc_code=\"OK\",grpc_method=\"Put\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"} 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
    for name in
        ["etcd_mvcc_db_total_size_in_bytes ", "etcd_server_quota_backend_bytes ", "process_resident_memory_bytes "]
    {
        assert!(metrics.contains(name), "{name}");
    }
}

#[tokio::test]
async fn the_line_that_scripts_wait_for_is_logged_as_etcd_logs_it() {
    let (site, _client) = site_with(&["-snapshot-count=10", "--initial-cluster", "nantes=http://127.0.0.1:0"]).await;
    let log = site.log();
    let line = log.lines().find(|line| line.contains("ready to serve client requests")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["level"], "info");
    assert_eq!(line["msg"], "ready to serve client requests");
    assert!(line["ts"].is_string());
    assert!(log.contains("initial-cluster") && log.contains("no effect"), "{log}");
}

/// Every name that dashboards, alerts and tools for etcd query, with its type.
#[tokio::test]
async fn every_metric_of_the_list_is_there() {
    if super::is_foreign() {
        return;
    }
    let (site, mut client) = site_with(&["--metrics=extensive", "--auto-tls"]).await;
    client.put("a", "1").await.unwrap();
    let metrics = site.http_get("/metrics").unwrap();
    for line in include_str!("metric_names.txt").lines() {
        assert!(metrics.contains(&format!("# TYPE {line}\n")), "{line} is not in\n{metrics}");
    }
    let value = |name: &str| {
        let line = metrics.lines().find(|line| line.starts_with(name)).unwrap();
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    assert!(value("etcd_disk_wal_fsync_duration_seconds_count") >= 1.0);
    assert!(value("etcd_disk_wal_write_bytes_total") > 0.0);
    assert!(value("etcd_server_client_requests_total{client_api_version=\"unknown\",type=\"unary\"}") >= 1.0);
    assert!(value("process_start_time_seconds") > 1.5e9);
    let (basic, _client) = super::site().await;
    assert!(!basic.http_get("/metrics").unwrap().contains("grpc_server_handling_seconds"));
}

#[tokio::test]
async fn health_and_reflection_are_services_too() {
    use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    if super::is_foreign() {
        // etcd has no reflection.
        return;
    }
    let (_site, client) = site().await;
    let mut health = HealthClient::new(client.channel.clone());
    let ask = |service: &str| HealthCheckRequest { service: service.into() };
    let whole = health.check(ask("")).await.unwrap().into_inner();
    assert_eq!(whole.status(), ServingStatus::Serving);
    let mut watched = health.watch(ask("")).await.unwrap().into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    assert_eq!(health.check(ask("nothing")).await.unwrap_err().code(), tonic::Code::NotFound);

    let mut reflection = ServerReflectionClient::new(client.channel);
    let mut answer = async |request: MessageRequest| {
        let request = ServerReflectionRequest { host: String::new(), message_request: Some(request) };
        let mut replies = reflection.server_reflection_info(tokio_stream::once(request)).await.unwrap().into_inner();
        replies.message().await.unwrap().unwrap().message_response.unwrap()
    };
    let MessageResponse::ListServicesResponse(listed) = answer(MessageRequest::ListServices(String::new())).await
    else {
        panic!("the services are listed");
    };
    let names: Vec<String> = listed.service.into_iter().map(|service| service.name).collect();
    for name in ["etcdserverpb.KV", "etcdserverpb.Maintenance", "v3lockpb.Lock", "v3electionpb.Election"] {
        assert!(names.iter().any(|found| found == name), "{names:?}");
    }
    let file = answer(MessageRequest::FileContainingSymbol("mvccpb.KeyValue".into())).await;
    assert!(matches!(file, MessageResponse::FileDescriptorResponse(_)), "{file:?}");
}
