//! The tables behind the lens: what is replicated, and the exceptions.

/// Replicated content of a namespace, as (group, resource), in the order in which a peer should create it (M11). The
/// Namespace object itself comes before all of them.
pub const REPLICATED_RESOURCES: &[(&str, &str)] =
    &[("", "serviceaccounts"), ("", "secrets"), ("", "configmaps"), ("", "services"), ("apps", "deployments")];

/// Group, resource and the kind that is stored there.
pub(super) const KINDS: &[(&str, &str, &str)] = &[
    ("", "namespaces", "Namespace"),
    ("", "serviceaccounts", "ServiceAccount"),
    ("", "secrets", "Secret"),
    ("", "configmaps", "ConfigMap"),
    ("", "services", "Service"),
    ("apps", "deployments", "Deployment"),
];

/// Namespaces that belong to their cluster: its own components live there.
pub(super) const NEVER_SHARED: &[&str] = &["kube-system", "kube-public", "kube-node-lease", "default"];

/// Objects that a controller of every cluster makes for itself, as (kind, name): copied, they are rewritten for ever
/// (F12), or revoke tokens (F13).
pub(super) const EXCLUDED_NAMES: &[(&str, &str)] =
    &[("ConfigMap", "kube-root-ca.crt"), ("ConfigMap", "openshift-service-ca.crt"), ("ServiceAccount", "default")];

/// Types of Secrets that only their own cluster can use (F13).
pub(super) const EXCLUDED_SECRET_TYPES: &[&str] =
    &["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"];

/// A Secret with such an annotation is issued anew by each site's own issuer.
pub(super) const ISSUER_ANNOTATION: &str = "cert-manager.io/";

/// A Helm release: compressed and encoded as a whole, so it is one register.
pub(super) const HELM_SECRET_TYPE: &str = "helm.sh/release.v1";

/// The label by which a user overrides the class: `"true"` or `"false"`.
pub(super) const REPLICATE_LABEL: &str = "archipel.dev/replicate";

/// The annotation that names further local fields: `spec.replicas,spec.paused`.
pub(super) const LOCAL_FIELDS_ANNOTATION: &str = "archipel.dev/local-fields";

/// Paths that [`LOCAL_FIELDS_ANNOTATION`] may name at most; what comes after them is ignored.
pub(super) const LOCAL_FIELDS_MAX: usize = 32;

/// Metadata that each site has for itself (L1). name and namespace are in the key, creationTimestamp in the life.
pub(super) const LOCAL_METADATA: &[&str] = &[
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "selfLink",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "finalizers",
];

/// Labels and annotations that a site's controllers write (L2), and those that this program writes itself.
pub(super) const LOCAL_PREFIXES: &[&str] = &[
    "deployment.kubernetes.io/",
    "pv.kubernetes.io/",
    "volume.kubernetes.io/",
    "volume.beta.kubernetes.io/",
    "endpoints.kubernetes.io/",
    "control-plane.alpha.kubernetes.io/",
    "autoscaling.alpha.kubernetes.io/",
    "kubernetes.io/service-account.uid",
    "openshift.io/sa.scc.",
    "archipel.dev/status",
    "archipel.dev/conflicts",
    "archipel.dev/home-status",
    "archipel.dev/mirror-age",
];

/// The same on the Namespace: its name, its pod security (a remote site must not weaken it), and this site's own consent.
pub(super) const LOCAL_PREFIXES_OF_NAMESPACE: &[&str] =
    &["kubernetes.io/metadata.name", "pod-security.kubernetes.io/", "archipel.dev/"];

/// Fields of a Service that its cluster allocates or that name its network (F14). clusterIP and clusterIPs travel when
/// they say that there is none.
pub(super) const LOCAL_SERVICE_SPEC: &[&str] =
    &["ipFamilies", "ipFamilyPolicy", "healthCheckNodePort", "loadBalancerClass", "loadBalancerIP", "externalIPs"];

/// What a Service without a cluster IP has in its place.
pub(super) const HEADLESS: &str = "None";

/// Kinds whose apiserver strategy counts `metadata.generation`; the others have none.
pub(super) const WITH_GENERATION: &[&str] = &["Deployment"];
