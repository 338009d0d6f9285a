//! Entry ⇄ bytes.

use super::{DeletePolicy, Entry, EntryError, KeyOp};
use crate::clock::Hlc;
use crate::codec::{ActorTable, Reader, Writer};
use crate::dot::Dot;
use crate::key::ObjectKey;
use crate::object::{Form, LifeInfo, Patch};
use crate::version_vector::VersionVector;

const FORMAT: u8 = 1;

impl Entry {
    /// The form for wire and log, with a checksum. The writer's own part of `deps` is taken to be `dot.n - 1`.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.byte(FORMAT);
        w.actor(self.dot.actor);
        w.varint(self.dot.n);
        w.fixed64(self.hlc.0);
        let others: Vec<_> = self.deps.iter().filter(|&(actor, n)| actor != self.dot.actor && n > 0).collect();
        w.count(others.len());
        for &(actor, n) in &others {
            w.actor(actor);
            w.varint(n);
        }
        w.varint(self.epoch.into());
        let actors =
            ActorTable(std::iter::once(self.dot.actor).chain(others.into_iter().map(|(actor, _)| actor)).collect());
        w.count(self.ops.len());
        for op in &self.ops {
            op.write(&actors, &mut w);
        }
        w.into_checked_bytes()
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// If the bytes were damaged, or made by a later or a faulty release. Never panics, whatever the bytes are.
    pub fn decode(bytes: &[u8]) -> Result<Entry, EntryError> {
        let mut r = Reader::checked(bytes)?;
        match r.byte()? {
            FORMAT => {}
            other => return Err(EntryError::Version(other)),
        }
        let dot = Dot { actor: r.actor()?, n: r.varint()? };
        if dot.n == 0 {
            return Err(EntryError::Malformed("entry number"));
        }
        let hlc = Hlc(r.fixed64()?);
        let mut actors = ActorTable(vec![dot.actor]);
        let mut deps = VersionVector::new();
        if dot.n > 1 {
            deps.advance(dot.actor, dot.n - 1);
        }
        for _ in 0..r.count()? {
            let (actor, n) = (r.actor()?, r.varint()?);
            if n == 0 || actors.0.contains(&actor) {
                return Err(EntryError::Malformed("dependencies"));
            }
            actors.0.push(actor);
            deps.advance(actor, n);
        }
        let epoch = u32::try_from(r.varint()?).map_err(|_| EntryError::Malformed("epoch"))?;
        let ops = (0..r.count()?).map(|_| KeyOp::read(&actors, &mut r)).collect::<Result<_, _>>()?;
        r.finish()?;
        Ok(Entry { dot, hlc, deps, epoch, ops })
    }
}

impl KeyOp {
    fn write(&self, actors: &ActorTable, w: &mut Writer) {
        match self {
            KeyOp::Create { key, life, form } => {
                w.byte(0);
                key.write(w);
                life.write(w);
                form.write(w);
            }
            KeyOp::Patch { key, life, set, del } => {
                w.byte(1);
                key.write(w);
                actors.write_dot(w, *life);
                Patch::write(set, del, w);
            }
            KeyOp::Delete { key, policy } => {
                w.byte(2);
                key.write(w);
                w.byte(match policy {
                    DeletePolicy::Background => 0,
                    DeletePolicy::Foreground => 1,
                    DeletePolicy::Orphan => 2,
                });
            }
            KeyOp::Control(bytes) => {
                w.byte(3);
                w.blob(bytes);
            }
        }
    }

    fn read(actors: &ActorTable, r: &mut Reader<'_>) -> Result<KeyOp, EntryError> {
        Ok(match r.byte()? {
            0 => KeyOp::Create { key: ObjectKey::read(r)?, life: LifeInfo::read(r)?, form: Form::read(r)? },
            1 => {
                let key = ObjectKey::read(r)?;
                let life = actors.read_dot(r)?;
                let Patch { set, del } = Patch::read(r)?;
                KeyOp::Patch { key, life, set, del }
            }
            2 => {
                let key = ObjectKey::read(r)?;
                let policy = match r.byte()? {
                    0 => DeletePolicy::Background,
                    1 => DeletePolicy::Foreground,
                    2 => DeletePolicy::Orphan,
                    _ => return Err(EntryError::Malformed("delete policy")),
                };
                KeyOp::Delete { key, policy }
            }
            3 => KeyOp::Control(r.blob()?),
            _ => return Err(EntryError::Malformed("operation")),
        })
    }
}
