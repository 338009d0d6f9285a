//! Sites that write one object and exchange entries.

use super::{Edit, edits, seed, shape};
use archipel_crdt::clock::Hlc;
use archipel_crdt::conflict::Conflict;
use archipel_crdt::dot::{ActorId, Dot, Stamp};
use archipel_crdt::entry::{DeletePolicy, Delivery, Entry, KeyOp};
use archipel_crdt::key::ObjectKey;
use archipel_crdt::object::{LifeInfo, Object, join};
use archipel_crdt::schema::{Kind, Shape};
use archipel_crdt::value::Tree;
use archipel_crdt::version_vector::VersionVector;
use proptest::prelude::*;

/// One step of a run.
#[derive(Clone, Debug)]
pub enum Action {
    /// A site edits the object, or creates it if it does not exist there.
    Write(usize, Edit),
    /// A site creates the object, if it does not exist there.
    Create(usize, u8),
    /// A site deletes the object.
    Delete(usize),
    /// A site takes some of what another has and it has not, in the other's order.
    Pull(usize, usize, usize),
}

/// Runs of up to `length` steps on `sites` sites.
pub fn actions(sites: usize, length: usize) -> impl Strategy<Value = Vec<Action>> {
    let site = move || 0..sites;
    let action = prop_oneof![
        8 => (site(), edits()).prop_map(|(s, e)| Action::Write(s, e)),
        1 => (site(), 0..2u8).prop_map(|(s, v)| Action::Create(s, v)),
        1 => site().prop_map(Action::Delete),
        6 => (site(), site(), 1..6usize).prop_map(|(a, b, n)| Action::Pull(a, b, n)),
    ];
    prop::collection::vec(action, 1..length)
}

/// The key of the one object.
pub fn key() -> ObjectKey {
    ObjectKey { group: "apps".into(), resource: "deployments".into(), name: "web".into() }
}

/// One site.
#[derive(Clone, Debug)]
pub struct Site {
    pub actor: ActorId,
    pub seen: VersionVector,
    pub object: Object,
    pub conflicts: Vec<Conflict>,
    clock: Hlc,
    /// Indexes into [`World::entries`], in the order in which they were applied here.
    applied: Vec<usize>,
}

/// All sites, and every entry with the state that its writer had after it.
#[derive(Clone, Debug)]
pub struct World {
    pub sites: Vec<Site>,
    pub entries: Vec<(Entry, Object)>,
    /// The schema of the object.
    pub shape: Shape,
    /// False for mutants, whose states do not join.
    pub check_join: bool,
    /// False for edits that may take an item's name or image.
    pub check_items: bool,
}

type Verdict = Result<(), String>;

fn require(holds: bool, what: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(what()) }
}

impl World {
    /// `sites` sites with nothing.
    pub fn new(sites: usize) -> World {
        let site = |n| Site {
            actor: ActorId(n as u128 + 1),
            seen: VersionVector::new(),
            object: Object::new(),
            conflicts: vec![],
            clock: Hlc(0),
            applied: vec![],
        };
        World {
            sites: (0..sites).map(site).collect(),
            entries: vec![],
            shape: shape(),
            check_join: true,
            check_items: true,
        }
    }

    /// What a site shows.
    pub fn tree(&self, site: usize) -> Option<Tree> {
        self.sites[site].object.visible().map(|(_, _, tree)| tree)
    }

    pub fn run(&mut self, actions: &[Action]) -> Verdict {
        for action in actions {
            match action {
                Action::Write(site, edit) => match self.tree(*site) {
                    None => self.create(*site, 0)?,
                    Some(old) => {
                        let mut new = old.clone();
                        edit.on(&mut new);
                        self.update(*site, &old, &new)?;
                    }
                },
                Action::Create(site, variant) if self.tree(*site).is_none() => self.create(*site, *variant)?,
                Action::Create(..) => {}
                Action::Delete(site) => self.delete(*site)?,
                Action::Pull(to, from, count) => self.pull(*to, *from, *count)?,
            }
        }
        Ok(())
    }

    pub fn create(&mut self, site: usize, variant: u8) -> Verdict {
        self.create_as(site, &seed(variant))
    }

    /// A local create of any object.
    pub fn create_as(&mut self, site: usize, tree: &Tree) -> Verdict {
        let shape = self.shape;
        let life = LifeInfo { kind: "Deployment".into(), ..LifeInfo::default() };
        self.commit(site, |object, stamp, seen| Some(object.local_create(&key(), life, tree, shape, stamp, seen)))?;
        require(self.tree(site) == Some(tree.clone()), || format!("created {tree:?}, shown {:?}", self.tree(site)))
    }

    /// A local update; afterwards the site shows what was written.
    pub fn update(&mut self, site: usize, old: &Tree, new: &Tree) -> Verdict {
        let shape = self.shape;
        self.commit(site, |object, stamp, seen| object.local_patch(&key(), old, new, shape, stamp, seen))?;
        let (shown, expected) = (self.tree(site), with_unknown_kept(old, new, shape));
        require(shown.as_ref() == Some(&expected), || format!("from {old:?}\nwritten {new:?}\nshown {shown:?}"))
    }

    pub fn delete(&mut self, site: usize) -> Verdict {
        self.commit(site, |object, stamp, seen| object.local_delete(&key(), DeletePolicy::Background, stamp, seen))?;
        require(self.tree(site).is_none(), || "deleted, still shown".into())
    }

    fn commit(
        &mut self,
        site: usize,
        write: impl FnOnce(&mut Object, Stamp, &VersionVector) -> Option<KeyOp>,
    ) -> Verdict {
        let s = &mut self.sites[site];
        let dot = Dot { actor: s.actor, n: s.seen.get(s.actor) + 1 };
        // Clocks that run at different speeds: causally later is greater, and nothing else is promised.
        let hlc = Hlc::tick(s.clock, s.seen.iter().map(|(_, n)| n).sum::<u64>() * (1 + site as u64));
        let deps = s.seen.clone();
        let Some(op) = write(&mut s.object, Stamp { hlc, dot }, &deps) else { return Ok(()) };
        s.clock = hlc;
        s.seen.advance(dot.actor, dot.n);
        let entry = Entry { dot, hlc, deps, epoch: 1, ops: vec![op] };
        let decoded = Entry::decode(&entry.encode()).map_err(|e| e.to_string())?;
        require(decoded == entry, || format!("{entry:?} came back as {decoded:?}"))?;
        s.applied.push(self.entries.len());
        self.entries.push((entry, s.object.clone()));
        self.check_site(site)
    }

    /// Takes up to `count` entries over, each checked against the join of states (P2).
    pub fn pull(&mut self, to: usize, from: usize, count: usize) -> Verdict {
        let missing: Vec<usize> = self.sites[from]
            .applied
            .iter()
            .copied()
            .filter(|&i| self.entries[i].0.delivery(&self.sites[to].seen) != Delivery::Stale)
            .take(count)
            .collect();
        for i in missing {
            self.deliver(to, i)?;
        }
        Ok(())
    }

    fn deliver(&mut self, to: usize, i: usize) -> Verdict {
        let (entry, after) = &self.entries[i];
        let s = &mut self.sites[to];
        require(entry.delivery(&s.seen) == Delivery::Ready, || "entries of a site are in causal order".into())?;
        let mut their_seen = entry.deps.clone();
        their_seen.advance(entry.dot.actor, entry.dot.n);
        let joined = join(&s.object, &s.seen, after, &their_seen);
        for op in &entry.ops {
            s.conflicts.extend(s.object.apply(op, entry.stamp(), &entry.deps).conflicts);
        }
        require(!self.check_join || s.object == joined, || {
            format!("P2: {entry:?}\napplied {:?}\njoined {joined:?}", s.object)
        })?;
        s.seen.advance(entry.dot.actor, entry.dot.n);
        s.clock = s.clock.max(entry.hlc);
        s.applied.push(i);
        self.check_site(to)
    }

    /// What holds for every state: its stored form comes back, and no item is shown by halves.
    fn check_site(&self, site: usize) -> Verdict {
        let object = &self.sites[site].object;
        let decoded = Object::decode(&object.encode()).map_err(|e| e.to_string())?;
        require(decoded == *object, || format!("{object:?} came back as {decoded:?}"))?;
        match self.tree(site) {
            Some(tree) if self.check_items => whole_items(&tree),
            _ => Ok(()),
        }
    }

    /// Everybody takes everything; then all states are equal, to the byte (P3).
    pub fn converge(&mut self) -> Verdict {
        let n = self.sites.len();
        for (to, from) in (0..n).flat_map(|to| (0..n).map(move |from| (to, from))).chain((0..n).map(|to| (to, n - 1))) {
            self.pull(to, from, usize::MAX)?;
        }
        let first = &self.sites[0];
        for s in &self.sites {
            require(s.seen == first.seen, || "everything was exchanged".into())?;
            require(s.object.encode() == first.object.encode(), || {
                format!("diverged:\n{:?}\n{:?}", s.object, first.object)
            })?;
        }
        Ok(())
    }
}

/// What a site shows after `new` was written over `old`: fields of no schema are never deleted by being absent (L3).
pub fn with_unknown_kept(old: &Tree, new: &Tree, shape: Shape) -> Tree {
    let (Tree::Map(old), Tree::Map(new), Kind::Granular) = (old, new, shape.kind()) else { return new.clone() };
    let mut out = new.clone();
    for (name, before) in old {
        let child = shape.child(name);
        match new.get(name) {
            Some(after) => _ = out.insert(name.clone(), with_unknown_kept(before, after, child)),
            None if !child.is_known() => _ = out.insert(name.clone(), before.clone()),
            None => {}
        }
    }
    Tree::Map(out)
}

/// The edits never take the name or image of a container, the name of an env item or the number of a port.
fn whole_items(tree: &Tree) -> Verdict {
    let items = |tree: &Tree, name: &str| match tree.get(name) {
        Some(Tree::List(items)) => items.clone(),
        _ => vec![],
    };
    for container in tree.get("spec").map(|spec| items(spec, "containers")).unwrap_or_default() {
        let whole = container.get("name").is_some()
            && container.get("image").is_some()
            && items(&container, "env").iter().all(|env| env.get("name").is_some() && env.get("value").is_some())
            && items(&container, "ports").iter().all(|port| port.get("containerPort").is_some());
        require(whole, || format!("half an item: {container:?}"))?;
    }
    Ok(())
}
