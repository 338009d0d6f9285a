//! The outcomes of concurrent pairs, one by one, and the proof that the laws notice an item without presence.

#[path = "../../tests/model/mod.rs"]
mod model;

use super::presence::mutant;
use super::{Object, Patch, Path, Value, diff};
use crate::conflict::Rule;
use crate::value::Tree;
use model::{Edit, World, actions, seed, shape};
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

/// Sites that share one object, made at the first and edited there.
fn shared(sites: usize, edits: &[Edit]) -> World {
    let mut world = World::new(sites);
    world.create(0, 0).unwrap();
    edits.iter().for_each(|edit| write(&mut world, 0, edit));
    world.converge().unwrap();
    world
}

fn write(world: &mut World, site: usize, edit: &Edit) {
    let old = world.tree(site).expect("the object exists");
    let mut new = old.clone();
    edit.on(&mut new);
    world.update(site, &old, &new).unwrap();
}

fn merged(world: &mut World) -> Tree {
    world.converge().unwrap();
    world.tree(0).expect("the object exists")
}

/// `seed(0)` after these edits.
fn expected(edits: &[Edit]) -> Tree {
    let mut tree = seed(0);
    edits.iter().for_each(|edit| edit.on(&mut tree));
    tree
}

fn rules(world: &World, site: usize) -> Vec<(Rule, String)> {
    world.sites[site].conflicts.iter().map(|c| (c.rule, c.path.clone())).collect()
}

#[test]
fn writes_of_one_place_show_the_later_and_tell_both_sites() {
    let mut world = shared(2, &[]);
    write(&mut world, 0, &Edit::Image(0, 1));
    write(&mut world, 1, &Edit::Image(0, 2));
    merged(&mut world);
    for site in 0..2 {
        let [conflict] = &world.sites[site].conflicts[..] else { panic!("one conflict") };
        assert_eq!((conflict.rule, &*conflict.path), (Rule::ConcurrentWrite, "spec/containers[c0]/image"));
        let winner = conflict.winner.as_ref().expect("something is shown");
        assert!(winner.stamp > conflict.loser.stamp);
        assert_ne!(winner.tree, conflict.loser.tree);
    }
    // Who writes next has seen both.
    write(&mut world, 0, &Edit::Image(0, 3));
    assert_eq!(merged(&mut world), expected(&[Edit::Image(0, 3)]));
}

#[test]
fn equal_writes_are_no_conflict() {
    let mut world = shared(2, &[]);
    write(&mut world, 0, &Edit::Image(0, 4));
    write(&mut world, 1, &Edit::Image(0, 4));
    assert_eq!(merged(&mut world), expected(&[Edit::Image(0, 4)]));
    assert!(rules(&world, 0).is_empty() && rules(&world, 1).is_empty());
}

#[test]
fn delete_beats_a_concurrent_update_and_both_sites_tell_what_was_lost() {
    let mut world = shared(2, &[]);
    world.delete(0).unwrap();
    write(&mut world, 1, &Edit::Image(0, 5));
    world.converge().unwrap();
    assert!(world.tree(0).is_none());
    assert!(world.sites[0].object.is_empty(), "no tombstone is left");
    assert_eq!(rules(&world, 0), [(Rule::LostToDelete, "spec/containers[c0]/image".into())]);
    assert_eq!(rules(&world, 1), [(Rule::LostToDelete, String::new())]);
}

#[test]
fn a_new_life_survives_the_concurrent_delete_of_the_old_one() {
    let mut world = shared(2, &[]);
    world.delete(0).unwrap();
    world.create(0, 1).unwrap();
    world.delete(1).unwrap();
    world.converge().unwrap();
    assert_eq!(world.tree(1), Some(seed(1)));
}

#[test]
fn equal_concurrent_creates_unify_silently() {
    let mut world = World::new(2);
    world.create(0, 0).unwrap();
    world.create(1, 0).unwrap();
    assert_eq!(merged(&mut world), seed(0));
    assert!(rules(&world, 0).is_empty() && rules(&world, 1).is_empty());
    assert_eq!(world.sites[0].object.losers().count(), 1);
}

#[test]
fn of_different_concurrent_creates_the_earliest_stands_until_a_write_that_saw_both() {
    let mut world = World::new(2);
    world.create(0, 0).unwrap();
    world.create(1, 1).unwrap();
    assert_eq!(merged(&mut world), seed(0));
    for site in 0..2 {
        assert_eq!(rules(&world, site), [(Rule::ConcurrentCreate, String::new())]);
    }
    write(&mut world, 1, &Edit::Replicas(3));
    assert_eq!(merged(&mut world), expected(&[Edit::Replicas(3)]));
    assert_eq!(world.sites[0].object.losers().count(), 0);
}

/// What went wrong in a simpler design: content that outlived its removed item appeared in a later item of the same key,
/// at sites where it arrived after the item's return, and only there.
#[test]
fn a_change_inside_a_removed_item_never_enters_its_successor() {
    let again = [Edit::RemoveContainer(0), Edit::AddContainer(0, 4)];
    let mut world = shared(3, &[]);
    write(&mut world, 1, &Edit::Args(0, 1));
    again.iter().for_each(|edit| write(&mut world, 0, edit));
    // Site 2 sees: removal, change, return. The others: change, removal, return; removal, return, change.
    world.pull(2, 0, 1).unwrap();
    world.pull(2, 1, 1).unwrap();
    assert_eq!(merged(&mut world), expected(&again));
    for site in [0, 2] {
        assert_eq!(rules(&world, site), [(Rule::LostToRemoval, "spec/containers[c0]/args".into())]);
    }
    assert_eq!(rules(&world, 1), [(Rule::LostToRemoval, "spec/containers[c0]".into())]);
}

#[test]
fn an_item_added_again_survives_a_concurrent_removal() {
    let again = [Edit::RemoveContainer(0), Edit::AddContainer(0, 4)];
    let mut world = shared(2, &[]);
    again.iter().for_each(|edit| write(&mut world, 0, edit));
    write(&mut world, 1, &Edit::RemoveContainer(0));
    assert_eq!(merged(&mut world), expected(&again));
}

#[test]
fn an_item_added_twice_is_one_item_and_stays_one() {
    let mut world = shared(2, &[]);
    write(&mut world, 0, &Edit::AddContainer(1, 1));
    write(&mut world, 0, &Edit::Args(1, 1));
    write(&mut world, 1, &Edit::AddContainer(1, 2));
    let both = merged(&mut world);
    let newest = [Edit::AddContainer(1, 2), Edit::Args(1, 1)];
    let oldest = [Edit::AddContainer(1, 1), Edit::Args(1, 1)];
    assert!(both == expected(&newest) || both == expected(&oldest), "{both:?}");
    assert_eq!(rules(&world, 0), [(Rule::ConcurrentWrite, "spec/containers[c1]/image".into())]);
    // A later change goes into both births, a later removal takes both.
    write(&mut world, 1, &Edit::Image(1, 3));
    assert_eq!(merged(&mut world), expected(&[Edit::AddContainer(1, 3), Edit::Args(1, 1)]));
    write(&mut world, 0, &Edit::RemoveContainer(1));
    assert_eq!(merged(&mut world), seed(0));
}

#[test]
fn sets_are_observed_remove() {
    let mut world = shared(2, &[Edit::Element(0), Edit::Element(1)]);
    write(&mut world, 0, &Edit::Unelement(0));
    write(&mut world, 1, &Edit::Element(2));
    assert_eq!(merged(&mut world), expected(&[Edit::Element(1), Edit::Element(2)]));
}

#[test]
fn the_written_order_is_shown_also_when_an_item_returns() {
    let mut world = shared(2, &[Edit::AddContainer(1, 1), Edit::AddContainer(2, 2), Edit::Reverse]);
    // `World::update` itself requires that what was written is what is shown.
    for edit in [Edit::RemoveContainer(2), Edit::AddContainer(2, 5), Edit::RemoveContainer(1), Edit::Reverse] {
        write(&mut world, 1, &edit);
        let here = world.tree(1).unwrap();
        assert_eq!(merged(&mut world), here);
    }
}

#[test]
fn an_empty_map_is_there_until_it_is_deleted() {
    let mut world = shared(2, &[Edit::EmptyDir(0, 0)]);
    assert_eq!(merged(&mut world), expected(&[Edit::EmptyDir(0, 0)]));
    write(&mut world, 1, &Edit::EmptyDir(0, 1));
    write(&mut world, 1, &Edit::EmptyDir(0, 0));
    assert_eq!(merged(&mut world), expected(&[Edit::EmptyDir(0, 0)]));
    write(&mut world, 0, &Edit::EmptyDir(0, 2));
    assert_eq!(merged(&mut world), seed(0));
}

#[test]
fn concurrent_field_sets_are_shown_united() {
    let mut world = shared(2, &[Edit::FieldSet(0, 1)]);
    write(&mut world, 0, &Edit::FieldSet(0, 3));
    write(&mut world, 1, &Edit::FieldSet(0, 2));
    let tree = merged(&mut world);
    let Some(Tree::List(managers)) = tree.at(&["metadata", "managedFields"]) else { panic!("managedFields") };
    let united = Tree::Raw(br#"{"f:spec":{"f:2":{},"f:3":{}}}"#.as_slice().into());
    assert_eq!(managers[0].get("fieldsV1"), Some(&united));
    assert!(rules(&world, 0).is_empty());
}

#[test]
fn absence_of_unknown_content_deletes_nothing() {
    let old = expected(&[Edit::Extra(0, 5), Edit::Label(1, 1)]);
    let Patch { set, del } = diff(&old, &seed(0), shape());
    assert!(set.is_empty());
    assert_eq!(del.iter().map(Path::to_string).collect::<Vec<_>>(), ["metadata/labels/l1"]);
}

#[test]
fn a_list_with_a_duplicate_key_is_one_register_and_becomes_a_list_again() {
    let mut world = shared(2, &[Edit::TwiceEnv(0, 1)]);
    assert_eq!(merged(&mut world), expected(&[Edit::TwiceEnv(0, 1)]));
    write(&mut world, 1, &Edit::Unenv(0, 1));
    write(&mut world, 0, &Edit::Env(0, 0, 3));
    let patches = [Edit::Unenv(0, 1), Edit::Env(0, 0, 3)];
    let both = merged(&mut world);
    // One place, two structures: one of both is shown, the other recorded.
    assert!(both == expected(&patches[..1]) || both == expected(&[Edit::TwiceEnv(0, 1), Edit::Env(0, 0, 3)]));
    assert_eq!(rules(&world, 0), [(Rule::ConcurrentWrite, "spec/containers[c0]/env".into())]);
}

#[test]
fn a_single_field_is_one_write() {
    let patch = diff(&seed(0), &expected(&[Edit::Image(0, 3)]), shape());
    let [(path, Value::Write(form))] = &patch.set[..] else { panic!("one write: {patch:?}") };
    assert_eq!((path.to_string().as_str(), form.tree()), ("spec/containers[c0]/image", Tree::text("i3")));
    assert!(patch.del.is_empty());
}

#[test]
fn stored_states_that_were_cut_or_changed_are_read_without_panic() {
    let mut world = shared(2, &[Edit::Element(0), Edit::Reverse, Edit::Port(0, 1, true, 1), Edit::FieldSet(0, 0)]);
    write(&mut world, 0, &Edit::Image(0, 1));
    write(&mut world, 1, &Edit::Image(0, 2));
    merged(&mut world);
    let bytes = world.sites[0].object.encode();
    let body = &bytes[..bytes.len() - 4];
    let sealed = |body: &[u8]| [body, &crc32fast::hash(body).to_le_bytes()].concat();
    for at in 0..body.len() {
        assert!(Object::decode(&bytes[..at]).is_err());
        assert!(Object::decode(&sealed(&body[..at])).is_err());
        for value in [0, 1, 0x7f, 0xff, body[at] ^ 1, body[at] ^ 0x40] {
            let mut changed = body.to_vec();
            changed[at] = value;
            if let Ok(object) = Object::decode(&sealed(&changed)) {
                let _ = (object.visible(), object.encode());
            }
        }
    }
}

/// The checker is checked: without presence a change inside a removed item brings back half of it. The laws must find
/// such runs, and must find none with the real rules.
#[test]
fn the_mutant_without_presence_breaks_the_laws() {
    let search = || {
        let config = Config { cases: 300, failure_persistence: None, ..Config::default() };
        TestRunner::new(config).run(&actions(3, 40), |run| {
            let mut world = World::new(3);
            world.check_join = false;
            world.run(&run).and_then(|()| world.converge()).map_err(TestCaseError::fail)
        })
    };
    search().expect("the real rules keep the laws");
    let found = mutant::with(search);
    assert!(matches!(found, Err(TestError::Fail(..))), "the laws did not notice the mutant: {found:?}");

    let half_an_item = || {
        let mut world = shared(2, &[]);
        world.check_join = false;
        write(&mut world, 0, &Edit::RemoveContainer(0));
        write(&mut world, 1, &Edit::Args(0, 1));
        world.converge()
    };
    half_an_item().expect("the removal takes the whole item");
    let found = mutant::with(half_an_item).expect_err("half an item came back");
    assert!(found.contains("half an item"), "{found}");
}
