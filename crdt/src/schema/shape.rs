//! The cursor that walks a value's schema beside the value.

/// How concurrent edits below a path combine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// One register: written and merged whole.
    Atomic,
    /// One register whose concurrent siblings are shown united (managedFields' field sets).
    FieldSet,
    /// A struct or map: every field is on its own.
    Granular,
    /// A list whose items are known by the values of these fields (Kubernetes' listType=map).
    KeyedList(&'static [KeyField]),
    /// A list of distinct scalars (listType=set).
    Set,
}

/// A key field of a keyed list and what Kubernetes defaults it to when it is absent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyField {
    /// JSON name of the field in the item.
    pub name: &'static str,
    /// Text value used when the item lacks the field (protocol: TCP).
    pub default: Option<&'static str>,
}

/// One place of the schema. Nodes live for the whole process; recursive types point back at themselves.
#[derive(Debug)]
pub struct Node {
    /// How edits below combine.
    pub kind: Kind,
    /// False where the schema says nothing: content is kept, but its absence is never read as a deletion (rule L3).
    pub known: bool,
    /// Shapes of the named fields of a struct.
    pub fields: std::collections::BTreeMap<&'static str, Shape>,
    /// Shape of a map's values or a list's items.
    pub rest: Option<Shape>,
}

/// A cursor into the schema: cheap to copy, walked in step with the value.
#[derive(Clone, Copy, Debug)]
pub struct Shape(pub &'static Node);

static UNKNOWN: Node =
    Node { kind: Kind::Granular, known: false, fields: std::collections::BTreeMap::new(), rest: None };

impl Shape {
    /// What no schema describes: maps are granular, everything else (lists too) is one register.
    pub const UNKNOWN: Shape = Shape(&UNKNOWN);

    /// How edits at this place combine.
    pub fn kind(self) -> Kind {
        self.0.kind
    }

    /// False where the schema says nothing.
    pub fn is_known(self) -> bool {
        self.0.known
    }

    /// The place of field `name` of a struct, or of the value under key `name` of a map.
    pub fn child(self, name: &str) -> Shape {
        self.0.fields.get(name).copied().or(self.0.rest).unwrap_or(Self::UNKNOWN)
    }

    /// The place of a list's items.
    pub fn item(self) -> Shape {
        self.0.rest.unwrap_or(Self::UNKNOWN)
    }
}
