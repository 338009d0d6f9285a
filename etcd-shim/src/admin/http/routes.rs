//! Paths and their answers.

use super::health::{self, Check};
use crate::{
    config::{ETCD_CLUSTER_VERSION, ETCD_STORAGE_VERSION, ETCD_VERSION},
    etcd::Context,
};
use axum::{
    Router,
    extract::{Path, RawQuery, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};

/// The content type of Prometheus' text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Every path of the client port.
pub fn client_routes(context: Context) -> Router {
    shared_routes().route("/version", get(version)).with_state(context)
}

/// The paths of the metrics addresses.
pub fn metrics_routes(context: Context) -> Router {
    shared_routes().with_state(context)
}

fn shared_routes() -> Router<Context> {
    Router::new()
        .route("/health", get(health_answer))
        .route("/livez", get(live))
        .route("/livez/{check}", get(live_one))
        .route("/readyz", get(ready))
        .route("/readyz/{check}", get(ready_one))
        .route("/metrics", get(metrics))
}

async fn health_answer(State(context): State<Context>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let reason = health::unhealthy(&context, &values(&query, "exclude"));
    let status = if reason.is_some() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let counters = &context.metrics.health;
    if reason.is_some() {
        counters.failure.inc()
    } else {
        counters.success.inc()
    }
    let health = if reason.is_some() { "false" } else { "true" };
    let body = serde_json::json!({ "health": health, "reason": reason.unwrap_or_default() });
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

async fn live(State(context): State<Context>, RawQuery(query): RawQuery) -> Response {
    answer(&context, health::LIVE, &query.unwrap_or_default())
}

async fn ready(State(context): State<Context>, RawQuery(query): RawQuery) -> Response {
    answer(&context, health::READY, &query.unwrap_or_default())
}

async fn live_one(State(context): State<Context>, Path(check): Path<String>, RawQuery(query): RawQuery) -> Response {
    answer_one(&context, health::LIVE, &check, &query.unwrap_or_default())
}

async fn ready_one(State(context): State<Context>, Path(check): Path<String>, RawQuery(query): RawQuery) -> Response {
    answer_one(&context, health::READY, &check, &query.unwrap_or_default())
}

fn answer_one(context: &Context, checks: &'static [Check], name: &str, query: &str) -> Response {
    match checks.iter().position(|(known, _)| *known == name) {
        Some(index) => answer(context, checks.get(index..=index).unwrap_or_default(), query),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// `ok`, with a line a check before it if `verbose` is asked for or if one of them failed.
fn answer(context: &Context, checks: &[Check], query: &str) -> Response {
    let (passed, lines) = health::report(context, checks, &values(query, "exclude"));
    if !passed {
        return (StatusCode::SERVICE_UNAVAILABLE, lines).into_response();
    }
    let verbose = !values(query, "verbose").is_empty();
    if verbose { format!("{lines}ok\n").into_response() } else { "ok\n".into_response() }
}

async fn version() -> Response {
    let body = serde_json::json!({
        "etcdserver": ETCD_VERSION,
        "etcdcluster": ETCD_CLUSTER_VERSION,
        "storage": ETCD_STORAGE_VERSION,
    });
    ([(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

async fn metrics(State(context): State<Context>) -> Response {
    match context.metrics.text(&context.store) {
        Ok(text) => ([(CONTENT_TYPE, METRICS_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// The values of a parameter that may be given several times; one without a value counts as empty.
fn values<'a>(query: &'a str, name: &str) -> Vec<&'a str> {
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_may_repeat_and_be_bare() {
        assert_eq!(values("exclude=a&verbose&exclude=b", "exclude"), ["a", "b"]);
        assert_eq!(values("exclude=a&verbose", "verbose"), [""]);
        assert!(values("", "verbose").is_empty());
    }
}
