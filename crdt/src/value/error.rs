//! Why a value has no tree.

use super::envelope::Encoding;

/// A value that cannot be decoded or encoded. It stays as it is, at this site only (rule L4: it is held).
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// Neither protobuf nor JSON.
    #[error("the value is {0:?}, not a Kubernetes object in protobuf or JSON: only the site that wrote it can use it")]
    Opaque(Encoding),
    /// Protobuf of a kind that the schema table does not know.
    #[error(
        "{kind} in {api_version} is not in the schema table: store it as JSON, or use a version of this program that knows it"
    )]
    UnknownKind {
        /// As the object says.
        api_version: String,
        /// As the object says.
        kind: String,
    },
    /// The bytes break the encoding's own rules.
    #[error("{at}: {problem}: write the object again through the API, or delete it")]
    Malformed {
        /// The place, as dotted JSON names; the type's name for a root.
        at: String,
        /// What is wrong there.
        problem: &'static str,
    },
    /// The tree holds what the schema does not allow at that place.
    #[error("{at}: the tree holds {found} where the schema has {wanted}: the sites disagree about this kind's version")]
    Mismatch {
        /// The field's JSON name.
        at: String,
        /// What the tree holds.
        found: &'static str,
        /// What belongs there.
        wanted: &'static str,
    },
}

impl ValueError {
    pub(super) fn malformed(at: &str, problem: &'static str) -> ValueError {
        ValueError::Malformed { at: at.to_owned(), problem }
    }
}
