//! One value, taken apart into what travels and what stays, and put together again.

use super::rules::{
    HEADLESS, LOCAL_FIELDS_ANNOTATION, LOCAL_FIELDS_MAX, LOCAL_METADATA, LOCAL_PREFIXES, LOCAL_PREFIXES_OF_NAMESPACE,
    LOCAL_SERVICE_SPEC,
};
use crate::value::{Field, Tree};
use std::collections::BTreeMap;

pub(super) type Fields = BTreeMap<Field, Tree>;

/// A value in two parts that share no path.
#[derive(Default, Debug)]
pub(super) struct Parts {
    /// What travels.
    pub(super) replicated: Fields,
    /// What stays.
    pub(super) local: Local,
}

/// What stays at the site.
#[derive(Clone, Default, PartialEq, Debug)]
pub(super) struct Local {
    /// Fields of structs and maps, at their paths.
    pub(super) fields: Fields,
    /// Entries of managedFields for subresource status.
    pub(super) managed_fields: Vec<Tree>,
    /// Node ports of a Service, by port and protocol.
    pub(super) node_ports: BTreeMap<(Option<Tree>, Option<Tree>), Tree>,
}

/// Takes `tree` apart. `local_fields` names further local paths (from the annotation of the *replicated* content).
pub(super) fn split(kind: &str, tree: &Tree, local_fields: &[String]) -> Parts {
    let mut parts = Parts::default();
    let Tree::Map(fields) = tree else { return parts };
    for (name, value) in fields {
        match (kind, name.as_ref()) {
            (_, "metadata") => split_metadata(kind, value, &mut parts),
            (_, "status") | ("Namespace", _) | ("ServiceAccount", "secrets") => {
                parts.local.fields.insert(name.clone(), value.clone());
            }
            ("Service", "spec") => split_service_spec(name, value, &mut parts),
            _ => {
                parts.replicated.insert(name.clone(), value.clone());
            }
        }
    }
    for path in local_fields {
        move_path(path, &mut parts.replicated, &mut parts.local.fields);
    }
    parts
}

/// The paths that the annotation of this content declares local. Metadata cannot be named: the annotation itself is in it.
pub(super) fn local_fields(tree: &Tree) -> Vec<String> {
    let text =
        tree.at(&["metadata", "annotations", LOCAL_FIELDS_ANNOTATION]).and_then(Tree::as_str).unwrap_or_default();
    let paths = text.split(',').map(str::trim);
    let named = paths.filter(|path| !path.is_empty() && *path != "metadata" && !path.starts_with("metadata."));
    named.take(LOCAL_FIELDS_MAX).map(str::to_owned).collect()
}

fn insert_unless_empty(fields: &mut Fields, name: &str, value: Fields) {
    if !value.is_empty() {
        fields.insert(name.into(), Tree::Map(value));
    }
}

fn split_metadata(kind: &str, metadata: &Tree, parts: &mut Parts) {
    let Tree::Map(metadata) = metadata else { return };
    let (mut replicated, mut local) = (Fields::new(), Fields::new());
    let stays = |name: &str| {
        let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
        starts(LOCAL_PREFIXES) || kind == "Namespace" && starts(LOCAL_PREFIXES_OF_NAMESPACE)
    };
    for (name, value) in metadata {
        match (name.as_ref(), value) {
            ("labels" | "annotations", Tree::Map(entries)) => {
                let (here, there) = entries.clone().into_iter().partition(|(name, _)| stays(name));
                insert_unless_empty(&mut local, name, here);
                insert_unless_empty(&mut replicated, name, there);
            }
            _ if kind == "Namespace" || LOCAL_METADATA.contains(&name.as_ref()) => {
                local.insert(name.clone(), value.clone());
            }
            ("managedFields", Tree::List(entries)) => {
                let of_status = |entry: &Tree| entry.get("subresource").and_then(Tree::as_str) == Some("status");
                let (here, there): (Vec<_>, Vec<_>) = entries.iter().cloned().partition(of_status);
                parts.local.managed_fields = here;
                if !there.is_empty() {
                    replicated.insert(name.clone(), Tree::List(there));
                }
            }
            ("ownerReferences", Tree::List(owners)) => {
                let without_uid = owners.iter().map(|owner| match owner {
                    Tree::Map(fields) => {
                        let mut fields = fields.clone();
                        fields.remove("uid");
                        Tree::Map(fields)
                    }
                    other => other.clone(),
                });
                replicated.insert(name.clone(), Tree::List(without_uid.collect()));
            }
            _ => {
                replicated.insert(name.clone(), value.clone());
            }
        }
    }
    insert_unless_empty(&mut parts.local.fields, "metadata", local);
    insert_unless_empty(&mut parts.replicated, "metadata", replicated);
}

fn split_service_spec(name: &Field, spec: &Tree, parts: &mut Parts) {
    let Tree::Map(spec) = spec else { return };
    let (mut replicated, mut local) = (Fields::new(), Fields::new());
    for (name, value) in spec {
        let stays = match (name.as_ref(), value) {
            ("clusterIP", Tree::Text(address)) => address.as_ref() != HEADLESS,
            ("clusterIPs", Tree::List(addresses)) => addresses.first().and_then(Tree::as_str) != Some(HEADLESS),
            (name, _) => LOCAL_SERVICE_SPEC.contains(&name),
        };
        let side = if stays { &mut local } else { &mut replicated };
        side.insert(name.clone(), value.clone());
    }
    if let Some(Tree::List(ports)) = replicated.get_mut("ports") {
        for port in ports {
            let id = port_id(port);
            if let Tree::Map(fields) = port
                && let Some(node_port) = fields.remove("nodePort")
            {
                parts.local.node_ports.insert(id, node_port);
            }
        }
    }
    insert_unless_empty(&mut parts.local.fields, name, local);
    insert_unless_empty(&mut parts.replicated, name, replicated);
}

/// What tells a Service's port from the others, as its list is keyed.
fn port_id(port: &Tree) -> (Option<Tree>, Option<Tree>) {
    let protocol = port.get("protocol").cloned().or_else(|| Some(Tree::text("TCP")));
    (port.get("port").cloned(), protocol)
}

/// Moves what is at `path`, if anything. Names may contain dots: the longest rest that is a name counts. A map on the way
/// that is empty then goes too: whether it is there is decided by the side that has its fields.
fn move_path(path: &str, from: &mut Fields, to: &mut Fields) {
    if let Some(value) = from.remove(path) {
        to.insert(path.into(), value);
    } else if let Some((name, rest)) = path.split_once('.')
        && let Some(Tree::Map(inner)) = from.get_mut(name)
    {
        let mut moved = Fields::new();
        move_path(rest, inner, &mut moved);
        if inner.is_empty() {
            from.remove(name);
        }
        for (field, value) in moved {
            let below = to.entry(name.into()).or_insert_with(Tree::map);
            lay(below, Tree::Map([(field, value)].into()));
        }
    }
}

/// Lays `over` on `under`: maps are united, anything else is replaced.
fn lay(under: &mut Tree, over: Tree) {
    match (under, over) {
        (Tree::Map(under), Tree::Map(over)) => {
            for (name, value) in over {
                match under.get_mut(&name) {
                    Some(below) => lay(below, value),
                    None => drop(under.insert(name, value)),
                }
            }
        }
        (under, over) => *under = over,
    }
}

/// Puts the parts together. Where both have a value, the replicated one stands.
pub(super) fn join(local: Local, replicated: Fields) -> Tree {
    let mut tree = Tree::Map(local.fields);
    lay(&mut tree, Tree::Map(replicated));
    let Tree::Map(fields) = &mut tree else { return tree };
    if !local.managed_fields.is_empty() {
        let metadata = fields.entry("metadata".into()).or_insert_with(Tree::map);
        if let Tree::Map(metadata) = metadata {
            match metadata.entry("managedFields".into()).or_insert_with(|| Tree::List(Vec::new())) {
                Tree::List(entries) => entries.extend(local.managed_fields),
                other => *other = Tree::List(local.managed_fields),
            }
        }
    }
    if !local.node_ports.is_empty()
        && let Some(Tree::Map(spec)) = fields.get_mut("spec")
        && let Some(Tree::List(ports)) = spec.get_mut("ports")
    {
        for port in ports {
            let node_port = local.node_ports.get(&port_id(port)).cloned();
            if let (Tree::Map(port), Some(node_port)) = (port, node_port) {
                port.insert("nodePort".into(), node_port);
            }
        }
    }
    tree
}
