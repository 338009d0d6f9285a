//! The codecs against values that Kubernetes' own serializers wrote (`fixtures/`, made by `schema/generator`).

use super::*;
use proptest::prelude::*;
use std::path::PathBuf;
use std::sync::OnceLock;

fn fixture_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/value/fixtures")
}

type Fixture = (String, Vec<u8>, Vec<u8>);

/// Every fixture: name, protobuf, JSON.
fn fixtures() -> &'static [Fixture] {
    static READ: OnceLock<Vec<Fixture>> = OnceLock::new();
    READ.get_or_init(|| {
        let paths = std::fs::read_dir(fixture_dir()).expect("fixtures").map(|entry| entry.expect("entry").path());
        let protobuf = paths.filter(|path| path.extension().is_some_and(|extension| extension == "pb"));
        let read = |path: &PathBuf| std::fs::read(path).expect("fixture");
        let named = |path: PathBuf| {
            let name = path.file_stem().expect("name").to_string_lossy().into_owned();
            (name, read(&path), read(&path.with_extension("json")))
        };
        let found: Vec<Fixture> = protobuf.map(named).collect();
        assert!(found.len() > 15, "fixtures are missing");
        found
    })
}

fn encode_as(encoding: Encoding, api_version: &str, kind: &str, tree: &Tree) -> Result<Vec<u8>, ValueError> {
    encode(&Decoded { encoding, api_version: api_version.into(), kind: kind.into(), tree: tree.clone() })
}

fn fixture(name: &str) -> Tree {
    let (_, pb, _) = fixtures().iter().find(|(found, ..)| found == name).expect("fixture");
    decode(pb).expect("decodes").tree
}

#[test]
fn both_encodings_give_the_same_tree() {
    for (name, pb, json) in fixtures() {
        let (from_pb, from_json) = (decode(pb).expect(name), decode(json).expect(name));
        assert_eq!((from_pb.encoding, from_json.encoding), (Encoding::Protobuf, Encoding::Json));
        assert_eq!((&from_pb.api_version, &from_pb.kind), (&from_json.api_version, &from_json.kind));
        pretty_eq(name, &from_pb.tree, &from_json.tree);
    }
}

fn pretty_eq(name: &str, left: &Tree, right: &Tree) {
    assert!(left == right, "{name}:\n{left:#?}\n{right:#?}");
}

/// Our bytes are Go's bytes, so that an apiserver that reads and writes back what we wrote finds nothing to change. Only
/// embedded JSON is sorted by us; with `UPDATE_VERIFY=DIR` the bytes are left for `generator verify`.
#[test]
fn encoding_gives_the_bytes_of_go() {
    let keep = std::env::var_os("UPDATE_VERIFY").map(PathBuf::from);
    for (name, pb, json) in fixtures() {
        for (extension, bytes) in [("pb", pb), ("json", json)] {
            let object = decode(bytes).expect(name);
            let ours = encode(&object).expect(name);
            if let Some(dir) = &keep {
                std::fs::write(dir.join(format!("{name}.{extension}")), &ours).expect("write");
            }
            assert_eq!(decode(&ours).expect(name), object, "{name}.{extension}");
            let embeds = object.tree.at(&["metadata", "managedFields"]).is_some();
            if !embeds {
                assert_eq!(String::from_utf8_lossy(&ours), String::from_utf8_lossy(bytes), "{name}.{extension}");
                assert!(ours == *bytes, "{name}.{extension}");
            } else {
                assert_eq!(ours.len(), bytes.len(), "{name}.{extension}");
            }
        }
    }
}

#[test]
fn one_encoding_is_rewritten_as_the_other() {
    for (name, pb, json) in fixtures() {
        let (from_pb, from_json) = (decode(pb).expect(name), decode(json).expect(name));
        let crossed = encode(&Decoded { encoding: Encoding::Json, ..from_pb.clone() }).expect(name);
        assert_eq!(decode(&crossed).expect(name), from_json);
        let crossed = encode(&Decoded { encoding: Encoding::Protobuf, ..from_json.clone() }).expect(name);
        assert_eq!(decode(&crossed).expect(name), from_pb);
    }
}

#[test]
fn presence_is_kept_where_it_means_something() {
    let deployment = fixture("deployment");
    assert_eq!(deployment.at(&["spec", "replicas"]), Some(&Tree::Int(0)));
    assert_eq!(deployment.at(&["spec", "paused"]), None);
    assert_eq!(fixture("deployment-minimal").at(&["spec", "selector"]), Some(&Tree::map()));
    assert_eq!(fixture("deployment-minimal").at(&["status"]), None);
    let Some(Tree::List(volumes)) = deployment.at(&["spec", "template", "spec", "volumes"]) else { panic!("volumes") };
    assert_eq!(volumes[0].get("emptyDir"), Some(&Tree::map()));
    assert_eq!(fixture("configmap").at(&["data", "empty"]), Some(&Tree::text("")));
    assert_eq!(fixture("configmap").at(&["binaryData", "none"]), Some(&Tree::Bytes(Vec::new().into())));
}

#[test]
fn unknown_protobuf_fields_survive_where_they_were() {
    // Field 4095 of the root; 4000 twice in the container's probe handler, which JSON inlines.
    let object = decode(&fixtures().iter().find(|(name, ..)| name == "pod").expect("pod").1).expect("decodes");
    let mut tree = object.tree.clone();
    let raw = |number: u32| {
        let mut raw = Vec::new();
        protobuf::put_number(&mut raw, number, 7);
        protobuf::put_bytes(&mut raw, number, b"new");
        Tree::Bytes(raw.into())
    };
    let Tree::Map(fields) = &mut tree else { panic!("map") };
    fields.insert("#4095".into(), raw(4095));
    let Some(Tree::Map(spec)) = fields.get_mut("spec") else { panic!("spec") };
    let Some(Tree::List(containers)) = spec.get_mut("containers") else { panic!("containers") };
    let Tree::Map(container) = &mut containers[0] else { panic!("container") };
    let Some(Tree::Map(probe)) = container.get_mut("livenessProbe") else { panic!("probe") };
    probe.insert("#1.4000".into(), raw(4000));
    let bytes = encode_as(Encoding::Protobuf, "v1", "Pod", &tree).expect("encodes");
    assert_eq!(decode(&bytes).expect("decodes").tree, tree);
    // JSON cannot name them.
    let json = encode_as(Encoding::Json, "v1", "Pod", &tree).expect("encodes");
    assert_eq!(decode(&json).expect("decodes").tree, object.tree);
}

#[test]
fn a_forged_unknown_field_is_not_written() {
    let mut fields = match fixture("configmap-owned") {
        Tree::Map(fields) => fields,
        _ => panic!("map"),
    };
    let clean = encode_as(Encoding::Protobuf, "v1", "ConfigMap", &Tree::Map(fields.clone())).expect("encodes");
    for forged in [&b"\xff"[..], b"\x0a\x05abc", b"\x92\xff\x01\x00\x08\x01"] {
        fields.insert("#4130".into(), Tree::Bytes(Vec::from(forged).into()));
        assert_eq!(
            encode_as(Encoding::Protobuf, "v1", "ConfigMap", &Tree::Map(fields.clone())).expect("encodes"),
            clean
        );
    }
}

#[test]
fn unknown_json_fields_survive() {
    let text = br#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","new":{"x":[1,2.5,null,-0.0,123456789012345678901]}},"data":{"k":"v"},"later":true}
"#;
    let object = decode(text).expect("decodes");
    assert_eq!(object.tree.get("later"), Some(&Tree::Bool(true)));
    let bytes = encode_as(Encoding::Json, "v1", "ConfigMap", &object.tree).expect("encodes");
    assert_eq!(decode(&bytes).expect("decodes"), object);
    assert_eq!(String::from_utf8_lossy(&bytes), String::from_utf8_lossy(text));
}

#[test]
fn custom_resources_are_read_without_a_schema() {
    let text = br#"{"apiVersion":"example.org/v1","kind":"Widget","metadata":{"name":"w"},"spec":{"empty":[],"none":null,"f":1.5}}"#;
    let object = decode(text).expect("decodes");
    assert_eq!(object.tree.at(&["spec", "empty"]), Some(&Tree::List(Vec::new())));
    let bytes = encode_as(Encoding::Json, "example.org/v1", "Widget", &object.tree).expect("encodes");
    assert_eq!(decode(&bytes).expect("decodes"), object);
    assert!(matches!(
        encode_as(Encoding::Protobuf, "example.org/v1", "Widget", &object.tree),
        Err(ValueError::UnknownKind { .. })
    ));
}

#[test]
fn opaque_values_are_told_apart() {
    for (value, wanted) in [
        (&b"k8s:enc:aescbc:v1:key1:\x00"[..], Encoding::Ciphertext),
        (b"k8s\0", Encoding::Protobuf),
        (b"{}", Encoding::Json),
        (b"\xd9\xd9\xf7", Encoding::Other),
        (b"17", Encoding::Other),
        (b"", Encoding::Other),
    ] {
        assert_eq!(Encoding::sniff(value), wanted);
        assert!(decode(value).is_err());
    }
}

#[test]
fn a_tree_of_another_shape_is_refused() {
    let tree = |field: &str, value: Tree| Tree::Map([(field.into(), value)].into());
    for (field, value) in [("data", Tree::text("x")), ("immutable", Tree::Int(1)), ("metadata", Tree::List(Vec::new()))]
    {
        for encoding in [Encoding::Protobuf, Encoding::Json] {
            let result = encode_as(encoding, "v1", "ConfigMap", &tree(field, value.clone()));
            assert!(matches!(result, Err(ValueError::Mismatch { .. })), "{result:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Damaged values decode or give an error; they never panic, and what decodes can be written and read again.
    #[test]
    fn damage_never_panics(which in any::<prop::sample::Index>(), json in any::<bool>(), at in any::<prop::sample::Index>(),
                           edit in prop_oneof![(any::<u8>()).prop_map(Some), Just(None)], cut in any::<bool>()) {
        let (_, pb, text) = which.get(fixtures());
        let mut bytes = if json { text.clone() } else { pb.clone() };
        let at = at.index(bytes.len());
        match edit {
            Some(byte) => bytes[at] = byte,
            None if cut => bytes.truncate(at),
            None => drop(bytes.remove(at)),
        }
        if let Ok(object) = decode(&bytes)
            && let Ok(again) = encode(&object)
        {
            prop_assert_eq!(decode(&again), Ok(object));
        }
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), prefix in prop_oneof![Just(&b"k8s\0"[..]), Just(&b"{"[..])]) {
        let _ = decode(&[prefix, &bytes].concat());
    }
}

#[test]
fn nesting_is_bounded() {
    let deep = format!("{{\"apiVersion\":\"a.b/v1\",\"kind\":\"X\",\"a\":{}", "[".repeat(100_000));
    assert!(decode(deep.as_bytes()).is_err());
    let groups = [&b"k8s\0\x0a\x0f\x0a\x02v1\x12\x09ConfigMap\x12\x90\x4e"[..], &[0x7b; 10_000]].concat();
    assert!(decode(&groups).is_err());
}

/// Where go keeps the published API module; None, and a word about it, without go. In CI that is a failure.
fn published_api() -> Option<PathBuf> {
    let module = "k8s.io/api@v0.36.3";
    let download = std::process::Command::new("go").args(["mod", "download", "-json", module]).output();
    match download {
        Ok(answer) if answer.status.success() => {
            let answer: serde_json::Value = serde_json::from_slice(&answer.stdout).expect("go's answer");
            Some(PathBuf::from(answer["Dir"].as_str().expect("Dir")))
        }
        failed => {
            assert!(std::env::var_os("CI").is_none(), "go is needed to fetch {module}: {failed:?}");
            eprintln!("SKIPPED: go, which fetches {module}, is missing or failed");
            None
        }
    }
}

/// Every stored kind with every field filled, as the API's own module keeps them for its compatibility tests.
#[test]
fn upstream_test_data_of_every_kind_decodes_alike_and_is_written_byte_for_byte() {
    let Some(api) = published_api() else { return };
    let dir = api.join("testdata/HEAD");
    let (mut count, mut unknown, mut differ) = (0, Vec::new(), Vec::new());
    for entry in std::fs::read_dir(dir).expect("directory") {
        let path = entry.expect("entry").path();
        if path.extension().is_none_or(|extension| extension != "pb") {
            continue;
        }
        let name = path.file_stem().expect("name").to_string_lossy().into_owned();
        let pb = std::fs::read(&path).expect("pb");
        let from_pb = match decode(&pb) {
            Ok(decoded) => decoded,
            Err(ValueError::UnknownKind { .. }) => {
                unknown.push(name);
                continue;
            }
            Err(error) => panic!("{name}: {error}"),
        };
        let from_json = decode(&std::fs::read(path.with_extension("json")).expect("json")).expect(&name);
        if from_pb.tree != from_json.tree {
            differ.push(format!("{name}: the trees"));
        }
        if encode(&from_pb).expect(&name) != pb {
            differ.push(name.clone());
        }
        let ours = encode(&from_json).expect(&name);
        assert_eq!(decode(&ours).expect(&name), from_json);
        count += 1;
    }
    println!("{count} kinds; not in the table: {unknown:?}");
    assert!(differ.is_empty(), "{differ:?}");
    assert!(count > 90);
}
