//! etcd key ⇄ (namespace, group, resource, name), as kube-apiserver lays keys out.
//!
//! Sources: kubernetes pkg/kubeapiserver/default_storage_factory_builder.go (renamed resources), apiserver
//! pkg/registry/generic/registry/store.go (`<prefix>/<resource>/<namespace>/<name>`), and
//! test/integration/etcd/data.go, which lists the storage path of every built-in resource.

use archipel_crdt::key::ObjectKey;

/// Storage segments of namespaced built-in resources that do not simply carry the API's plural, with group and plural.
/// A segment of two parts is matched before one of one part.
const RENAMED: &[(&str, &str, &str)] = &[
    ("services/specs", "", "services"),
    ("services/endpoints", "", "endpoints"),
    ("controllers", "", "replicationcontrollers"),
    ("ingress", "networking.k8s.io", "ingresses"),
];

/// Namespaced built-in resources whose segment is their plural, with their API group.
const PLAIN: &[(&str, &str)] = &[
    ("configmaps", ""),
    ("controllerrevisions", "apps"),
    ("cronjobs", "batch"),
    ("daemonsets", "apps"),
    ("deployments", "apps"),
    ("endpointslices", "discovery.k8s.io"),
    ("events", ""),
    ("horizontalpodautoscalers", "autoscaling"),
    ("jobs", "batch"),
    ("leases", "coordination.k8s.io"),
    ("limitranges", ""),
    ("networkpolicies", "networking.k8s.io"),
    ("persistentvolumeclaims", ""),
    ("poddisruptionbudgets", "policy"),
    ("pods", ""),
    ("podtemplates", ""),
    ("replicasets", "apps"),
    ("resourcequotas", ""),
    ("rolebindings", "rbac.authorization.k8s.io"),
    ("roles", "rbac.authorization.k8s.io"),
    ("secrets", ""),
    ("serviceaccounts", ""),
    ("statefulsets", "apps"),
];

/// How one site lays out its keys: the value of kube-apiserver's `--etcd-prefix`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keyspace {
    prefix: String,
}

/// A key of a namespace: which namespace, and the object's name inside a share of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamespacedKey {
    /// The namespace.
    pub namespace: String,
    /// The object.
    pub object: ObjectKey,
}

impl Keyspace {
    /// A layout under `prefix`, by default `/registry`. A trailing slash does not matter.
    pub fn new(prefix: &str) -> Keyspace {
        Keyspace { prefix: format!("/{}/", prefix.trim_matches('/')) }
    }

    /// The namespace that a key belongs to. None for cluster-scoped and unknown keys, which never travel: nodes,
    /// per-site allocations (`ranges/`, `ipaddresses/`), `masterleases/`, custom resources, `compact_rev_key`.
    pub fn parse(&self, key: &[u8]) -> Option<NamespacedKey> {
        let rest = std::str::from_utf8(key).ok()?.strip_prefix(&self.prefix)?;
        let parts: Vec<&str> = rest.split('/').collect();
        let (group, resource, namespace, name) = match parts.as_slice() {
            ["namespaces", namespace] => ("", "namespaces", *namespace, ""),
            [a, b, namespace, name] => {
                let &(_, group, plural) = RENAMED.iter().find(|(s, ..)| s.split_once('/') == Some((a, b)))?;
                (group, plural, *namespace, *name)
            }
            [segment, namespace, name] => {
                let renamed = RENAMED.iter().find(|(s, ..)| s == segment).map(|&(_, g, p)| (g, p));
                let plain = PLAIN.iter().find(|(s, _)| s == segment).map(|&(s, g)| (g, s));
                let (group, plural) = renamed.or(plain)?;
                (group, plural, *namespace, *name)
            }
            _ => return None,
        };
        let named = resource == "namespaces" || !name.is_empty();
        (named && !namespace.is_empty()).then(|| NamespacedKey {
            namespace: namespace.to_owned(),
            object: ObjectKey { group: group.to_owned(), resource: resource.to_owned(), name: name.to_owned() },
        })
    }

    /// The etcd key of `object` in `namespace`; None for a resource that this layout does not know.
    pub fn key(&self, namespace: &str, object: &ObjectKey) -> Option<String> {
        if object.group.is_empty() && object.resource == "namespaces" {
            return Some(format!("{}namespaces/{namespace}", self.prefix));
        }
        Some(format!("{}{namespace}/{}", self.directory(&object.group, &object.resource)?, object.name))
    }

    /// Where all objects of one resource in one namespace lie: a key prefix that ends in a slash.
    pub fn directory_of(&self, namespace: &str, group: &str, resource: &str) -> Option<String> {
        Some(format!("{}{namespace}/", self.directory(group, resource)?))
    }

    fn directory(&self, group: &str, resource: &str) -> Option<String> {
        let renamed = RENAMED.iter().find(|&&(_, g, p)| (g, p) == (group, resource)).map(|&(s, ..)| s);
        let plain = PLAIN.iter().find(|&&(s, g)| (g, s) == (group, resource)).map(|&(s, _)| s);
        Some(format!("{}{}/", self.prefix, renamed.or(plain)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(key: &str) -> Option<(String, String)> {
        Keyspace::new("/registry").parse(key.as_bytes()).map(|k| (k.namespace, k.object.to_string()))
    }

    #[test]
    fn every_known_resource_goes_there_and_back() {
        let space = Keyspace::new("/registry");
        let plain = PLAIN.iter().map(|&(s, g)| (g, s));
        for (group, resource) in RENAMED.iter().map(|&(_, g, p)| (g, p)).chain(plain) {
            let object = ObjectKey { group: group.into(), resource: resource.into(), name: "x".into() };
            let key = space.key("team-a", &object).unwrap();
            assert_eq!(
                space.parse(key.as_bytes()),
                Some(NamespacedKey { namespace: "team-a".into(), object }),
                "{key}"
            );
        }
    }

    #[test]
    fn prefixes_that_share_a_beginning_are_told_apart() {
        assert_eq!(parse("/registry/services/specs/a/web"), Some(("a".into(), "services/web".into())));
        assert_eq!(parse("/registry/services/endpoints/a/web"), Some(("a".into(), "endpoints/web".into())));
        assert_eq!(parse("/registry/namespaces/a"), Some(("a".into(), "namespaces/".into())));
        assert_eq!(parse("/registry/deployments/a/web"), Some(("a".into(), "deployments.apps/web".into())));
    }

    #[test]
    fn what_is_not_of_a_namespace_never_parses() {
        for key in [
            "compact_rev_key",
            "/registry/health",
            "/registry/minions/n1",
            "/registry/masterleases/192.0.2.1",
            "/registry/ranges/serviceips",
            "/registry/ipaddresses/10.0.0.1",
            "/registry/configmaps",
            "/registry/configmaps/a",
            "/registry/configmaps/a/",
            "/registry/configmaps//b",
            "/registry/example.com/widgets/a/b",
            "/registry/namespaces/",
            "/registryx/configmaps/a/b",
        ] {
            assert_eq!(parse(key), None, "{key}");
        }
    }
}
