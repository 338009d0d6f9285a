//! The laws on objects that Kubernetes' own serializers wrote, with the schema table of its API: what is a keyed list or
//! atomic there is so here.

mod model;

use archipel_crdt::lens;
use archipel_crdt::object::{Form, Path, Step, Value, diff};
use archipel_crdt::schema::{Shape, lookup};
use archipel_crdt::value::{Tree, decode};
use model::{World, mutate};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use std::sync::OnceLock;

type Fixture = (String, Tree, Shape);

fn fixtures() -> &'static [Fixture] {
    static FIXTURES: OnceLock<Vec<Fixture>> = OnceLock::new();
    FIXTURES.get_or_init(|| {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/src/value/fixtures");
        let mut found: Vec<Fixture> = std::fs::read_dir(dir)
            .expect("fixtures")
            .map(|entry| entry.expect("entry").path())
            .filter(|path| path.extension().is_some_and(|e| e == "pb"))
            .flat_map(|path| {
                let object = decode(&std::fs::read(&path).expect("fixture")).expect("decodes");
                let shape = lookup(&object.api_version, &object.kind).expect("a known kind").shape();
                let name = path.display().to_string();
                // Whole, and as the lens projects it: without local fields, co-atomic fields in one.
                [
                    (format!("{name} projected"), lens::project(&object), lens::shape(&object)),
                    (name, object.tree, shape),
                ]
            })
            .collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        assert!(found.len() > 15, "fixtures are missing");
        found
    })
}

fn fixture() -> impl Strategy<Value = usize> {
    0..fixtures().len()
}

fn fail(what: String) -> TestCaseError {
    TestCaseError::fail(what)
}

fn config(cases: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(cases);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn world_of(sites: usize, fixture: usize) -> Result<World, TestCaseError> {
    let (_, tree, shape) = fixtures().get(fixture).expect("one of the fixtures");
    let mut world = World::new(sites);
    world.shape = *shape;
    world.check_items = false;
    world.create_as(0, tree).and_then(|()| world.converge()).map_err(fail)?;
    Ok(world)
}

/// Taking an object apart loses nothing.
#[test]
fn real_objects_come_back_from_their_parts() {
    for (name, tree, shape) in fixtures() {
        assert_eq!(&Form::of(tree, *shape).tree(), tree, "{name}");
    }
}

/// What a single-field change of a real Deployment costs on the wire: at most 150 bytes.
#[test]
fn an_image_change_of_a_real_deployment_is_one_small_write() {
    let which =
        fixtures().iter().position(|(name, ..)| name.ends_with("/deployment.pb projected")).expect("deployment");
    let (_, tree, shape) = fixtures().get(which).expect("found above");
    let mut new = tree.clone();
    let Tree::Map(root) = &mut new else { panic!("an object") };
    let spec = ["spec", "template", "spec"].iter().fold(root, |map, name| match map.get_mut(*name) {
        Some(Tree::Map(inner)) => inner,
        _ => panic!("{name}"),
    });
    let Some(Tree::List(containers)) = spec.get_mut("containers") else { panic!("containers") };
    let Tree::Map(container) = &mut containers[0] else { panic!("container") };
    container.insert("image".into(), Tree::text("nginx:1.30.1"));
    let patch = diff(tree, &new, *shape);
    assert_eq!((patch.set.len(), patch.del.len()), (1, 0), "{patch:?}");
    assert!(patch.set[0].0.to_string().ends_with("/image"), "{}", patch.set[0].0);
    let mut world = world_of(2, which).expect("converges");
    world.update(1, tree, &new).expect("shown as written");
    let (entry, _) = world.entries.last().expect("an entry");
    assert!(entry.encode().len() <= 150, "{} bytes", entry.encode().len());
}

proptest! {
    #![proptest_config(config(150))]

    /// P1 to P3 on real kinds: apply equals join, what is written is what is shown, all sites end equal.
    #[test]
    fn real_objects_converge(
        which in fixture(),
        run in prop::collection::vec((0..3usize, 0..3usize, any::<u64>()), 1..30),
    ) {
        let mut world = world_of(3, which)?;
        for (site, other, choice) in run {
            if site == other {
                let old = world.tree(site).expect("nobody deletes it");
                let mut new = old.clone();
                mutate(&mut new, world.shape, choice);
                world.update(site, &old, &new).map_err(fail)?;
            } else {
                world.pull(site, other, 1 + (choice % 4) as usize).map_err(fail)?;
            }
        }
        world.converge().map_err(fail)?;
    }
}

proptest! {
    #![proptest_config(config(1_000))]

    /// P6 on real kinds: of two edits of different places both survive.
    #[test]
    fn disjoint_edits_of_real_objects_both_survive(which in fixture(), one: u64, two: u64) {
        let (_, old, shape) = &fixtures()[which];
        let edit = |choice| {
            let mut new = old.clone();
            mutate(&mut new, *shape, choice);
            let patch = diff(old, &new, *shape);
            (new, patch)
        };
        let ((by_one, first), (by_two, second)) = (edit(one), edit(two));
        let places = |patch: &archipel_crdt::object::Patch| {
            patch.set.iter().map(|(path, _)| path).chain(&patch.del).cloned().collect::<Vec<Path>>()
        };
        let apart = |a: &Path, b: &Path| !a.0.starts_with(&b.0) && !b.0.starts_with(&a.0);
        if !places(&first).iter().all(|a| places(&second).iter().all(|b| apart(a, b))) {
            return Ok(());
        }
        let mut world = world_of(2, which)?;
        world.update(0, old, &by_one).map_err(fail)?;
        world.update(1, old, &by_two).map_err(fail)?;
        world.converge().map_err(fail)?;
        let merged = Form::of(&world.tree(0).expect("nobody deletes it"), *shape);
        for (new, patch) in [(&by_one, &first), (&by_two, &second)] {
            let new = Form::of(new, *shape);
            for (path, value) in &patch.set {
                if !matches!(value, Value::Order(_)) {
                    prop_assert_eq!(at(&merged, path), at(&new, path), "{} of {:?}", path, patch);
                }
            }
            for path in &patch.del {
                prop_assert_eq!(at(&merged, path), None, "{} of {:?}", path, patch);
            }
        }
        prop_assert!(world.sites.iter().all(|s| s.conflicts.is_empty()));
    }
}

fn at<'a>(form: &'a Form, path: &Path) -> Option<&'a Form> {
    path.0.iter().try_fold(form, |form, step| match (form, step) {
        (Form::Map(fields), Step::Field(name)) => fields.get(name),
        (Form::List(items), Step::Item(key)) => items.iter().find(|(k, _)| k == key).map(|(_, form)| form),
        _ => None,
    })
}
