//! The one place that names which Kubernetes and kwok are built, and which ones found on the machine will do.

/// The Kubernetes release that is built when the machine has none; `module/go.mod` requires exactly this one.
pub const KUBERNETES_VERSION: &str = "v1.36.3";

/// The kwok release that is installed when the machine has none.
pub const KWOK_VERSION: &str = "v0.8.0";

/// Whether Kubernetes programs of version `version` (such as `v1.36.1`) can stand in for the built ones: the tests were
/// written against this minor, and a patch release changes neither flags nor storage.
pub(crate) fn kubernetes_supported(version: &str) -> bool {
    version.starts_with("v1.36.")
}

/// Whether a kwok of version `version` reads our Stage documents: their format is alpha and may change with a minor.
pub(crate) fn kwok_supported(version: &str) -> bool {
    version.starts_with("v0.8.")
}

/// The first word of `output` that looks like a version, which is how all of these programs answer when asked
/// (`Kubernetes v1.36.3`, `Client Version: v1.36.3`, `kwok version v0.8.0 go1.26.8 (linux/amd64)`).
pub(crate) fn version_in(output: &str) -> Option<&str> {
    output
        .split_whitespace()
        .find(|word| word.strip_prefix('v').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_the_programs_print() {
        assert_eq!(version_in("Kubernetes v1.36.3\n"), Some("v1.36.3"));
        assert_eq!(version_in("Client Version: v1.36.0\nKustomize Version: v5.8.1\n"), Some("v1.36.0"));
        assert_eq!(version_in("kwok version v0.8.0 go1.26.8 (linux/amd64)"), Some("v0.8.0"));
        assert_eq!(version_in("very verbose"), None);
    }

    #[test]
    fn only_the_supported_minors_stand_in() {
        assert!(kubernetes_supported(KUBERNETES_VERSION) && kubernetes_supported("v1.36.9"));
        assert!(!kubernetes_supported("v1.35.3") && !kubernetes_supported("v1.360.0"));
        assert!(kwok_supported(KWOK_VERSION) && !kwok_supported("v0.7.1"));
    }
}
