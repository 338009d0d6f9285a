//! The index against the log.

use super::content::{Content, hash_version};
use crate::limits::DIFFERENCES_TOLD_MAX;
use crate::log::Reader;
use crate::mvcc::Version;
use std::cmp::Ordering;

/// What differs, in words, and how much more does.
#[derive(Debug, Default)]
pub(super) struct Differences {
    pub(super) told: Vec<String>,
    pub(super) more: u64,
}

impl Differences {
    fn push(&mut self, tell: impl FnOnce() -> String) {
        if self.told.len() < DIFFERENCES_TOLD_MAX { self.told.push(tell()) } else { self.more += 1 }
    }
}

/// Everything in which the index and the log's tail, `said`, differ from the log alone, `truth`; and every version that
/// the index looks for at a place where its value is not.
pub(super) fn differences(truth: &Content, said: &Content, reader: &Reader) -> Differences {
    let mut found = Differences::default();
    let mut expected = truth.versions.iter().peekable();
    for entry in &said.versions {
        while let Some(missing) = expected.next_if(|next| order(next, entry) == Ordering::Less) {
            found.push(|| format!("{} is in the log and not in the index", named(missing)));
        }
        match expected.next_if(|next| order(next, entry) == Ordering::Equal) {
            None => found.push(|| format!("{} is in the index and not in the log", named(entry))),
            Some(same) if hash_version(same) != hash_version(entry) => {
                found.push(|| format!("{} is another in the index than in the log", named(entry)));
            }
            Some(same) => {
                // The place of the log's own finding was read; a version that cleaning copied has another one, too.
                let (at, read) = (entry.position().unwrap_or_default(), same.position().unwrap_or_default());
                if at != read && !entry.is_tombstone() && reader.read(at).is_err() {
                    found.push(|| format!("{} is not where the index looks for it", named(entry)));
                }
            }
        }
    }
    for missing in expected {
        found.push(|| format!("{} is in the log and not in the index", named(missing)));
    }
    rows(truth, said, &mut found);
    found
}

fn rows(truth: &Content, said: &Content, found: &mut Differences) {
    for ((table, key), row) in &said.rows {
        let of_log = truth.rows.get(&(*table, key.clone()));
        let same = of_log.is_some_and(|of_log| of_log.value.is_some() && of_log.value == row.value);
        if !same {
            found.push(|| {
                format!("row {} of table {table:?} is another in the index than in the log", key.escape_ascii())
            });
        }
    }
    for (table, key) in truth.rows.keys().filter(|at| !said.rows.contains_key(*at)) {
        found.push(|| format!("row {} of table {table:?} is in the log and not in the index", key.escape_ascii()));
    }
}

fn order(a: &Version, b: &Version) -> Ordering {
    a.key().cmp(b.key()).then_with(|| a.revision().cmp(&b.revision()))
}

fn named(version: &Version) -> String {
    format!("key {} at revision {}", version.key().escape_ascii(), version.revision().main)
}
