//! The stored form of a state: every actor and every stamp once, then the lives. Equal states have equal bytes.

use super::form::Leaf;
use super::life::{Life, LifeInfo, Object};
use super::node::{Item, List, Node};
use super::path::ItemKey;
use super::register::Register;
use super::sorted::Sorted;
use crate::codec::{ActorTable, DecodeError, Reader, Writer};
use crate::dot::{ActorId, Stamp};
use crate::value::Tree;
use std::collections::BTreeSet;

const FORMAT: u8 = 1;

/// Bits of a place's header.
const ONE_VALUE: u8 = 1;
const MANY_VALUES: u8 = 2;
const FIELDS: u8 = 4;
const LIST: u8 = 8;

impl Object {
    /// The stored form, with a checksum.
    pub fn encode(&self) -> Vec<u8> {
        let mut stamps: Vec<Stamp> = Vec::new();
        // Most of a state was written together, so most stamps follow their equals.
        let mut note = |stamp| {
            if stamps.last() != Some(&stamp) {
                stamps.push(stamp);
            }
        };
        for life in self.lives.values() {
            note(life.born);
            life.root.each_stamp(&mut note);
        }
        stamps.sort_unstable();
        stamps.dedup();
        let actors: BTreeSet<ActorId> = stamps.iter().map(|stamp| stamp.dot.actor).collect();
        let actors = ActorTable(actors.into_iter().collect());
        let mut w = Writer::new();
        w.byte(FORMAT);
        w.count(actors.0.len());
        actors.0.iter().for_each(|&actor| w.actor(actor));
        w.count(stamps.len());
        stamps.iter().for_each(|&stamp| actors.write_stamp(&mut w, stamp));
        w.count(self.lives.len());
        for life in self.lives.values() {
            write_stamp(life.born, &stamps, 0, &mut w);
            life.info.write(&mut w);
            life.root.write_state(&stamps, &mut w);
        }
        w.into_checked_bytes()
    }

    /// Reads a stored form.
    ///
    /// # Errors
    /// If the bytes were not made by [`Object::encode`].
    pub fn decode(bytes: &[u8]) -> Result<Object, DecodeError> {
        let mut r = Reader::checked(bytes)?;
        match r.byte()? {
            FORMAT => {}
            other => return Err(DecodeError::Version(other)),
        }
        let actors = (0..r.count()?).map(|_| r.actor()).collect::<Result<_, _>>().map(ActorTable)?;
        let stamps: Vec<Stamp> = (0..r.count()?).map(|_| actors.read_stamp(&mut r)).collect::<Result<_, _>>()?;
        let n = r.count()?;
        let lives = read_sorted(&mut r, n, |r| {
            let (born, _) = read_stamp(r, &stamps)?;
            let life = Life { born, info: LifeInfo::read(r)?, root: Node::read_state(&stamps, r)? };
            Ok((born.dot, life))
        })?;
        r.finish()?;
        Ok(Object { lives })
    }
}

/// A stamp as its position in the table, with one bit beside it.
fn write_stamp(stamp: Stamp, stamps: &[Stamp], bit: u64, w: &mut Writer) {
    let index = stamps.binary_search(&stamp).expect("invariant: the table was made of every stamp of the state");
    w.varint(((index as u64) << 1) | bit);
}

fn read_stamp(r: &mut Reader<'_>, stamps: &[Stamp]) -> Result<(Stamp, bool), DecodeError> {
    let head = r.varint()?;
    let stamp = usize::try_from(head >> 1).ok().and_then(|index| stamps.get(index));
    Ok((*stamp.ok_or(DecodeError::Malformed("stamp index"))?, head & 1 == 1))
}

impl Node {
    fn write_state(&self, stamps: &[Stamp], w: &mut Writer) {
        let values = self.register.siblings();
        let mut header = match values.len() {
            0 => 0,
            1 => ONE_VALUE,
            _ => MANY_VALUES,
        };
        header |= if self.fields.is_empty() { 0 } else { FIELDS };
        header |= if self.list.is_none() { 0 } else { LIST };
        w.byte(header);
        if header & MANY_VALUES != 0 {
            w.count(values.len());
        }
        for (stamp, leaf) in values {
            write_stamp(*stamp, stamps, leaf.united.into(), w);
            leaf.tree.write(w);
        }
        if header & FIELDS != 0 {
            w.count(self.fields.len());
            for (name, child) in self.fields.iter() {
                w.text(name);
                child.write_state(stamps, w);
            }
        }
        if let Some(list) = &self.list {
            list.write_state(stamps, w);
        }
    }

    fn read_state(stamps: &[Stamp], r: &mut Reader<'_>) -> Result<Node, DecodeError> {
        let header = r.byte()?;
        let values = match header & (ONE_VALUE | MANY_VALUES) {
            0 => 0,
            ONE_VALUE => 1,
            _ => r.count()?,
        };
        let register = read_register(r, stamps, values, |r, united| Ok(Leaf { tree: r.nested(Tree::read)?, united }))?;
        let mut node = Node { register, ..Node::default() };
        if header & FIELDS != 0 {
            let n = r.count()?;
            node.fields = read_sorted(r, n, |r| Ok((r.text()?, r.nested(|r| Node::read_state(stamps, r))?)))?;
        }
        if header & LIST != 0 {
            node.list = Some(Box::new(List::read_state(stamps, r)?));
        }
        Ok(node)
    }
}

impl List {
    fn write_state(&self, stamps: &[Stamp], w: &mut Writer) {
        w.count(self.items.len());
        for (key, item) in self.items.iter() {
            key.write(w);
            w.count(item.births.len());
            for (birth, content) in item.births.iter() {
                write_stamp(*birth, stamps, 0, w);
                content.write_state(stamps, w);
            }
        }
        w.count(self.order.siblings().len());
        for (stamp, keys) in self.order.siblings() {
            write_stamp(*stamp, stamps, 0, w);
            w.count(keys.len());
            keys.iter().for_each(|key| key.write(w));
        }
    }

    fn read_state(stamps: &[Stamp], r: &mut Reader<'_>) -> Result<List, DecodeError> {
        let n = r.count()?;
        let items = read_sorted(r, n, |r| {
            let key = ItemKey::read(r)?;
            let n = r.count()?;
            let births = read_sorted(r, n, |r| {
                let (birth, _) = read_stamp(r, stamps)?;
                Ok((birth, r.nested(|r| Node::read_state(stamps, r))?))
            })?;
            Ok((key, Item { births }))
        })?;
        let n = r.count()?;
        let order = read_register(r, stamps, n, |r, _| {
            let n = r.count()?;
            (0..n).map(|_| ItemKey::read(r)).collect()
        })?;
        Ok(List { items, order })
    }
}

/// Reads a map whose keys must ascend: equal states have one form only.
fn read_sorted<K: Ord, V>(
    r: &mut Reader<'_>,
    n: usize,
    mut read: impl FnMut(&mut Reader<'_>) -> Result<(K, V), DecodeError>,
) -> Result<Sorted<K, V>, DecodeError> {
    let mut out = Sorted::default();
    for _ in 0..n {
        let (key, value) = read(r)?;
        if !out.push(key, value) {
            return Err(DecodeError::Malformed("order of keys"));
        }
    }
    Ok(out)
}

fn read_register<T>(
    r: &mut Reader<'_>,
    stamps: &[Stamp],
    n: usize,
    mut read: impl FnMut(&mut Reader<'_>, bool) -> Result<T, DecodeError>,
) -> Result<Register<T>, DecodeError> {
    let mut out = Register::default();
    for _ in 0..n {
        let (stamp, bit) = read_stamp(r, stamps)?;
        out.insert(stamp, read(r, bit)?);
    }
    Ok(out)
}
