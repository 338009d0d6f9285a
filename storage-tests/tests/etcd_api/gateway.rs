//! The API as JSON (etcd: server/embed/serve.go; its own tests are tests/e2e/v3_curl_*_test.go).

use super::{site, site_with};
use archipel_storage_tests::site::Site;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read},
    net::TcpStream,
};

/// Status and document of an answer.
fn parts(answer: &str) -> (u16, Value) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}")))
}

fn post(site: &Site, path: &str, body: &Value) -> (u16, Value) {
    parts(&site.http_post(path, &body.to_string()).unwrap())
}

/// Without the header, which tests of values do not care for.
fn result(site: &Site, path: &str, body: &Value) -> Value {
    let (status, mut answer) = post(site, path, body);
    assert_eq!(status, 200, "{answer}");
    answer.as_object_mut().unwrap().remove("header");
    answer
}

#[tokio::test]
async fn names_numbers_and_bytes_are_etcds() {
    let (site, _client) = site().await;
    let (status, put) = post(&site, "/v3/kv/put", &json!({"key": "Zm9v", "value": "YmFy"}));
    assert_eq!((status, &put["header"]["revision"]), (200, &json!("2")));
    assert!(put["header"]["cluster_id"].is_string() && put["header"]["raft_term"].is_string());
    let version = json!({"key": "Zm9v", "create_revision": "2", "mod_revision": "2", "version": "1", "value": "YmFy"});
    let found = json!({"kvs": [version], "count": "1"});
    for request in [
        json!({"key": "Zm9v"}),
        json!({"key": "Zm9v", "revision": 2, "sort_order": "DESCEND", "unheard_of": 1}),
        json!({"key": "Zm9v", "revision": "2", "sortOrder": 2}),
    ] {
        assert_eq!(result(&site, "/v3/kv/range", &request), found, "{request}");
    }
    let txn = json!({
        "compare": [{"target": "VERSION", "key": "Zm9v", "result": "GREATER", "version": "0"}],
        "success": [{"requestRange": {"key": "Zm9v"}}],
    });
    let mut inner = found.clone();
    inner["header"] = json!({"revision": "2"});
    assert_eq!(result(&site, "/v3/kv/txn", &txn), json!({"succeeded": true, "responses": [{"response_range": inner}]}));
    let deleted = result(&site, "/v3/kv/deleterange", &json!({"key": "Zm9v", "prev_kv": true}));
    assert_eq!(deleted, json!({"deleted": "1", "prev_kvs": found["kvs"]}));
    assert_eq!(result(&site, "/v3/kv/compaction", &json!({"revision": "2"})), json!({}));
}

#[tokio::test]
async fn refusals_have_etcds_codes_and_statuses() {
    let (site, _client) = site().await;
    let refused = |path, body: &str| parts(&site.http_post(path, body).unwrap());
    let expect = |status: u16, code: i32, message: &str| (status, json!({"code": code, "message": message}));
    assert_eq!(refused("/v3/kv/range", r#"{"key":""}"#), expect(400, 3, "etcdserver: key is not provided"));
    assert_eq!(refused("/v3/kv/range", ""), expect(400, 3, "etcdserver: key is not provided"));
    let future = "etcdserver: mvcc: required revision is a future revision";
    assert_eq!(refused("/v3/kv/range", r#"{"key":"Zm9v","revision":"99"}"#), expect(400, 11, future));
    for wrong in ["garbage", r#"{"key":5}"#, r#"{"key":"#] {
        let (status, answer) = refused("/v3/kv/range", wrong);
        assert_eq!((status, &answer["code"]), (400, &json!(3)), "{wrong}");
    }
    assert_eq!(refused("/v3/kv/nothing", "{}"), expect(404, 5, "Not Found"));
    let get = parts(&site.http_get("/v3/kv/range").unwrap());
    assert_eq!(get, expect(501, 12, "Method Not Allowed"));
    let lease = refused("/v3/lease/revoke", r#"{"ID":77}"#);
    assert_eq!(lease, expect(404, 5, "etcdserver: requested lease not found"));
    let disabled = refused("/v3/auth/authenticate", r#"{"name":"a","password":"b"}"#);
    assert_eq!(disabled, expect(400, 9, "etcdserver: authentication is not enabled"));
    assert_eq!(refused("/v3/election/leader", r#"{"name":"ZWw="}"#), expect(500, 2, "election: no leader"));
}

#[tokio::test]
async fn every_service_has_its_paths() {
    let (site, mut client) = site().await;
    client.put("a", "1").await.unwrap();
    let grant = result(&site, "/v3/lease/grant", &json!({"TTL": 1000, "ID": "7"}));
    assert_eq!(grant, json!({"ID": "7", "TTL": "1000"}));
    for path in ["/v3/lease/leases", "/v3/kv/lease/leases"] {
        assert_eq!(result(&site, path, &json!({})), json!({"leases": [{"ID": "7"}]}));
    }
    for path in ["/v3/lease/timetolive", "/v3/kv/lease/timetolive"] {
        assert_eq!(result(&site, path, &json!({"ID": 7}))["grantedTTL"], "1000");
    }
    assert_eq!(result(&site, "/v3/kv/lease/revoke", &json!({"ID": 7})), json!({}));
    assert_eq!(result(&site, "/v3/cluster/member/list", &json!({}))["members"][0]["name"], "nantes");
    let status = result(&site, "/v3/maintenance/status", &json!({}));
    assert_eq!((&status["version"], &status["downgradeInfo"]), (&json!("3.7.3"), &json!({})));
    assert!(result(&site, "/v3/maintenance/hash", &json!({}))["hash"].is_number());
    assert_eq!(post(&site, "/v3/maintenance/defragment", &json!({})).1, json!({}));
    let alarm = json!({"action": "ACTIVATE", "memberID": "5", "alarm": "NOSPACE"});
    let raised = json!({"alarms": [{"memberID": "5", "alarm": "NOSPACE"}]});
    assert_eq!(result(&site, "/v3/maintenance/alarm", &alarm), raised);
    let downgrade = json!({"action": "VALIDATE", "version": "3.6"});
    assert_eq!(result(&site, "/v3/maintenance/downgrade", &downgrade), json!({"version": "3.7"}));
    assert_eq!(result(&site, "/v3/auth/status", &json!({})), json!({"authRevision": "1"}));
    let disarm = json!({"action": "DEACTIVATE", "memberID": "5", "alarm": "NOSPACE"});
    assert_eq!(result(&site, "/v3/maintenance/alarm", &disarm), raised);
    let lock = result(&site, "/v3/lock/lock", &json!({"name": "bG9jaw=="}));
    assert_eq!(result(&site, "/v3/lock/unlock", &json!({"key": lock["key"]})), json!({}));
    let campaign = result(&site, "/v3/election/campaign", &json!({"name": "ZWw=", "value": "djE="}));
    let observed = result(&site, "/v3/election/leader", &json!({"name": "ZWw="}));
    assert_eq!(observed["kv"]["key"], campaign["leader"]["key"]);
    let resign = json!({"leader": campaign["leader"]});
    assert_eq!(result(&site, "/v3/election/resign", &resign), json!({}));
}

/// The documents of a stream, one a line, in chunks that HTTP/1.1 makes of them.
fn documents(stream: TcpStream) -> impl Iterator<Item = Value> {
    let lines = BufReader::new(stream).lines().map(Result::unwrap);
    lines.filter(|line| line.starts_with('{')).map(|line| serde_json::from_str(&line).unwrap())
}

#[tokio::test]
async fn streams_are_documents_a_line() {
    let (site, mut client) = site().await;
    client.put("foo", "bar").await.unwrap();
    let watch = r#"{"create_request":{"key":"Zm9v","start_revision":"1"}} {"create_request":{"key":"Zm8="}}"#;
    let mut events = documents(site.http_open("POST", "/v3/watch", watch).unwrap());
    let mut next = || events.next().unwrap()["result"].take();
    assert_eq!(next()["created"], true);
    // The second watch and the first one's events come in any order.
    let two = [next(), next()];
    assert!(two.iter().any(|reply| reply["created"] == true && reply["watch_id"] == "1"), "{two:?}");
    let event = two.iter().find(|reply| reply["events"].is_array()).unwrap();
    assert_eq!(event["events"][0]["kv"]["value"], "YmFy");
    client.delete("foo").await.unwrap();
    assert_eq!(next()["events"][0]["type"], "DELETE");

    client
        .lease
        .lease_grant(archipel_storage_tests::client::wire::LeaseGrantRequest { ttl: 1000, id: 7 })
        .await
        .unwrap();
    let kept = site.http_open("POST", "/v3/lease/keepalive", r#"{"ID":7}{"ID":8}"#).unwrap();
    let kept: Vec<Value> = documents(kept).map(|mut line| line["result"].take()).collect();
    assert_eq!(kept.len(), 2);
    assert_eq!((&kept[0]["ID"], &kept[0]["TTL"], &kept[1]["TTL"]), (&json!("7"), &json!("1000"), &Value::Null));
}

/// A check that only the gRPC path makes would be no check (etcd's own tests: tests/e2e/v3_curl_auth_test.go).
#[tokio::test]
async fn whoever_calls_is_who_the_token_names() {
    let (site, _client) = site().await;
    for (path, request) in [
        ("/v3/auth/user/add", json!({"name": "root", "password": "pw"})),
        ("/v3/auth/role/add", json!({"name": "root"})),
        ("/v3/auth/user/grant", json!({"user": "root", "role": "root"})),
        ("/v3/auth/user/add", json!({"name": "ann", "password": "pw"})),
        ("/v3/auth/role/add", json!({"name": "reader"})),
        ("/v3/auth/role/grant", json!({"name": "reader", "perm": {"permType": "READ", "key": "YQ=="}})),
        ("/v3/auth/user/grant", json!({"user": "ann", "role": "reader"})),
        ("/v3/auth/enable", json!({})),
    ] {
        result(&site, path, &request);
    }
    let token = |name: &str| {
        let answer = result(&site, "/v3/auth/authenticate", &json!({"name": name, "password": "pw"}));
        answer["token"].as_str().unwrap().to_owned()
    };
    let as_of = |token: Option<&str>, path: &str, request: Value| {
        let mut answer = String::new();
        let mut stream = site.http_open_as(token, "POST", path, &request.to_string()).unwrap();
        stream.read_to_string(&mut answer).unwrap();
        let (status, answer) = parts(&answer);
        (status, answer["message"].as_str().unwrap_or_default().to_owned())
    };
    let (root, ann) = (token("root"), token("ann"));
    let put = || json!({"key": "YQ==", "value": "MQ=="});
    let get = || json!({"key": "YQ=="});
    let lock = || json!({"name": "YQ=="});
    let denied = || (403, "etcdserver: permission denied".to_owned());
    assert_eq!(as_of(None, "/v3/kv/range", get()), (400, "etcdserver: user name is empty".to_owned()));
    assert_eq!(as_of(Some("wrong"), "/v3/kv/range", get()), (401, "etcdserver: invalid auth token".to_owned()));
    assert_eq!(as_of(Some(&root), "/v3/kv/put", put()).0, 200);
    assert_eq!(as_of(Some(&ann), "/v3/kv/range", get()).0, 200);
    assert_eq!(as_of(Some(&ann), "/v3/kv/put", put()), denied());
    assert_eq!(as_of(Some(&ann), "/v3/lock/lock", lock()), (500, "etcdserver: permission denied".to_owned()));
    assert_eq!(as_of(Some(&root), "/v3/lock/lock", lock()).0, 200);
    assert_eq!(as_of(Some(&ann), "/v3/maintenance/defragment", json!({})), denied());
    assert_eq!(as_of(Some(&ann), "/v3/maintenance/snapshot", json!({})).0, 403);
}

#[tokio::test]
async fn the_gateway_can_be_off() {
    let (site, _client) = site_with(&["--enable-grpc-gateway=false"]).await;
    let answer = site.http_post("/v3/kv/range", r#"{"key":"Zm9v"}"#).unwrap();
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
}
