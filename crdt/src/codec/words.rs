//! The dictionary: field names and values that nearly every Kubernetes object has. It makes the path of a usual edit a
//! few bytes long.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// IMPORTANT: positions are part of the format. Words may be added at the end; none may move, change or go.
const WORDS: [&str; 104] = [
    // One byte in a path: the first 32.
    "metadata",
    "spec",
    "template",
    "containers",
    "image",
    "env",
    "value",
    "name",
    "labels",
    "annotations",
    "data",
    "replicas",
    "ports",
    "resources",
    "requests",
    "limits",
    "cpu",
    "memory",
    "volumeMounts",
    "volumes",
    "managedFields",
    "fieldsV1",
    "time",
    "manager",
    "operation",
    "args",
    "command",
    "selector",
    "matchLabels",
    "type",
    "strategy",
    "key",
    // One byte as a plain string: the first 64.
    "apps",
    "deployments",
    "configmaps",
    "secrets",
    "services",
    "serviceaccounts",
    "namespaces",
    "apiVersion",
    "kind",
    "namespace",
    "creationTimestamp",
    "ownerReferences",
    "app",
    "containerPort",
    "protocol",
    "TCP",
    "port",
    "targetPort",
    "initContainers",
    "imagePullPolicy",
    "IfNotPresent",
    "mountPath",
    "readOnly",
    "binaryData",
    "stringData",
    "immutable",
    "Opaque",
    "rollingUpdate",
    "maxSurge",
    "maxUnavailable",
    "minReadySeconds",
    "paused",
    // Two bytes.
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
    "securityContext",
    "serviceAccountName",
    "serviceAccount",
    "nodeSelector",
    "affinity",
    "tolerations",
    "terminationGracePeriodSeconds",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "/dev/termination-log",
    "File",
    "dnsPolicy",
    "ClusterFirst",
    "restartPolicy",
    "Always",
    "schedulerName",
    "default-scheduler",
    "imagePullSecrets",
    "envFrom",
    "valueFrom",
    "configMap",
    "secret",
    "secretName",
    "emptyDir",
    "hostPath",
    "persistentVolumeClaim",
    "claimName",
    "revisionHistoryLimit",
    "progressDeadlineSeconds",
    "RollingUpdate",
    "Recreate",
    "app.kubernetes.io/name",
    "app.kubernetes.io/instance",
    "kubectl.kubernetes.io/last-applied-configuration",
    "kubernetes.io/metadata.name",
    "v1",
];

/// The position of `word` in the dictionary.
pub(super) fn index_of(word: &str) -> Option<u64> {
    static INDEX: OnceLock<HashMap<&'static str, u64>> = OnceLock::new();
    INDEX.get_or_init(|| WORDS.iter().copied().zip(0..).collect()).get(word).copied()
}

/// The word at a position. All that read it share one copy.
pub(super) fn word(index: u64) -> Option<Arc<str>> {
    static SHARED: OnceLock<Vec<Arc<str>>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| WORDS.iter().map(|word| Arc::from(*word)).collect());
    shared.get(usize::try_from(index).ok()?).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_stands_once() {
        for (i, w) in WORDS.iter().enumerate() {
            assert_eq!(index_of(w), Some(i as u64), "{w}");
        }
    }

    /// The format's promise: what a released version wrote is read as the same words.
    #[test]
    fn positions_are_frozen() {
        for (index, frozen) in [(0, "metadata"), (31, "key"), (32, "apps"), (63, "paused"), (103, "v1")] {
            assert_eq!(word(index).as_deref(), Some(frozen));
        }
        assert_eq!(word(104), None);
    }
}
