//! Where values come from: the command line, then the environment; or a configuration file alone.

use super::{
    Values,
    command_line::{self, Asked, CommandLineError},
    file::{self, FileError},
    flag::{Class, Flag},
    table,
};
use std::collections::BTreeMap;
use thiserror::Error;

/// The prefix of etcd's environment variables.
const PREFIX: &str = "ETCD_";
/// The flag that names the configuration file.
const CONFIG_FILE: &str = "config-file";

/// What the operator asks for.
#[derive(Debug)]
pub enum Request {
    /// The help.
    Help,
    /// The versions.
    Version,
    /// A site with these values.
    Serve(Values),
}

/// Values that cannot be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The command line.
    #[error(transparent)]
    CommandLine(#[from] CommandLineError),
    /// The environment.
    #[error("invalid value {value:?} for {variable}: {reason}")]
    Environment {
        /// The variable.
        variable: String,
        /// Its value.
        value: String,
        /// What to give instead.
        reason: String,
    },
    /// The configuration file.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Reads the words of the command line and the environment. A flag wins over its variable. With a configuration file,
/// nothing else counts (etcd server/etcdmain/config.go).
///
/// # Errors
/// The first thing that cannot be read.
pub fn read(
    words: impl IntoIterator<Item = String>,
    environment: &BTreeMap<String, String>,
) -> Result<Request, SourceError> {
    let Asked::Flags(flags) = command_line::read(words)? else { return Ok(Request::Help) };
    let mut values = Values::default();
    for (name, value) in flags {
        let flag = table::flag(name).expect("invariant: the command line gives flags of the table");
        let refused = |reason| CommandLineError::Value { flag: flag.name, value: value.clone(), reason };
        values.give(flag, value.clone()).map_err(refused)?;
    }
    if values.switch("version") {
        return Ok(Request::Version);
    }
    let file_variable = table::flag(CONFIG_FILE).map(Flag::variable).and_then(|variable| environment.get(&variable));
    let path = values.filled(CONFIG_FILE).or(file_variable.map(String::as_str)).filter(|path| !path.is_empty());
    if let Some(path) = path {
        return Ok(Request::Serve(file::read(path.as_ref())?));
    }
    from_environment(&mut values, environment)?;
    Ok(Request::Serve(values))
}

fn from_environment(values: &mut Values, environment: &BTreeMap<String, String>) -> Result<(), SourceError> {
    let mut known: BTreeMap<String, &'static Flag> = BTreeMap::new();
    for flag in table::flags().filter(|flag| flag.class != Class::Ignored) {
        known.insert(flag.variable(), flag);
    }
    for (variable, value) in environment.iter().filter(|(_, value)| !value.is_empty()) {
        match known.get(variable) {
            Some(flag) if values.is_given(flag.name) => {
                values.note(variable, "this environment variable is shadowed by its command-line flag");
            }
            Some(flag) => values.give(flag, value.clone()).map_err(|reason| SourceError::Environment {
                variable: variable.clone(),
                value: value.clone(),
                reason,
            })?,
            None if variable.starts_with(PREFIX) => values.note(variable, "unrecognized environment variable"),
            None => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(words: &[&str], environment: &[(&str, &str)]) -> Result<Values, SourceError> {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        match read(words.iter().map(|word| (*word).to_owned()), &environment)? {
            Request::Serve(values) => Ok(values),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_flag_wins_over_its_variable_and_the_last_of_two_wins() {
        let environment = [("ETCD_NAME", "c"), ("ETCD_MAX_TXN_OPS", "7"), ("ETCD_DATA_DIR", "")];
        let values = values(&["--name=a", "--name=b"], &environment).unwrap();
        assert_eq!(values.text("name"), "b");
        assert_eq!(values.number::<u32>("max-txn-ops"), 7);
        assert_eq!(values.text("data-dir"), "");
    }

    #[test]
    fn our_own_variables_begin_with_our_name() {
        let environment = [("ARCHIPEL_KUBERNETES_PREFIX", "/k"), ("ETCD_KUBERNETES_PREFIX", "/wrong")];
        let mut values = values(&[], &environment).unwrap();
        assert_eq!(values.text("kubernetes-prefix"), "/k");
        assert_eq!(values.take_notes(), [Note::of("ETCD_KUBERNETES_PREFIX", "unrecognized environment variable")]);
    }

    #[test]
    fn old_names_act_and_are_noted() {
        let words = ["--experimental-watch-progress-notify-interval", "1s", "--experimental-initial-corrupt-check"];
        let mut values = values(&words, &[("ETCD_UNSUPPORTED_ARCH", "arm")]).unwrap();
        assert_eq!(values.duration("watch-progress-notify-interval").as_secs(), 1);
        assert_eq!(values.feature_gates(), "InitialCorruptCheck=true");
        let noted: Vec<_> = values.take_notes().into_iter().map(|note| note.subject).collect();
        assert_eq!(noted, [words[0].trim_matches('-'), words[2].trim_matches('-'), "ETCD_UNSUPPORTED_ARCH"]);
    }

    #[test]
    fn a_wrong_variable_is_named() {
        let error = values(&[], &[("ETCD_PRE_VOTE", "maybe")]).unwrap_err();
        assert_eq!(error.to_string(), "invalid value \"maybe\" for ETCD_PRE_VOTE: give true or false");
    }

    #[test]
    fn help_and_version_are_found() {
        let read = |word: &str| read([word.to_owned()], &BTreeMap::new()).unwrap();
        assert!(matches!(read("--help"), Request::Help));
        assert!(matches!(read("--version"), Request::Version));
    }

    use super::super::values::Note;

    impl Note {
        fn of(subject: &str, text: &str) -> Note {
            Note { subject: subject.to_owned(), text: text.to_owned() }
        }
    }
}
