//! From the table's types to the shapes of projected trees.

use super::overrides::{ATOMIC_TYPES, GROUPS, MANAGED_FIELDS_KEYS, OBJECT_META, OWNER_KEYS};
use super::shape::{KeyField, Kind, Node, Shape};
use super::table::{Count, FieldDef, Scalar, TABLE, Type};
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

/// The shape of every stored kind, by apiVersion and kind.
pub(super) static SHAPES: LazyLock<HashMap<(&'static str, &'static str), Shape>> = LazyLock::new(|| {
    let mut built = HashMap::new();
    TABLE.kinds().map(|(api_version, kind, of)| ((api_version, kind), of_type(of, &mut built))).collect()
});

/// Shapes of types, by name, so that each is built once.
type Built = HashMap<&'static str, Shape>;

fn node(kind: Kind, rest: Option<Shape>) -> Shape {
    Shape(Box::leak(Box::new(Node { kind, known: true, fields: BTreeMap::new(), rest })))
}

fn of_type(of: &'static Type, built: &mut Built) -> Shape {
    if let Some(shape) = built.get(of.name) {
        return *shape;
    }
    let mut fields = BTreeMap::new();
    collect(of, &mut fields, built);
    for group in GROUPS.iter().filter(|group| group.of == of.name) {
        fields.insert(group.field, node(Kind::Atomic, None));
    }
    if of.name == OBJECT_META {
        fields.insert("managedFields", managed_fields());
        let owner = node(Kind::Atomic, None);
        fields.insert("ownerReferences", node(Kind::KeyedList(OWNER_KEYS), Some(owner)));
    }
    let kind = if of.atomic || ATOMIC_TYPES.contains(&of.name) { Kind::Atomic } else { Kind::Granular };
    let shape = Shape(Box::leak(Box::new(Node { kind, known: true, fields, rest: None })));
    built.insert(of.name, shape);
    shape
}

fn collect(of: &'static Type, fields: &mut BTreeMap<&'static str, Shape>, built: &mut Built) {
    for field in &of.fields {
        match field.scalar {
            Scalar::Message(inner) if field.inline => collect(inner, fields, built),
            _ => {
                fields.insert(field.name, of_field(field, built));
            }
        }
    }
}

fn of_field(field: &FieldDef, built: &mut Built) -> Shape {
    let value = match field.scalar {
        Scalar::Message(of) => of_type(of, built),
        _ => node(Kind::Atomic, None),
    };
    let merge = field.merge;
    let atomic = node(Kind::Atomic, Some(value));
    // What says retainKeys is replaced whole: the struct itself, or each item of a list.
    let item = if merge.retain_keys { node(Kind::Atomic, None) } else { value };
    match field.count {
        Count::One if merge.atomic || merge.retain_keys => node(Kind::Atomic, None),
        Count::One => value,
        Count::Map if merge.atomic => atomic,
        Count::Map => node(Kind::Granular, Some(value)),
        Count::List if !merge.keys.is_empty() => node(Kind::KeyedList(merge.keys), Some(item)),
        Count::List if merge.set => node(Kind::Set, Some(value)),
        Count::List => atomic,
    }
}

fn managed_fields() -> Shape {
    let leaf = node(Kind::Atomic, None);
    let mut fields: BTreeMap<&'static str, Shape> =
        MANAGED_FIELDS_KEYS.iter().map(|key: &KeyField| (key.name, leaf)).collect();
    fields.extend([("time", leaf), ("fieldsType", leaf), ("fieldsV1", node(Kind::FieldSet, None))]);
    let item = Shape(Box::leak(Box::new(Node { kind: Kind::Granular, known: true, fields, rest: None })));
    node(Kind::KeyedList(MANAGED_FIELDS_KEYS), Some(item))
}
