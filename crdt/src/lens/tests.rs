//! The lens on values that Kubernetes' own serializers wrote, and on random edits of them.

use super::split::{Local, local_fields, split};
use super::*;
use crate::clock::Hlc;
use crate::dot::{ActorId, Dot, Stamp};
use crate::key::ObjectKey;
use crate::object::{LifeInfo, Object};
use crate::value::{Decoded, Encoding, Tree, decode, encode};
use crate::version_vector::VersionVector;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Mutex;

const SEED_UID: &str = "7d4e";

fn fixture(name: &str) -> Decoded {
    static READ: Mutex<BTreeMap<String, Decoded>> = Mutex::new(BTreeMap::new());
    let mut read = READ.lock().expect("no panic while reading");
    let found = read.entry(name.to_owned()).or_insert_with(|| {
        let path = format!("{}/src/value/fixtures/{name}.pb", env!("CARGO_MANIFEST_DIR"));
        decode(&std::fs::read(path).expect("fixture")).expect("decodes")
    });
    found.clone()
}

/// Sets or removes what is at `path`; maps on the way are made.
fn edit(tree: &mut Tree, path: &[&str], value: Option<Tree>) {
    let Tree::Map(fields) = tree else { panic!("no map on the way") };
    match (path, value) {
        ([name], Some(value)) => drop(fields.insert((*name).into(), value)),
        ([name], None) => drop(fields.remove(*name)),
        ([name, rest @ ..], value) => {
            edit(fields.entry((*name).into()).or_insert_with(Tree::map), rest, value);
            if fields.get(*name) == Some(&Tree::map()) {
                fields.remove(*name);
            }
        }
        ([], _) => panic!("empty path"),
    }
}

fn edited(name: &str, edits: &[(&[&str], Option<Tree>)]) -> Decoded {
    let mut value = fixture(name);
    edits.iter().for_each(|(path, new)| edit(&mut value.tree, path, new.clone()));
    value
}

fn text(s: &str) -> Option<Tree> {
    Some(Tree::text(s))
}

fn key_of(value: &Decoded) -> ObjectKey {
    let (_, resource) = super::rules::KINDS
        .iter()
        .find_map(|(group, resource, kind)| (*kind == value.kind).then_some((*group, *resource)))
        .unwrap_or(("", "pods"));
    let group = value.api_version.split_once('/').map_or("", |(group, _)| group);
    let name = value.tree.at(&["metadata", "name"]).and_then(Tree::as_str).unwrap_or_default();
    let name = if value.kind == "Namespace" { "" } else { name };
    ObjectKey { group: group.into(), resource: resource.into(), name: name.into() }
}

fn class(value: &Decoded) -> Class {
    classify(&key_of(value), value)
}

fn owner_uid(kind: &str, name: &str) -> Option<String> {
    Some(format!("uid of {kind} {name}"))
}

fn life() -> LifeSeed {
    LifeSeed {
        uid: SEED_UID.into(),
        creation_timestamp: "2026-01-01T00:00:07Z".into(),
        namespace: "team-a".into(),
        name: "web".into(),
    }
}

fn shown(kind: &Decoded, local: Option<&Decoded>, content: &Tree) -> Decoded {
    let tree = overlay(&kind.kind, local, content, &life(), &owner_uid);
    Decoded { tree, ..kind.clone() }
}

// === classes ===

#[test]
fn roots_travel() {
    for name in ["deployment", "configmap", "secret", "serviceaccount", "service-headless", "namespace"] {
        assert_eq!(class(&fixture(name)), Class::Replicated, "{name}");
    }
    let external = edited("service", &[(&["spec", "type"], text("ExternalName"))]);
    assert_eq!(class(&external), Class::Replicated);
}

#[test]
fn what_belongs_to_a_cluster_stays() {
    assert!(matches!(class(&fixture("service")), Class::Held(_)));
    for (name, path, value) in [
        ("configmap", &["metadata", "name"][..], "kube-root-ca.crt"),
        ("configmap", &["metadata", "name"], "openshift-service-ca.crt"),
        ("serviceaccount", &["metadata", "name"], "default"),
        ("secret", &["type"], "kubernetes.io/service-account-token"),
        ("secret", &["type"], "bootstrap.kubernetes.io/token"),
        ("secret", &["metadata", "annotations", "cert-manager.io/issuer-name"], "x"),
        ("deployment", &["metadata", "labels", "archipel.dev/replicate"], "false"),
    ] {
        let value = edited(name, &[(path, text(value))]);
        assert!(matches!(class(&value), Class::Local(_)), "{name} {path:?} {:?}", class(&value));
    }
    assert!(matches!(class(&fixture("pod")), Class::Local(_)));
    assert!(matches!(class(&fixture("statefulset")), Class::Local(_)));
}

#[test]
fn what_a_controller_made_is_derived_unless_a_label_says_otherwise() {
    assert_eq!(class(&fixture("configmap-owned")), Class::Derived);
    let forced = edited("configmap-owned", &[(&["metadata", "labels", "archipel.dev/replicate"], text("true"))]);
    assert_eq!(class(&forced), Class::Replicated);
}

#[test]
fn key_and_value_must_agree() {
    let value = fixture("configmap");
    let key = key_of(&value);
    for wrong in [
        ObjectKey { name: "other".into(), ..key.clone() },
        ObjectKey { resource: "secrets".into(), ..key.clone() },
        ObjectKey { group: "apps".into(), resource: "deployments".into(), ..key.clone() },
    ] {
        assert!(matches!(classify(&wrong, &value), Class::Local(_)), "{wrong}");
    }
    let later = Decoded { api_version: "apps/v9".into(), ..fixture("deployment") };
    assert!(matches!(class(&later), Class::Held(_)));
    assert!(!may_share("kube-system") && !may_share("default") && may_share("team-a"));
}

// === projections ===

#[test]
fn a_projection_has_nothing_local() {
    let deployment = edited(
        "deployment",
        &[
            (&["metadata", "annotations", "deployment.kubernetes.io/revision"], text("4")),
            (&["metadata", "finalizers"], Some(Tree::List(vec![Tree::text("f")]))),
        ],
    );
    let projected = project(&deployment);
    for path in [
        &["status"][..],
        &["metadata", "uid"],
        &["metadata", "name"],
        &["metadata", "generation"],
        &["metadata", "finalizers"],
        &["metadata", "annotations", "deployment.kubernetes.io/revision"],
    ] {
        assert!(deployment.tree.at(path).is_some() && projected.at(path).is_none(), "{path:?}");
    }
    assert_eq!(projected.get("spec"), deployment.tree.get("spec"));
    let Some(Tree::List(entries)) = projected.at(&["metadata", "managedFields"]) else { panic!("managedFields") };
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].get("manager"), Some(&Tree::text("kubectl")));
}

#[test]
fn of_a_namespace_only_foreign_labels_and_annotations_travel() {
    let namespace = edited(
        "namespace",
        &[
            (&["metadata", "annotations", "archipel.dev/scope"], text("a & b")),
            (&["metadata", "annotations", "owner"], text("us")),
        ],
    );
    let map = |fields: &[(&str, Tree)]| Tree::Map(fields.iter().map(|(n, v)| ((*n).into(), v.clone())).collect());
    let labels = map(&[("team", Tree::text("a"))]);
    let annotations = map(&[("owner", Tree::text("us"))]);
    let metadata = map(&[("labels", labels), ("annotations", annotations)]);
    assert_eq!(project(&namespace), map(&[("metadata", metadata)]));
    let fresh = shown(&namespace, None, &project(&namespace));
    assert_eq!(fresh.tree.at(&["metadata", "labels", "kubernetes.io/metadata.name"]), Some(&Tree::text("team-a")));
    assert_eq!(fresh.tree.at(&["status", "phase"]), Some(&Tree::text("Active")));
    assert_eq!(fresh.tree.at(&["metadata", "name"]), Some(&Tree::text("team-a")));
}

#[test]
fn fields_that_exclude_each_other_move_together() {
    let service = project(&fixture("service"));
    let group = "type+externalTrafficPolicy+internalTrafficPolicy";
    assert_eq!(service.at(&["spec", group, "type"]), Some(&Tree::text("NodePort")));
    assert_eq!(service.at(&["spec", "type"]), None);
    assert_eq!(service.at(&["spec", "clusterIP"]), None);
    assert_eq!(project(&fixture("service-headless")).at(&["spec", "clusterIP"]), Some(&Tree::text("None")));
    let configmap = project(&fixture("configmap"));
    assert!(matches!(configmap.at(&["data", "blob"]), Some(Tree::Bytes(_))));
    assert_eq!(configmap.get("binaryData"), None);
    assert_eq!(project(&fixture("hpa")).at(&["spec", "minReplicas+maxReplicas", "maxReplicas"]), Some(&Tree::Int(4)));
}

#[test]
fn a_helm_release_is_one_register() {
    let release = edited("secret", &[(&["type"], text("helm.sh/release.v1"))]);
    assert_eq!(shape(&release).child("data").kind(), crate::schema::Kind::Atomic);
    assert_eq!(shape(&fixture("secret")).child("data").kind(), crate::schema::Kind::Granular);
}

// === overlays ===

#[test]
fn a_new_object_takes_its_identity_from_the_life() {
    let deployment = fixture("deployment");
    let fresh = shown(&deployment, None, &project(&deployment));
    for (field, wanted) in
        [("name", "web"), ("namespace", "team-a"), ("uid", SEED_UID), ("creationTimestamp", "2026-01-01T00:00:07Z")]
    {
        assert_eq!(fresh.tree.at(&["metadata", field]), Some(&Tree::text(wanted)), "{field}");
    }
    assert_eq!(fresh.tree.at(&["metadata", "generation"]), Some(&Tree::Int(1)));
    assert_eq!(fresh.tree.get("status"), None);
    let configmap = fixture("configmap");
    assert_eq!(shown(&configmap, None, &project(&configmap)).tree.at(&["metadata", "generation"]), None);
}

#[test]
fn generation_counts_what_changed_outside_metadata_and_status() {
    let local = fixture("deployment");
    let generation = |content: &Decoded| {
        shown(&local, Some(&local), &project(content)).tree.at(&["metadata", "generation"]).cloned()
    };
    assert_eq!(generation(&local), Some(Tree::Int(3)));
    assert_eq!(generation(&edited("deployment", &[(&["metadata", "labels", "x"], text("y"))])), Some(Tree::Int(3)));
    assert_eq!(generation(&edited("deployment", &[(&["spec", "replicas"], Some(Tree::Int(5)))])), Some(Tree::Int(4)));
}

#[test]
fn owners_get_the_uid_that_they_have_here_or_are_left_out() {
    let forced = edited("configmap-owned", &[(&["metadata", "labels", "archipel.dev/replicate"], text("true"))]);
    let content = project(&forced);
    let only_configmaps = |kind: &str, _: &str| (kind == "ConfigMap").then(|| "here".to_owned());
    let tree = overlay("ConfigMap", None, &content, &life(), &only_configmaps);
    let Some(Tree::List(owners)) = tree.at(&["metadata", "ownerReferences"]) else { panic!("owners") };
    assert_eq!(owners.len(), 1);
    assert_eq!(owners[0].get("uid"), Some(&Tree::text("here")));
    let nobody = |_: &str, _: &str| None;
    assert_eq!(overlay("ConfigMap", None, &content, &life(), &nobody).at(&["metadata", "ownerReferences"]), None);
}

#[test]
fn a_field_can_be_declared_local() {
    let annotation = &["metadata", "annotations", "archipel.dev/local-fields"][..];
    let replicas = &["spec", "replicas"][..];
    let remote = edited(
        "deployment",
        &[(annotation, text(" spec.replicas , metadata.labels,,spec.none")), (replicas, Some(Tree::Int(9)))],
    );
    assert_eq!(project(&remote).at(replicas), None);
    assert!(project(&remote).at(&["metadata", "labels"]).is_some());
    let local = edited("deployment", &[(replicas, Some(Tree::Int(2)))]);
    let merged = shown(&local, Some(&local), &project(&remote));
    assert_eq!(merged.tree.at(replicas), Some(&Tree::Int(2)));
    // Names with dots.
    let annotated = edited("configmap", &[(annotation, text("data.a.conf")), (&["data", "a.conf"], text("x"))]);
    assert_eq!(project(&annotated).at(&["data", "a.conf"]), None);
    assert!(project(&annotated).at(&["data", "a"]).is_some());
}

// === laws ===

type Edit = (&'static [&'static str], Option<Tree>);

/// Some containers, each with some of image, ports and env.
fn containers() -> impl Strategy<Value = Option<Tree>> {
    let map = |fields: Vec<(&str, Tree)>| Tree::Map(fields.into_iter().map(|(n, v)| (n.into(), v)).collect());
    let port = (1..4i64, any::<bool>()).prop_map(move |(port, udp)| {
        let mut fields = vec![("containerPort", Tree::Int(port))];
        fields.extend(udp.then(|| ("protocol", Tree::text("UDP"))));
        map(fields)
    });
    let env = prop::sample::select(vec!["A", "B", "C"]).prop_map(move |name| map(vec![("name", Tree::text(name))]));
    let list = |items: Vec<Tree>| (!items.is_empty()).then_some(Tree::List(items));
    let container = (0..3usize, 0..3i64, prop::collection::vec(port, 0..3), prop::collection::vec(env, 0..3));
    let container = container.prop_map(move |(name, image, ports, env)| {
        let mut fields = vec![("name", Tree::text(["main", "side", "proxy"][name]))];
        fields.extend((image > 0).then(|| ("image", Tree::text(&image.to_string()))));
        fields.extend(list(ports).map(|ports| ("ports", ports)));
        fields.extend(list(env).map(|env| ("env", env)));
        map(fields)
    });
    prop::collection::vec(container, 0..3).prop_map(list)
}

/// Paths of every sort: replicated, local, grouped, map keys, and the annotation that moves the border.
fn edit_of(kind: &'static str) -> BoxedStrategy<Edit> {
    let texts = |path: &'static [&'static str], values: &'static [&'static str]| {
        let values = prop::option::of(prop::sample::select(values));
        values.prop_map(move |value| (path, value.map(Tree::text))).boxed()
    };
    let mut all = vec![
        texts(&["metadata", "labels", "x"], &["1", "2", ""]),
        texts(&["metadata", "labels", "pod-security.kubernetes.io/enforce"], &["baseline", "restricted"]),
        texts(&["metadata", "annotations", "deployment.kubernetes.io/revision"], &["1", "2"]),
        texts(&["metadata", "annotations", "archipel.dev/conflicts"], &["1"]),
        texts(
            &["metadata", "annotations", "archipel.dev/local-fields"],
            &["spec.replicas", "data.a, spec.type", "spec.ports", "status"],
        ),
        texts(&["metadata", "annotations", "note"], &["n"]),
        texts(&["metadata", "generateName"], &["g-"]),
        prop_oneof![Just(None), Just(Some(Tree::List(vec![Tree::text("f")])))]
            .prop_map(|value| (&["metadata", "finalizers"][..], value))
            .boxed(),
    ];
    match kind {
        "Deployment" => {
            all.push((0..3i64).prop_map(|n| (&["status", "collisionCount"][..], Some(Tree::Int(n)))).boxed());
            all.push((0..3i64).prop_map(|n| (&["spec", "replicas"][..], Some(Tree::Int(n)))).boxed());
            all.push(containers().prop_map(|list| (&["spec", "template", "spec", "containers"][..], list)).boxed());
            all.push(texts(&["spec", "template", "metadata", "labels", "app"], &["web", "other"]));
            all.push(texts(&["spec", "template", "spec", "securityContext", "fsGroupChangePolicy"], &["Always"]));
            all.push(
                any::<bool>().prop_map(|paused| (&["spec", "paused"][..], paused.then_some(Tree::Bool(true)))).boxed(),
            );
        }
        "ConfigMap" => {
            all.push(texts(&["data", "a"], &["1", "2", ""]));
            all.push(texts(&["data", "blob"], &["text"]));
            all.push(
                any::<bool>()
                    .prop_map(|there| (&["binaryData", "a"][..], there.then(|| Tree::Bytes(vec![0, 159].into()))))
                    .boxed(),
            );
            all.push(Just((&["binaryData"][..], None)).boxed());
        }
        "Service" => {
            all.push(texts(&["spec", "type"], &["ClusterIP", "NodePort", "ExternalName"]));
            all.push(texts(&["spec", "internalTrafficPolicy"], &["Local", "Cluster"]));
            all.push(texts(&["spec", "clusterIP"], &["None", "10.0.0.9"]));
            all.push(Just((&["spec", "ports"][..], None)).boxed());
        }
        "Namespace" => all.push(texts(&["status", "phase"], &["Active", "Terminating"])),
        "ServiceAccount" => all.push(Just((&["secrets"][..], None)).boxed()),
        "Secret" => all.push(texts(&["type"], &["Opaque", "helm.sh/release.v1"])),
        _ => {}
    }
    prop::strategy::Union::new(all).boxed()
}

fn pair() -> impl Strategy<Value = (Decoded, Decoded)> {
    triple().prop_map(|(one, other, _)| (one, other))
}

/// Three values of one kind, from fixtures with some edits each.
fn triple() -> impl Strategy<Value = (Decoded, Decoded, Decoded)> {
    let fixtures = prop::sample::select(vec![
        ("Deployment", "deployment", "deployment-minimal"),
        ("ConfigMap", "configmap", "configmap-owned"),
        ("Service", "service", "service-headless"),
        ("ServiceAccount", "serviceaccount", "serviceaccount"),
        ("Secret", "secret", "secret"),
        ("Namespace", "namespace", "namespace"),
    ]);
    fixtures.prop_flat_map(|(kind, one, other)| {
        let value = move || {
            let edits = prop::collection::vec(edit_of(kind), 0..6);
            (prop::sample::select(vec![one, other]), edits).prop_map(|(name, edits)| {
                let mut value = edited(name, &edits);
                // Owners have the uid that they have at this site.
                if let Some(Tree::List(owners)) = value.tree.at(&["metadata", "ownerReferences"]).cloned() {
                    let of =
                        |owner: &Tree, field| owner.get(field).and_then(Tree::as_str).unwrap_or_default().to_owned();
                    let owners = owners.into_iter().map(|mut owner| {
                        let uid = owner_uid(&of(&owner, "kind"), &of(&owner, "name"));
                        edit(&mut owner, &["uid"], uid.map(|uid| Tree::text(&uid)));
                        owner
                    });
                    edit(&mut value.tree, &["metadata", "ownerReferences"], Some(Tree::List(owners.collect())));
                }
                value
            })
        };
        (value(), value(), value())
    })
}

/// What must survive an overlay: the local part, but for what the overlay counts and dates.
fn kept(kind: &str, tree: &Tree, content: &Tree) -> Local {
    let mut local = split(kind, tree, &local_fields(content)).local;
    let mut fields = Tree::Map(local.fields);
    for counted in ["generation", "creationTimestamp"] {
        edit(&mut fields, &["metadata", counted], None);
    }
    local.fields = match fields {
        Tree::Map(fields) => fields,
        _ => Default::default(),
    };
    local
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_overlay_shows_the_content_and_keeps_what_is_local((local, remote) in pair()) {
        let content = project(&remote);
        prop_assert_eq!(&restrict(&remote.kind, &content), &content);
        let merged = shown(&local, Some(&local), &content);
        prop_assert_eq!(&project(&merged), &content);
        let mut before = kept(&local.kind, &local.tree, &content);
        let after = kept(&local.kind, &merged.tree, &content);
        // The node port of a port that is no longer there goes with it.
        before.node_ports.retain(|id, _| after.node_ports.contains_key(id));
        // A headless Service has no address; to become one is a change of identity (M18).
        for address in ["clusterIP", "clusterIPs"] {
            if content.at(&["spec", address]).is_some() {
                let mut fields = Tree::Map(before.fields);
                edit(&mut fields, &["spec", address], None);
                before.fields = match fields {
                    Tree::Map(fields) => fields,
                    _ => Default::default(),
                };
            }
        }
        prop_assert_eq!(before, after);
        // Once shown, nothing changes any more, and no generation is counted.
        prop_assert_eq!(&shown(&merged, Some(&merged), &content).tree, &merged.tree);
        let fresh = shown(&remote, None, &content);
        prop_assert_eq!(&project(&fresh), &content);
    }

    #[test]
    fn a_value_is_the_overlay_of_its_own_projection((local, _) in pair()) {
        let mut dated = local.clone();
        edit(&mut dated.tree, &["metadata", "creationTimestamp"], text(&life().creation_timestamp));
        prop_assert_eq!(shown(&dated, Some(&dated), &project(&dated)).tree, dated.tree);
    }

    /// Two concurrent edits of one object: both sites show the same content, which can be stored and read back.
    #[test]
    fn what_was_merged_can_be_shown_and_stored((base, one, other) in triple()) {
        let key = key_of(&base);
        let stamp = |actor: u128, n| Stamp { hlc: Hlc(n), dot: Dot { actor: ActorId(actor), n } };
        let (created, edited_there) = (stamp(1, 1), stamp(2, 1));
        let mut here = Object::new();
        let nothing = VersionVector::new();
        here.local_create(&key, LifeInfo::default(), &project(&base), shape(&base), created, &nothing);
        let mut there = here.clone();
        let mut seen = VersionVector::new();
        seen.advance(created.dot.actor, 1);
        let patch = |object: &mut Object, new: &Decoded, stamp| {
            object.local_patch(&key, &project(&base), &project(new), shape(new), stamp, &seen)
        };
        let (first, second) = (patch(&mut here, &one, stamp(1, 2)), patch(&mut there, &other, edited_there));
        second.iter().for_each(|op| drop(here.apply(op, edited_there, &seen)));
        first.iter().for_each(|op| drop(there.apply(op, stamp(1, 2), &seen)));
        prop_assert_eq!(&here, &there);
        let (_, _, content) = here.visible().expect("nobody deleted it");
        for local in [&one, &other] {
            let merged = shown(local, Some(local), &content);
            prop_assert_eq!(project(&merged), restrict(&base.kind, &content));
            for encoding in [Encoding::Protobuf, Encoding::Json] {
                let value = Decoded { encoding, ..merged.clone() };
                prop_assert_eq!(decode(&encode(&value).expect("encodes")).expect("decodes"), value);
            }
        }
    }

    /// What is shown is in normal form: both encodings hold all of it.
    #[test]
    fn what_is_shown_can_be_stored((local, remote) in pair()) {
        let merged = shown(&local, Some(&local), &project(&remote));
        for encoding in [Encoding::Protobuf, Encoding::Json] {
            let value = Decoded { encoding, ..merged.clone() };
            prop_assert_eq!(decode(&encode(&value).expect("encodes")).expect("decodes"), value);
        }
    }
}
