use super::*;

fn shape(api_version: &str, kind: &str, path: &[&str]) -> Shape {
    path.iter().fold(lookup(api_version, kind).expect("known").shape(), |shape, step| match *step {
        "[]" => shape.item(),
        field => shape.child(field),
    })
}

fn deployment(path: &[&str]) -> Shape {
    shape("apps/v1", "Deployment", &[&["spec"], path].concat())
}

fn keys(shape: Shape) -> Vec<(&'static str, Option<&'static str>)> {
    match shape.kind() {
        Kind::KeyedList(keys) => keys.iter().map(|key| (key.name, key.default)).collect(),
        other => panic!("{other:?} is no keyed list"),
    }
}

#[test]
fn lists_have_the_keys_of_kubernetes() {
    let container = ["template", "spec", "containers"];
    assert_eq!(keys(deployment(&container)), [("name", Some(""))]);
    let container = [&container[..], &["[]"]].concat();
    let of = |field| deployment(&[&container[..], &[field]].concat());
    assert_eq!(keys(of("ports")), [("containerPort", None), ("protocol", Some("TCP"))]);
    assert_eq!(keys(of("env")), [("name", Some(""))]);
    assert_eq!(of("env").item().kind(), Kind::Atomic);
    assert_eq!(keys(of("volumeMounts")), [("mountPath", Some(""))]);
    assert_eq!(of("args").kind(), Kind::Atomic);
    assert_eq!(of("livenessProbe").kind(), Kind::Atomic);
    assert_eq!(of("resources").kind(), Kind::Atomic);
    assert_eq!(of("securityContext").kind(), Kind::Granular);
    assert_eq!(of("image").kind(), Kind::Atomic);
    assert!(of("image").is_known() && !of("later").is_known());
}

#[test]
fn what_is_validated_together_is_one_register() {
    assert_eq!(deployment(&["strategy"]).kind(), Kind::Atomic);
    assert_eq!(deployment(&["selector"]).kind(), Kind::Atomic);
    let volumes = deployment(&["template", "spec", "volumes"]);
    assert_eq!((keys(volumes), volumes.item().kind()), (vec![("name", Some(""))], Kind::Atomic));
    assert_eq!(
        shape("v1", "Service", &["spec", "type+externalTrafficPolicy+internalTrafficPolicy"]).kind(),
        Kind::Atomic
    );
    assert_eq!(keys(shape("v1", "Service", &["spec", "ports"])), [("port", None), ("protocol", Some("TCP"))]);
}

#[test]
fn metadata_is_keyed_as_its_writers_need() {
    let metadata = |path: &[&str]| shape("v1", "ConfigMap", &[&["metadata"], path].concat());
    assert_eq!(metadata(&["labels", "a"]).kind(), Kind::Atomic);
    assert_eq!(metadata(&["labels"]).kind(), Kind::Granular);
    let names: Vec<_> = keys(metadata(&["managedFields"])).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["manager", "operation", "apiVersion", "subresource"]);
    assert_eq!(metadata(&["managedFields", "[]", "fieldsV1"]).kind(), Kind::FieldSet);
    assert_eq!(keys(metadata(&["ownerReferences"])), [("kind", Some("")), ("name", Some(""))]);
    assert_eq!(metadata(&["finalizers"]).kind(), Kind::Set);
}

#[test]
fn every_group_names_fields_that_exist() {
    for group in GROUPS {
        let (_, _, of) = table::TABLE
            .kinds()
            .filter_map(|(api_version, kind, of)| match of.field("spec")?.scalar {
                Scalar::Message(spec) if spec.name == group.of => Some((api_version, kind, spec)),
                _ => None,
            })
            .next()
            .expect("some kind has the struct as its spec");
        assert!(group.members.iter().all(|member| of.field(member).is_some()), "{}", group.of);
    }
}

#[test]
fn no_scalar_of_a_list_is_lost() {
    // Each stored kind can be walked: the table and the shapes agree on every field name.
    fn walk(of: &'static Type, shape: Shape) {
        for field in &of.fields {
            match field.scalar {
                Scalar::Message(inner) if field.inline => walk(inner, shape),
                _ => assert!(shape.child(field.name).is_known(), "{}.{}", of.name, field.name),
            }
        }
    }
    let mut count = 0;
    for (api_version, kind, of) in table::TABLE.kinds() {
        walk(of, lookup(api_version, kind).expect("known").shape());
        count += 1;
    }
    assert!(count > 90);
}
