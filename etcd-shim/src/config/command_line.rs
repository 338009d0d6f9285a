//! The words after the program's name, read as Go's `flag` package reads them: one dash or two, the value after `=` or as
//! the next word, a switch bare or with `=`, the last of two wins.

use super::{
    flag::{Flag, Kind},
    table,
};
use thiserror::Error;

/// A command line that cannot be read. The process prints it and exits with status 2.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum CommandLineError {
    /// No such flag.
    #[error("flag provided but not defined: -{0}")]
    Unknown(String),
    /// A flag at the end that needs a value.
    #[error("flag needs an argument: -{0}")]
    NoValue(String),
    /// A value of the wrong form.
    #[error("invalid value {value:?} for flag -{flag}: {reason}")]
    Value {
        /// The flag.
        flag: &'static str,
        /// Its value.
        value: String,
        /// What to give instead.
        reason: String,
    },
    /// Something between the flags.
    #[error("{0:?} is not a valid flag; a switch takes its value as -flag=false, a verb comes first")]
    Word(String),
}

/// What the command line asks for.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Asked {
    /// The help.
    Help,
    /// These flags, in their order.
    Flags(Vec<(&'static str, String)>),
}

/// Reads the words.
///
/// # Errors
/// The first word that makes no sense.
pub(super) fn read(words: impl IntoIterator<Item = String>) -> Result<Asked, CommandLineError> {
    let mut words = words.into_iter();
    let mut given = Vec::new();
    while let Some(word) = words.next() {
        let Some(text) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')).filter(|text| !text.is_empty())
        else {
            return Err(CommandLineError::Word(word));
        };
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        let Some(flag) = table::flag(name) else {
            if name == "help" || name == "h" {
                return Ok(Asked::Help);
            }
            return Err(CommandLineError::Unknown(name.to_owned()));
        };
        let value = match value {
            Some(value) => value,
            None if flag.kind == Kind::Switch => "true".to_owned(),
            None => words.next().ok_or_else(|| CommandLineError::NoValue(name.to_owned()))?,
        };
        check(flag, &value)?;
        given.push((flag.name, value));
    }
    Ok(Asked::Flags(given))
}

fn check(flag: &'static Flag, value: &str) -> Result<(), CommandLineError> {
    let refused = |reason| CommandLineError::Value { flag: flag.name, value: value.to_owned(), reason };
    flag.kind.check(value).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(words: &[&str]) -> Result<Asked, CommandLineError> {
        read(words.iter().map(|word| (*word).to_owned()))
    }

    fn flags(words: &[&str]) -> Vec<(&'static str, String)> {
        match given(words) {
            Ok(Asked::Flags(flags)) => flags,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn flags_are_taken_in_every_form_of_go() {
        let words =
            ["-name", "a b", "--data-dir=/d=1,2", "-pre-vote", "--auto-tls=false", "-log-level", "-x", "--name=z"];
        let expected = [
            ("name", "a b"),
            ("data-dir", "/d=1,2"),
            ("pre-vote", "true"),
            ("auto-tls", "false"),
            ("log-level", "-x"),
            ("name", "z"),
        ];
        assert_eq!(flags(&words), expected.map(|(name, value)| (name, value.to_owned())));
        assert!(flags(&[]).is_empty());
    }

    #[test]
    fn help_is_found_after_other_flags() {
        for word in ["-h", "--help", "-help"] {
            assert_eq!(given(&["--name=a", word]), Ok(Asked::Help));
        }
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (words, message) in [
            (&["--no-such-flag=1"][..], "flag provided but not defined: -no-such-flag"),
            (&["--name"], "flag needs an argument: -name"),
            (&["--election-timeout=1s"], "invalid value \"1s\" for flag -election-timeout: give a whole number from 0"),
            (&["--pre-vote", "false"], "\"false\" is not a valid flag"),
            (&["--log-format", "xml"], "invalid value \"xml\" for flag -log-format: give one of json, console"),
            (&["-"], "\"-\" is not a valid flag"),
        ] {
            let error = given(words).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
