//! Where Kubernetes objects are found in the API, and checks of single fields that say what was seen instead.

use serde_json::Value;

use super::kubernetes::Api;

/// The path of namespace `name`.
pub fn namespace(name: &str) -> String {
    format!("/api/v1/namespaces/{name}")
}

/// The path of a ConfigMap.
pub fn config_map(namespace: &str, name: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/configmaps/{name}")
}

/// The path of a Secret.
pub fn secret(namespace: &str, name: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/secrets/{name}")
}

/// The path of a ServiceAccount.
pub fn service_account(namespace: &str, name: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}")
}

/// The path of a Service.
pub fn service(namespace: &str, name: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/services/{name}")
}

/// The path of a Deployment.
pub fn deployment(namespace: &str, name: &str) -> String {
    format!("/apis/apps/v1/namespaces/{namespace}/deployments/{name}")
}

/// The path of all ReplicaSets of a namespace.
pub fn replica_sets(namespace: &str) -> String {
    format!("/apis/apps/v1/namespaces/{namespace}/replicasets")
}

/// The path of all Pods of a namespace.
pub fn pods(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/pods")
}

/// Checks that the object at `path` has `value` at each JSON pointer (RFC 6901); `null` stands for absent.
///
/// # Errors
/// The first field that differs, and what it is; or why the object cannot be read.
pub async fn fields(api: &Api, path: &str, wanted: &[(&str, Value)]) -> Result<Value, String> {
    let object = api.get(path).await.map_err(|error| error.to_string())?;
    for (pointer, value) in wanted {
        let seen = object.pointer(pointer).unwrap_or(&Value::Null);
        if seen != value {
            return Err(format!("{path}: {pointer} is {seen}, not {value}"));
        }
    }
    Ok(object)
}

/// Checks that there is no object at `path`.
///
/// # Errors
/// That there is one, or why it cannot be known.
pub async fn absent(api: &Api, path: &str) -> Result<(), String> {
    match api.find(path).await.map_err(|error| error.to_string())? {
        None => Ok(()),
        Some(_) => Err(format!("{path} is there")),
    }
}

/// Checks that the Deployment at `path` is rolled out: its controller has seen the newest spec, and `pods` pods of the
/// newest template are ready, and no others are left.
///
/// # Errors
/// How far it is.
pub async fn rolled_out(api: &Api, path: &str, pods: i64) -> Result<Value, String> {
    let object = api.get(path).await.map_err(|error| error.to_string())?;
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    let seen = number("/status/observedGeneration") >= number("/metadata/generation");
    let (updated, ready, all) =
        (number("/status/updatedReplicas"), number("/status/readyReplicas"), number("/status/replicas"));
    if seen && [updated, ready, all] == [pods; 3] {
        return Ok(object);
    }
    Err(format!(
        "{path}: {ready} of {pods} pods ready, {updated} new, {all} in all{}",
        if seen { "" } else { "; newest spec not yet seen by its controller" }
    ))
}

/// The items of the list at `path`.
///
/// # Errors
/// Why it cannot be read.
pub async fn items(api: &Api, path: &str) -> Result<Vec<Value>, String> {
    let mut list = api.get(path).await.map_err(|error| error.to_string())?;
    match list.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => Ok(items),
        // An empty list of some kinds has no array at all.
        _ => Ok(Vec::new()),
    }
}

/// What two sites must agree on: `object` without what each cluster fills in for itself.
pub fn shared_part(object: &Value) -> Value {
    const LOCAL_METADATA: [&str; 8] = [
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "managedFields",
        "finalizers",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ];
    let mut shared = object.clone();
    if let Some(object) = shared.as_object_mut() {
        object.remove("status");
        // A ServiceAccount's token Secrets belong to its cluster.
        object.remove("secrets");
    }
    if let Some(metadata) = shared.get_mut("metadata").and_then(Value::as_object_mut) {
        LOCAL_METADATA.iter().for_each(|field| drop(metadata.remove(*field)));
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.retain(|name, _| !name.starts_with("deployment.kubernetes.io/"));
        }
        if metadata.get("annotations").and_then(Value::as_object).is_some_and(serde_json::Map::is_empty) {
            metadata.remove("annotations");
        }
    }
    shared
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_shared_part_has_no_traces_of_one_cluster() {
        let at = |uid: &str, revision: &str| {
            json!({
                "metadata": {"name": "web", "uid": uid, "resourceVersion": "7", "labels": {"app": "web"},
                    "annotations": {"deployment.kubernetes.io/revision": revision}},
                "spec": {"replicas": 2},
                "status": {"readyReplicas": 2},
            })
        };
        assert_eq!(shared_part(&at("a", "1")), shared_part(&at("b", "2")));
        assert_eq!(
            shared_part(&at("a", "1")),
            json!({"metadata": {"name": "web", "labels": {"app": "web"}}, "spec": {"replicas": 2}})
        );
    }
}
