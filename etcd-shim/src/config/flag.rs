//! What a flag is: a row of the [table](super::table), not a field.

use super::{duration::parse_duration, urls};
use std::fmt;

/// One flag, its environment variable and its key in a configuration file.
#[derive(Debug)]
pub(crate) struct Flag {
    /// Its name, without dashes.
    pub name: &'static str,
    /// What its value looks like.
    pub kind: Kind,
    /// Its value when nobody gives one; empty = none.
    pub default: &'static str,
    /// What it does here.
    pub class: Class,
    /// One sentence for `--help`; empty = it is not shown.
    pub help: &'static str,
}

/// What a value looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Anything.
    Text,
    /// True or false; a bare flag means true.
    Switch,
    /// `300ms`, `5s`, `1h30m`.
    Duration,
    /// A whole number from 0 to this one.
    Count(u64),
    /// A whole number.
    Signed,
    /// URLs, separated by commas.
    Urls,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

/// What a flag does here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    /// It changes what the process does.
    Acts,
    /// The same, and it is ours: its environment variable begins with `ARCHIPEL_`.
    Own,
    /// It is validated and has no effect: it speaks of Raft members, of etcd's own storage, of what is not served.
    NoEffect,
    /// Etcd 3.6 knew another flag by this name.
    OldName(&'static str),
    /// Etcd 3.6 had this switch for what is now a feature gate.
    OldGate(&'static str),
    /// Etcd accepts it silently since it means nothing any more.
    Ignored,
    /// Using it is an error: a site cannot do what it asks for.
    Refused,
}

impl Flag {
    /// The environment variable that stands for it.
    #[must_use]
    pub(crate) fn variable(&self) -> String {
        let prefix = if self.class == Class::Own { "ARCHIPEL" } else { "ETCD" };
        format!("{prefix}_{}", self.name.replace('-', "_").to_ascii_uppercase())
    }
}

impl Kind {
    /// Checks a value.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence.
    pub(super) fn check(self, value: &str) -> Result<(), String> {
        match self {
            Kind::Text => Ok(()),
            Kind::Switch => switch(value).map(drop).ok_or_else(|| "give true or false".to_owned()),
            Kind::Duration => {
                parse_duration(value).map(drop).map_err(|_| "give a duration such as 300ms, 5s or 1h30m".to_owned())
            }
            Kind::Count(most) => match value.parse::<u64>() {
                Ok(number) if number <= most => Ok(()),
                _ => Err(format!("give a whole number from 0 to {most}")),
            },
            Kind::Signed => value.parse::<i64>().map(drop).map_err(|_| "give a whole number".to_owned()),
            Kind::Urls => urls::check_list(value).map_err(|error| error.to_string()),
            Kind::OneOf(words) if words.contains(&value) => Ok(()),
            Kind::OneOf(words) => Err(format!("give one of {}", words.join(", "))),
        }
    }
}

/// True and false in the spellings of Go's `strconv.ParseBool`.
pub(super) fn switch(value: &str) -> Option<bool> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Text => "TEXT",
            Kind::Switch => "true|false",
            Kind::Duration => "DURATION",
            Kind::Count(_) | Kind::Signed => "NUMBER",
            Kind::Urls => "URL,…",
            Kind::OneOf(words) => return f.write_str(&words.join("|")),
        })
    }
}
