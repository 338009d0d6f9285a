//! What a merge had to drop or hide: a record for people, made where the merge happens.

use crate::codec::{ActorTable, DecodeError, Reader, Writer};
use crate::dot::Stamp;
use crate::key::ObjectKey;
use crate::value::Tree;

/// Why one of two concurrent changes is not shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Rule {
    /// Two values of one place: the greater stamp is shown, the other kept beside it until someone writes again.
    ConcurrentWrite,
    /// Two creates of one key with different content: the earlier stands (rule M17).
    ConcurrentCreate,
    /// A change of an object that was deleted concurrently: deleted (rule M16).
    LostToDelete,
    /// A change inside a list item that was removed concurrently: removed.
    LostToRemoval,
}

/// One side of a conflict.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Version {
    /// Who wrote it, and when.
    pub stamp: Stamp,
    /// What was written.
    pub tree: Tree,
}

/// One conflict. Both sites of a pair of concurrent changes make the same record, each when the other's change arrives,
/// save that the content of an object lost to its delete is told by the site that held it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Conflict {
    /// The object.
    pub key: ObjectKey,
    /// The place in it, for people; empty for the object as a whole.
    pub path: String,
    /// Why.
    pub rule: Rule,
    /// What is shown. None if it is an absence: a delete or a removal.
    pub winner: Option<Version>,
    /// What is not.
    pub loser: Version,
}

const FORMAT: u8 = 1;

impl Rule {
    /// The name that users see.
    pub fn as_str(self) -> &'static str {
        match self {
            Rule::ConcurrentWrite => "ConcurrentWrite",
            Rule::ConcurrentCreate => "ConcurrentCreate",
            Rule::LostToDelete => "LostToDelete",
            Rule::LostToRemoval => "LostToRemoval",
        }
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Conflict {
    /// The stored form, with a checksum.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.byte(FORMAT);
        self.key.write(&mut w);
        w.text(&self.path);
        w.byte(match self.rule {
            Rule::ConcurrentWrite => 0,
            Rule::ConcurrentCreate => 1,
            Rule::LostToDelete => 2,
            Rule::LostToRemoval => 3,
        });
        write_version(&mut w, &self.loser);
        w.byte(self.winner.is_some().into());
        if let Some(winner) = &self.winner {
            write_version(&mut w, winner);
        }
        w.into_checked_bytes()
    }

    /// Reads a stored form.
    ///
    /// # Errors
    /// If the bytes were not made by [`Conflict::encode`].
    pub fn decode(bytes: &[u8]) -> Result<Conflict, DecodeError> {
        let mut r = Reader::checked(bytes)?;
        match r.byte()? {
            FORMAT => {}
            other => return Err(DecodeError::Version(other)),
        }
        let key = ObjectKey::read(&mut r)?;
        let path = r.string()?;
        let rule = match r.byte()? {
            0 => Rule::ConcurrentWrite,
            1 => Rule::ConcurrentCreate,
            2 => Rule::LostToDelete,
            3 => Rule::LostToRemoval,
            _ => return Err(DecodeError::Malformed("conflict rule")),
        };
        let loser = read_version(&mut r)?;
        let winner = match r.byte()? {
            0 => None,
            1 => Some(read_version(&mut r)?),
            _ => return Err(DecodeError::Malformed("conflict")),
        };
        r.finish()?;
        Ok(Conflict { key, path, rule, winner, loser })
    }
}

fn write_version(w: &mut Writer, version: &Version) {
    ActorTable::default().write_stamp(w, version.stamp);
    version.tree.write(w);
}

fn read_version(r: &mut Reader<'_>) -> Result<Version, DecodeError> {
    Ok(Version { stamp: ActorTable::default().read_stamp(r)?, tree: Tree::read(r)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Hlc;
    use crate::dot::{ActorId, Dot};

    #[test]
    fn records_come_back_and_cut_records_do_not() {
        let version = |n| Version {
            stamp: Stamp { hlc: Hlc(n << 20), dot: Dot { actor: ActorId(7), n } },
            tree: Tree::text("nginx:1.27"),
        };
        let key = ObjectKey { group: "apps".into(), resource: "deployments".into(), name: "web".into() };
        for winner in [None, Some(version(9))] {
            let rule = if winner.is_none() { Rule::LostToDelete } else { Rule::ConcurrentWrite };
            let record = Conflict { key: key.clone(), path: "spec/replicas".into(), rule, winner, loser: version(8) };
            let bytes = record.encode();
            assert_eq!(Conflict::decode(&bytes).unwrap(), record);
            for cut in 0..bytes.len() {
                assert!(Conflict::decode(&bytes[..cut]).is_err());
            }
        }
    }
}
