//! The values of all flags: what was given, else the defaults.

use super::{
    duration::parse_duration,
    flag::{self, Class, Flag},
    table,
};
use std::{collections::BTreeMap, str::FromStr, time::Duration};

/// The values of all flags. Each is of its flag's kind: that is checked when it is given.
#[derive(Clone, Default, Debug)]
pub struct Values {
    given: BTreeMap<&'static str, String>,
    /// Values of gates that were given by a switch of etcd 3.6.
    gates: Vec<String>,
    /// What the log must say about what was given.
    notes: Vec<Note>,
}

/// Something about the configuration that the log must say, once there is a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// The flag, environment variable or key.
    pub subject: String,
    /// The sentence.
    pub text: String,
}

impl Values {
    /// Notes the value of a flag, over an earlier one. Old names become the new ones.
    ///
    /// # Errors
    /// What is wrong with the value, as the end of a sentence.
    pub(super) fn give(&mut self, flag: &'static Flag, value: String) -> Result<(), String> {
        flag.kind.check(&value)?;
        match flag.class {
            Class::Ignored => {}
            Class::OldName(new) => {
                self.note(flag.name, format!("this name is deprecated: use --{new}"));
                self.given.insert(new, value);
            }
            Class::OldGate(gate) => {
                self.note(flag.name, format!("this flag is deprecated: use --feature-gates={gate}={value}"));
                self.gates.push(format!("{gate}={value}"));
            }
            Class::Acts | Class::Own | Class::NoEffect | Class::Refused => {
                self.given.insert(flag.name, value);
            }
        }
        Ok(())
    }

    /// Adds a note.
    pub(super) fn note(&mut self, subject: &str, text: impl Into<String>) {
        self.notes.push(Note { subject: subject.to_owned(), text: text.into() });
    }

    /// The notes, which are then gone from here.
    pub(super) fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// Was a value given?
    pub(super) fn is_given(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// The given flags of a class, by name.
    pub(super) fn given_of(&self, class: Class) -> Vec<&'static str> {
        let is_of = |name: &&&'static str| table::flag(name).is_some_and(|flag| flag.class == class);
        self.given.keys().filter(is_of).copied().collect()
    }

    /// The feature gates as one text: those of old switches first, so that `--feature-gates` wins.
    pub(super) fn feature_gates(&self) -> String {
        let named = self.text("feature-gates");
        self.gates
            .iter()
            .map(String::as_str)
            .chain([named])
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join(",")
    }

    /// A text.
    pub(super) fn text(&self, name: &str) -> &str {
        let default = || table::flag(name).expect("invariant: a flag of the table").default;
        self.given.get(name).map_or_else(default, String::as_str)
    }

    /// A text that is not empty.
    pub(super) fn filled(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// A list of texts, separated by commas.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        self.text(name).split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    /// A number.
    pub(super) fn number<T: FromStr>(&self, name: &str) -> T {
        self.text(name).parse().ok().expect("invariant: the table bounds a number by its kind")
    }

    /// A switch.
    pub(super) fn switch(&self, name: &str) -> bool {
        flag::switch(self.text(name)).expect("invariant: checked when it was given")
    }

    /// A duration.
    pub(super) fn duration(&self, name: &str) -> Duration {
        parse_duration(self.text(name)).expect("invariant: checked when it was given")
    }
}
