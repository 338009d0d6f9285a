//! Size and robustness of the wire form.

use super::*;
use crate::dot::ActorId;
use crate::object::{Form, ItemKey, Leaf, Step};
use crate::value::Tree;

fn actor(n: u128) -> ActorId {
    ActorId(n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

fn leaf(tree: Tree) -> Form {
    Form::Leaf(Leaf { tree, united: false })
}

fn field(name: &str) -> Step {
    Step::Field(name.into())
}

fn item(name: &str) -> Step {
    Step::Item(ItemKey(vec![Tree::text(name)]))
}

fn key(name: &str) -> ObjectKey {
    ObjectKey { group: "apps".into(), resource: "deployments".into(), name: name.into() }
}

const IMAGE: &str = "registry.example.com/storefront:2.14.1";

/// Two sites, an hour of work each, one of them changes an image.
fn image_change() -> Entry {
    let path = ["spec", "template", "spec", "containers"].map(field).into_iter().chain([item("web"), field("image")]);
    let image = Tree::text(IMAGE);
    Entry {
        dot: Dot { actor: actor(1), n: 70_000 },
        hlc: Hlc(1_795_000_000_000 << 16),
        deps: [(actor(1), 69_999), (actor(2), 80_000)].into_iter().collect(),
        epoch: 1,
        ops: vec![KeyOp::Patch {
            key: key("storefront-frontend"),
            life: Dot { actor: actor(2), n: 300 },
            set: vec![(Path(path.collect()), Value::Write(leaf(image)))],
            del: vec![],
        }],
    }
}

fn everything() -> Entry {
    let mut entry = image_change();
    let form = Form::Map(
        [
            ("spec".into(), Form::List(vec![(ItemKey(vec![Tree::Int(80), Tree::text("TCP")]), leaf(Tree::map()))])),
            ("set".into(), Form::List(vec![(ItemKey(vec![Tree::text("x")]), Form::Element)])),
            ("raw".into(), Form::Leaf(Leaf { tree: Tree::Raw(Bytes::from_static(b"{}")), united: true })),
            ("float".into(), leaf(Tree::Float(1.5f64.to_bits()))),
            ("list".into(), leaf(Tree::List(vec![Tree::Null, Tree::Bool(true), Tree::Int(-7)]))),
        ]
        .into(),
    );
    let life = LifeInfo {
        uid: "6f0e5b6a-98a0-4f1d-8f1a-1b2c3d4e5f60".into(),
        creation_timestamp: "2026-11-24T08:00:00Z".into(),
        api_version: "apps/v1".into(),
        kind: "Deployment".into(),
    };
    entry.ops.push(KeyOp::Create { key: key("b"), life, form });
    entry.ops.push(KeyOp::Patch {
        key: key("c"),
        life: Dot { actor: actor(9), n: 1 },
        set: vec![
            (Path(vec![field("a"), field("b")]), Value::Replace(leaf(Tree::Null))),
            (Path(vec![field("a"), item("b")]), Value::Add(Form::Element)),
            (Path(vec![field("a")]), Value::Order(vec![ItemKey(vec![Tree::text("b")]), ItemKey(vec![])])),
        ],
        del: vec![Path(vec![field("a"), field("x")]), Path(vec![field("a"), field("y")])],
    });
    for policy in [DeletePolicy::Background, DeletePolicy::Foreground, DeletePolicy::Orphan] {
        entry.ops.push(KeyOp::Delete { key: key("d"), policy });
    }
    entry.ops.push(KeyOp::Control(Bytes::from_static(b"opaque")));
    entry
}

#[test]
fn a_single_field_change_is_at_most_150_bytes() {
    let bytes = image_change().encode();
    assert!(bytes.len() <= 150, "{} bytes", bytes.len());
    assert!(bytes.len() <= IMAGE.len() + 100, "{} bytes beside the value", bytes.len() - IMAGE.len());
    assert_eq!(Entry::decode(&bytes).unwrap(), image_change());
}

#[test]
fn entries_come_back() {
    assert_eq!(Entry::decode(&everything().encode()).unwrap(), everything());
}

#[test]
fn a_cut_or_damaged_entry_is_an_error_at_every_byte() {
    let bytes = everything().encode();
    for cut in 0..bytes.len() {
        assert!(Entry::decode(&bytes[..cut]).is_err(), "cut at {cut}");
        let mut damaged = bytes.clone();
        damaged[cut] ^= 0x10;
        assert_eq!(Entry::decode(&damaged), Err(EntryError::Checksum), "damage at {cut}");
    }
}

/// A hostile peer computes the checksum, too: cuts, changes and nesting behind a right checksum must not panic either.
#[test]
fn hostile_bytes_with_a_right_checksum_are_read_without_panic() {
    let sealed = |body: &[u8]| [body, &crc32fast::hash(body).to_le_bytes()].concat();
    let bytes = everything().encode();
    let body = &bytes[..bytes.len() - 4];
    for at in 0..body.len() {
        assert!(Entry::decode(&sealed(&body[..at])).is_err(), "cut at {at}");
        for value in [0, 1, 0x7f, 0x80, 0xff, body[at] ^ 1, body[at] ^ 0x40] {
            let mut changed = body.to_vec();
            changed[at] = value;
            let _ = Entry::decode(&sealed(&changed));
        }
    }
    let mut deep = Entry { ops: vec![], ..image_change() }.encode();
    deep.truncate(deep.len() - 5);
    deep.extend_from_slice(&[1, 0]);
    deep.extend_from_slice(&[0; 7]);
    deep.extend(std::iter::repeat_n([17, 1, 1], 100_000).flatten());
    assert_eq!(Entry::decode(&sealed(&deep)), Err(EntryError::TooDeep));
}

#[test]
fn delivery_is_causal() {
    let entry = image_change();
    let have = |own, other| [(actor(1), own), (actor(2), other)].into_iter().collect();
    assert_eq!(entry.delivery(&have(69_999, 80_000)), Delivery::Ready);
    assert_eq!(entry.delivery(&have(69_999, 90_000)), Delivery::Ready);
    assert_eq!(entry.delivery(&have(69_999, 79_999)), Delivery::Early);
    assert_eq!(entry.delivery(&have(69_998, 80_000)), Delivery::Early);
    assert_eq!(entry.delivery(&have(70_000, 0)), Delivery::Stale);
}
