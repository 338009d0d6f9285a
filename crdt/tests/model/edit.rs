//! Edits of one object.

use archipel_crdt::value::Tree;
use proptest::prelude::*;

/// One change, as a user or controller makes it. Small numbers name things, so that concurrent edits often meet.
#[derive(Clone, Debug)]
pub enum Edit {
    Label(u8, u8),
    Unlabel(u8),
    DropLabels,
    Data(u8, u8),
    Undata(u8),
    Replicas(u8),
    AddContainer(u8, u8),
    RemoveContainer(u8),
    Image(u8, u8),
    Args(u8, u8),
    Env(u8, u8, u8),
    Unenv(u8, u8),
    /// Two env items of one name: the list falls back to one register.
    TwiceEnv(u8, u8),
    Port(u8, u8, bool, u8),
    Unport(u8, u8),
    EmptyDir(u8, u8),
    Element(u8),
    Unelement(u8),
    Reverse,
    /// Content that no schema knows: by turns a scalar, a map, an empty map, a list.
    Extra(u8, u8),
    FieldSet(u8, u8),
}

/// Any edit.
pub fn edits() -> impl Strategy<Value = Edit> {
    use Edit::*;
    let n = || 0..3u8;
    let v = || 0..6u8;
    prop_oneof![
        (n(), v()).prop_map(|(a, b)| Label(a, b)),
        n().prop_map(Unlabel),
        Just(DropLabels),
        (n(), v()).prop_map(|(a, b)| Data(a, b)),
        n().prop_map(Undata),
        v().prop_map(Replicas),
        (n(), v()).prop_map(|(a, b)| AddContainer(a, b)),
        n().prop_map(RemoveContainer),
        (n(), v()).prop_map(|(a, b)| Image(a, b)),
        (n(), v()).prop_map(|(a, b)| Args(a, b)),
        (n(), n(), v()).prop_map(|(a, b, c)| Env(a, b, c)),
        (n(), n()).prop_map(|(a, b)| Unenv(a, b)),
        (n(), n()).prop_map(|(a, b)| TwiceEnv(a, b)),
        (n(), n(), any::<bool>(), v()).prop_map(|(a, b, c, d)| Port(a, b, c, d)),
        (n(), n()).prop_map(|(a, b)| Unport(a, b)),
        (n(), n()).prop_map(|(a, b)| EmptyDir(a, b)),
        n().prop_map(Element),
        n().prop_map(Unelement),
        Just(Reverse),
        (n(), v()).prop_map(|(a, b)| Extra(a, b)),
        (n(), v()).prop_map(|(a, b)| FieldSet(a, b)),
    ]
}

/// The object that creates start from; `variant` makes concurrent creates equal or different.
pub fn seed(variant: u8) -> Tree {
    let mut tree = Tree::map();
    Edit::AddContainer(0, 0).on(&mut tree);
    Edit::Env(0, 0, 0).on(&mut tree);
    Edit::Label(0, variant).on(&mut tree);
    tree
}

fn text(prefix: &str, n: u8) -> Tree {
    Tree::text(&format!("{prefix}{n}"))
}

/// The map at `path`, made if missing; whatever else stood there is replaced.
fn map_at<'a>(tree: &'a mut Tree, path: &[&str]) -> &'a mut std::collections::BTreeMap<std::sync::Arc<str>, Tree> {
    if !matches!(tree, Tree::Map(_)) {
        *tree = Tree::map();
    }
    let Tree::Map(fields) = tree else { unreachable!() };
    match path.split_first() {
        None => fields,
        Some((name, rest)) => map_at(fields.entry((*name).into()).or_insert_with(Tree::map), rest),
    }
}

fn list_in<'a>(map: &'a mut std::collections::BTreeMap<std::sync::Arc<str>, Tree>, name: &str) -> &'a mut Vec<Tree> {
    let Tree::List(items) = map.entry(name.into()).or_insert(Tree::List(vec![])) else { unreachable!() };
    items
}

fn put(tree: &mut Tree, path: &[&str], name: &str, value: Tree) {
    map_at(tree, path).insert(name.into(), value);
}

/// Removes a field, and the map that it leaves empty: kube-apiserver omits empty maps and lists.
fn take(tree: &mut Tree, path: &[&str], name: &str) {
    if tree.at(path).is_some() {
        map_at(tree, path).remove(name);
        drop_empty(tree, path);
    }
}

fn drop_empty(tree: &mut Tree, path: &[&str]) {
    if let Some((last, parents)) = path.split_last()
        && matches!(tree.at(path), Some(Tree::Map(m)) if m.is_empty())
    {
        map_at(tree, parents).remove(*last);
        drop_empty(tree, parents);
    }
}

fn named(item: &Tree, field: &str, value: &Tree) -> bool {
    item.get(field) == Some(value)
}

/// Edits a list inside a map, and removes the list if it is empty afterwards.
fn with_list(tree: &mut Tree, path: &[&str], name: &str, edit: impl FnOnce(&mut Vec<Tree>)) {
    let map = map_at(tree, path);
    let items = list_in(map, name);
    edit(items);
    if items.is_empty() {
        map.remove(name);
        drop_empty(tree, path);
    }
}

fn with_container(tree: &mut Tree, n: u8, edit: impl FnOnce(&mut Tree)) {
    with_list(tree, &["spec"], "containers", |items| {
        if let Some(item) = items.iter_mut().find(|item| named(item, "name", &text("c", n))) {
            edit(item);
        }
    });
}

fn upsert(items: &mut Vec<Tree>, matches: impl Fn(&Tree) -> bool, item: Tree) {
    match items.iter_mut().find(|item| matches(item)) {
        Some(old) => *old = item,
        None => items.push(item),
    }
}

fn object<const N: usize>(fields: [(&str, Tree); N]) -> Tree {
    Tree::Map(fields.into_iter().map(|(name, v)| (name.into(), v)).collect())
}

impl Edit {
    /// Makes the change in `tree`.
    pub fn on(&self, tree: &mut Tree) {
        match *self {
            Edit::Label(k, v) => put(tree, &["metadata", "labels"], &format!("l{k}"), text("v", v)),
            Edit::Unlabel(k) => take(tree, &["metadata", "labels"], &format!("l{k}")),
            Edit::DropLabels => take(tree, &["metadata"], "labels"),
            Edit::Data(k, v) => put(tree, &["data"], &format!("d{k}"), text("v", v)),
            Edit::Undata(k) => take(tree, &["data"], &format!("d{k}")),
            Edit::Replicas(n) => put(tree, &["spec"], "replicas", Tree::Int(n.into())),
            Edit::Element(n) => with_list(tree, &["metadata"], "set", |items| {
                if !items.contains(&text("e", n)) {
                    items.push(text("e", n));
                }
            }),
            Edit::Unelement(n) => {
                with_list(tree, &["metadata"], "set", |items| items.retain(|item| *item != text("e", n)));
            }
            Edit::Extra(k, v) => put(tree, &["extra"], &format!("x{k}"), extra(v)),
            Edit::FieldSet(n, v) => with_list(tree, &["metadata"], "managedFields", |items| {
                let raw = format!("{{\"f:spec\":{{\"f:{v}\":{{}}}}}}");
                let item = object([("manager", text("m", n)), ("fieldsV1", Tree::Raw(raw.into()))]);
                upsert(items, |item| named(item, "manager", &text("m", n)), item);
            }),
            _ => self.on_containers(tree),
        }
    }

    fn on_containers(&self, tree: &mut Tree) {
        match *self {
            Edit::AddContainer(n, v) => with_list(tree, &["spec"], "containers", |items| {
                if !items.iter().any(|item| named(item, "name", &text("c", n))) {
                    items.push(object([("name", text("c", n)), ("image", text("i", v))]));
                }
            }),
            Edit::RemoveContainer(n) => with_list(tree, &["spec"], "containers", |items| {
                items.retain(|item| !named(item, "name", &text("c", n)));
            }),
            Edit::Reverse => with_list(tree, &["spec"], "containers", |items| items.reverse()),
            Edit::Image(n, v) => with_container(tree, n, |c| put(c, &[], "image", text("i", v))),
            Edit::Args(n, v) => with_container(tree, n, |c| put(c, &[], "args", Tree::List(vec![text("a", v)]))),
            Edit::Env(n, e, v) => with_container(tree, n, |c| {
                let item = object([("name", text("E", e)), ("value", text("v", v))]);
                with_list(c, &[], "env", |items| upsert(items, |item| named(item, "name", &text("E", e)), item));
            }),
            Edit::Unenv(n, e) => with_container(tree, n, |c| {
                with_list(c, &[], "env", |items| items.retain(|item| !named(item, "name", &text("E", e))));
            }),
            Edit::TwiceEnv(n, e) => with_container(tree, n, |c| {
                with_list(c, &[], "env", |items| {
                    for v in 7..9 {
                        items.push(object([("name", text("E", e)), ("value", text("v", v))]));
                    }
                });
            }),
            Edit::Port(n, p, tcp, v) => with_container(tree, n, |c| {
                let number = Tree::Int(80 + i64::from(p));
                let mut item = object([("containerPort", number.clone()), ("name", text("p", v))]);
                if !tcp {
                    put(&mut item, &[], "protocol", Tree::text("UDP"));
                }
                let same =
                    |old: &Tree| named(old, "containerPort", &number) && old.get("protocol") == item.get("protocol");
                with_list(c, &[], "ports", |items| upsert(items, same, item.clone()));
            }),
            Edit::Unport(n, p) => with_container(tree, n, |c| {
                let number = Tree::Int(80 + i64::from(p));
                with_list(c, &[], "ports", |items| items.retain(|item| !named(item, "containerPort", &number)));
            }),
            Edit::EmptyDir(n, state) => with_container(tree, n, |c| match state {
                0 => put(c, &[], "emptyDir", Tree::map()),
                1 => put(c, &[], "emptyDir", object([("medium", Tree::text("Memory"))])),
                _ => take(c, &[], "emptyDir"),
            }),
            _ => unreachable!("the other edits are made above"),
        }
    }
}

fn extra(v: u8) -> Tree {
    match v {
        0 => Tree::map(),
        1 => object([("a", Tree::Int(1))]),
        2 => object([("a", Tree::Int(2)), ("b", Tree::map())]),
        3 => Tree::List(vec![Tree::Int(3)]),
        4 => Tree::List(vec![]),
        _ => Tree::Int(v.into()),
    }
}
