//! The laws of the CRDT, on objects like Kubernetes' own.
//!
//! What could go wrong: two sites that have seen the same changes show different objects, a change disappears that nobody
//! overwrote, or an object appears that no order of the changes could have made. Runs are random, their order of delivery
//! is any that respects causality, and what fails is shrunk to a short run.

mod model;

use archipel_crdt::conflict::Rule;
use archipel_crdt::object::{Object, Step, diff, join};
use archipel_crdt::value::Tree;
use archipel_crdt::version_vector::VersionVector;
use model::{Edit, World, actions, edits, seed, shape, with_unknown_kept};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

/// A few seconds by default; `PROPTEST_CASES=20000` for a long run.
fn config(cases: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(cases);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn fail(what: String) -> TestCaseError {
    TestCaseError::fail(what)
}

type State = (Object, VersionVector);

fn both(a: &State, b: &State) -> State {
    let mut seen = a.1.clone();
    seen.join(&b.1);
    (join(&a.0, &a.1, &b.0, &b.1), seen)
}

proptest! {
    #![proptest_config(config(300))]

    /// P3, and on the way P2 (apply equals join), what is written is what is shown, no half items, and all codecs.
    #[test]
    fn three_sites_converge_whatever_the_order(run in actions(3, 60)) {
        let mut world = World::new(3);
        world.run(&run).and_then(|()| world.converge()).map_err(fail)?;
    }

    /// P1: join is commutative, associative and idempotent, and only grows.
    #[test]
    fn join_is_a_semilattice(run in actions(3, 50)) {
        let mut world = World::new(3);
        world.run(&run).map_err(fail)?;
        let [a, b, c]: [State; 3] = std::array::from_fn(|i| (world.sites[i].object.clone(), world.sites[i].seen.clone()));
        let ab = both(&a, &b);
        prop_assert_eq!(&ab, &both(&b, &a));
        prop_assert_eq!(&both(&ab, &c), &both(&a, &both(&b, &c)));
        prop_assert_eq!(&both(&a, &a), &a);
        prop_assert_eq!(&both(&ab, &a), &ab);
        // State sync and the exchange of entries end in one state.
        let all = both(&ab, &c);
        world.converge().map_err(fail)?;
        prop_assert_eq!(&all.0, &world.sites[0].object);
    }

    /// P1, with states of different moments: an old state of a site adds nothing to a newer one.
    #[test]
    fn old_states_add_nothing(run in actions(3, 40), at in 0..40usize) {
        let mut world = World::new(3);
        let (before, after) = run.split_at(at.min(run.len()));
        world.run(before).map_err(fail)?;
        let old: Vec<State> = world.sites.iter().map(|s| (s.object.clone(), s.seen.clone())).collect();
        world.run(after).map_err(fail)?;
        for (site, old) in world.sites.iter().zip(&old) {
            let new = (site.object.clone(), site.seen.clone());
            prop_assert_eq!(&both(&new, old), &new);
            prop_assert_eq!(&both(old, &new), &new);
        }
    }
}

proptest! {
    #![proptest_config(config(2_000))]

    /// P6: of two concurrent edits of different places both survive: the merged object is the one that the second edit
    /// makes of the first one's result.
    #[test]
    fn disjoint_edits_both_survive(base in prop::collection::vec(edits(), 0..12), one in edits(), two in edits()) {
        let Some((mut world, object)) = two_sites(&base).map_err(fail)? else { return Ok(()) };
        let mut by_one = object.clone();
        one.on(&mut by_one);
        let mut by_two = object.clone();
        two.on(&mut by_two);
        if !disjoint(&object, &by_one, &by_two) {
            return Ok(());
        }
        world.update(0, &object, &by_one).map_err(fail)?;
        world.update(1, &object, &by_two).map_err(fail)?;
        world.converge().map_err(fail)?;
        let mut serial = by_one.clone();
        two.on(&mut serial);
        let merged = world.tree(0).ok_or_else(|| fail("the object is gone".into()))?;
        let serial = with_unknown_kept(&object, &serial, shape());
        prop_assert_eq!(in_any_order(&merged), in_any_order(&serial));
        prop_assert!(world.sites.iter().all(|s| s.conflicts.is_empty()));
    }

    /// P7: whatever two sites do concurrently, some order of both edits on one cluster would have given the merged
    /// object; and where an edit's value is not shown, a conflict tells of it. Field sets are united instead (M22).
    #[test]
    fn a_merge_is_explained_by_an_order(base in prop::collection::vec(edits(), 0..12), one in edits(), two in edits()) {
        let Some((mut world, object)) = two_sites(&base).map_err(fail)? else { return Ok(()) };
        let after = |first: &Edit, second: Option<&Edit>| {
            let mut tree = object.clone();
            first.on(&mut tree);
            second.into_iter().for_each(|edit| edit.on(&mut tree));
            tree
        };
        world.update(0, &object, &after(&one, None)).map_err(fail)?;
        world.update(1, &object, &after(&two, None)).map_err(fail)?;
        world.converge().map_err(fail)?;
        let merged = world.tree(0).ok_or_else(|| fail("the object is gone".into()))?;
        let merged = in_any_order(&merged);
        let explained = [after(&one, Some(&two)), after(&two, Some(&one))]
            .iter()
            .any(|serial| in_any_order(&with_unknown_kept(&object, serial, shape())) == merged);
        // No order explains one half of a place that is a list or map to one writer and one register to the other.
        let restructured = matches!((&one, &two), (Edit::Extra(..), Edit::Extra(..))) && !world.sites[0].conflicts.is_empty();
        // Nor the list that has duplicate keys for one of them, and so is written whole, beside another's change of it.
        let twice = |edit: &Edit| matches!(edit, Edit::TwiceEnv(..));
        let env = |edit: &Edit| matches!(edit, Edit::TwiceEnv(..) | Edit::Env(..) | Edit::Unenv(..));
        let rewritten = twice(&one) || twice(&two) || (base.iter().any(twice) && env(&one) && env(&two));
        let united = matches!((&one, &two), (Edit::FieldSet(..), Edit::FieldSet(..)));
        prop_assert!(explained || restructured || rewritten || united, "{:?}", merged);
        // Both sites tell of the same conflicts; of what a removal took, each tells what it saw.
        let told = |site: usize| {
            let conflicts = world.sites[site].conflicts.iter().cloned();
            conflicts.map(|c| if c.rule == Rule::LostToRemoval { None } else { Some(c) }).collect::<Vec<_>>()
        };
        prop_assert_eq!(told(0), told(1));
    }

    /// A difference leads from the old to the new value, and mentions nothing else.
    #[test]
    fn equal_values_do_not_differ(base in prop::collection::vec(edits(), 0..20)) {
        let mut tree = seed(0);
        base.iter().for_each(|edit| edit.on(&mut tree));
        prop_assert!(diff(&tree, &tree.clone(), shape()).is_empty());
    }
}

/// Two sites that show the same edited object.
fn two_sites(base: &[Edit]) -> Result<Option<(World, Tree)>, String> {
    let mut world = World::new(2);
    world.create(0, 0)?;
    for edit in base {
        let Some(old) = world.tree(0) else { return Ok(None) };
        let mut new = old.clone();
        edit.on(&mut new);
        world.update(0, &old, &new)?;
    }
    world.converge()?;
    Ok(world.tree(0).map(|tree| (world, tree)))
}

/// True if both edits change something, and no place of one is at or below a place of the other.
fn disjoint(old: &Tree, one: &Tree, two: &Tree) -> bool {
    let places = |new| {
        let patch = diff(old, new, shape());
        patch
            .set
            .into_iter()
            .map(|(path, _)| path.0)
            .chain(patch.del.into_iter().map(|path| path.0))
            .collect::<Vec<_>>()
    };
    let (one, two) = (places(one), places(two));
    let apart = |a: &Vec<Step>, b: &Vec<Step>| !a.starts_with(b) && !b.starts_with(a);
    !one.is_empty() && !two.is_empty() && one.iter().all(|a| two.iter().all(|b| apart(a, b)))
}

/// The value with every list sorted: which of two concurrent additions stands first is not part of the promise.
fn in_any_order(tree: &Tree) -> Tree {
    match tree {
        Tree::List(items) => {
            let mut items: Vec<Tree> = items.iter().map(in_any_order).collect();
            items.sort();
            Tree::List(items)
        }
        Tree::Map(fields) => Tree::Map(fields.iter().map(|(name, v)| (name.clone(), in_any_order(v))).collect()),
        other => other.clone(),
    }
}
