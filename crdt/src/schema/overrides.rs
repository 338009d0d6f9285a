//! Where Kubernetes' own markers are too fine: fields that its validation reads together must be written together.
//!
//! The markers say which fields may be owned by different writers; they do not say which fields exclude each other.
//! Two sites that each write one half of such a pair would merge into an object that no apiserver accepts (H12), so
//! these places are one register each.

use super::shape::KeyField;

/// Types that are one register wherever they occur.
///
/// An env item has value or valueFrom, a probe and a lifecycle hook have one handler, a limit must not be below its
/// request.
pub(super) const ATOMIC_TYPES: &[&str] =
    &["core.v1.EnvVar", "core.v1.Probe", "core.v1.Lifecycle", "core.v1.ResourceRequirements"];

/// Fields of one struct that are one register together. The lens moves them into a map under the name `field`.
#[derive(Debug)]
pub(crate) struct Group {
    /// The struct, as the table names it.
    pub(crate) of: &'static str,
    /// Kinds that hold the struct in `spec`.
    pub(crate) kind: &'static str,
    /// The name that stands for the group in a projected tree; no JSON name has a `+`.
    pub(crate) field: &'static str,
    /// The fields.
    pub(crate) members: &'static [&'static str],
}

/// All groups.
pub(crate) const GROUPS: &[Group] = &[
    Group {
        of: "core.v1.ServiceSpec",
        kind: "Service",
        field: "type+externalTrafficPolicy+internalTrafficPolicy",
        members: &["type", "externalTrafficPolicy", "internalTrafficPolicy"],
    },
    Group {
        of: "autoscaling.v2.HorizontalPodAutoscalerSpec",
        kind: "HorizontalPodAutoscaler",
        field: "minReplicas+maxReplicas",
        members: &["minReplicas", "maxReplicas"],
    },
    Group {
        of: "autoscaling.v1.HorizontalPodAutoscalerSpec",
        kind: "HorizontalPodAutoscaler",
        field: "minReplicas+maxReplicas",
        members: &["minReplicas", "maxReplicas"],
    },
    Group {
        of: "policy.v1.PodDisruptionBudgetSpec",
        kind: "PodDisruptionBudget",
        field: "minAvailable+maxUnavailable",
        members: &["minAvailable", "maxUnavailable"],
    },
];

/// The struct that every object's metadata is.
pub(super) const OBJECT_META: &str = "apis.meta.v1.ObjectMeta";

/// managedFields is an atomic list to its API, but a map to those who write it (M22).
pub(super) const MANAGED_FIELDS_KEYS: &[KeyField] = &[
    KeyField { name: "manager", default: Some("") },
    KeyField { name: "operation", default: Some("") },
    KeyField { name: "apiVersion", default: Some("") },
    KeyField { name: "subresource", default: Some("") },
];

/// Owners are keyed by uid in the API. A uid is a local alias (M19), so a projected tree knows owners by kind and name.
pub(super) const OWNER_KEYS: &[KeyField] =
    &[KeyField { name: "kind", default: Some("") }, KeyField { name: "name", default: Some("") }];
