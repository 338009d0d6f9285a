//! A small world for the laws: a Kubernetes-like schema, edits of objects as users and controllers make them, and sites
//! that exchange entries in causal order.
// Each of the two test crates takes what it needs.
#![allow(dead_code, unused_imports, unreachable_pub, clippy::indexing_slicing)]

mod edit;
mod mutate;
mod world;

pub use edit::{Edit, edits, seed};
pub use mutate::mutate;
pub use world::{World, actions, with_unknown_kept};

use archipel_crdt::schema::{KeyField, Kind, Node, Shape};
use std::collections::BTreeMap;
use std::sync::OnceLock;

static BY_NAME: [KeyField; 1] = [KeyField { name: "name", default: None }];
static BY_PORT: [KeyField; 2] =
    [KeyField { name: "containerPort", default: None }, KeyField { name: "protocol", default: Some("TCP") }];
static BY_MANAGER: [KeyField; 1] = [KeyField { name: "manager", default: None }];

fn place(kind: Kind, fields: &[(&'static str, Shape)], rest: Option<Shape>) -> Shape {
    let fields: BTreeMap<_, _> = fields.iter().copied().collect();
    Shape(Box::leak(Box::new(Node { kind, known: true, fields, rest })))
}

/// The schema of the model's objects.
pub fn shape() -> Shape {
    static SHAPE: OnceLock<Shape> = OnceLock::new();
    *SHAPE.get_or_init(|| {
        let scalar = place(Kind::Atomic, &[], None);
        let map = place(Kind::Granular, &[], Some(scalar));
        let list = |keys, item| place(Kind::KeyedList(keys), &[], Some(item));
        let set = place(Kind::Set, &[], Some(scalar));
        let env = place(Kind::Granular, &[("name", scalar), ("value", scalar)], None);
        let port_fields = [("containerPort", scalar), ("protocol", scalar), ("name", scalar)];
        let port = place(Kind::Granular, &port_fields, None);
        let container_fields = [
            ("name", scalar),
            ("image", scalar),
            ("args", scalar),
            ("emptyDir", map),
            ("env", list(&BY_NAME, env)),
            ("ports", list(&BY_PORT, port)),
        ];
        let container = place(Kind::Granular, &container_fields, None);
        let managed_fields = [("manager", scalar), ("fieldsV1", place(Kind::FieldSet, &[], None)), ("time", scalar)];
        let managed = place(Kind::Granular, &managed_fields, None);
        let metadata_fields = [("labels", map), ("set", set), ("managedFields", list(&BY_MANAGER, managed))];
        let metadata = place(Kind::Granular, &metadata_fields, None);
        let spec = place(Kind::Granular, &[("replicas", scalar), ("containers", list(&BY_NAME, container))], None);
        place(Kind::Granular, &[("metadata", metadata), ("data", map), ("spec", spec)], None)
    })
}
