//! What the words on the command line mean, and who runs them.

use super::connection::{EXIT_FAILURE, EXIT_USAGE, run_verb};
use super::{
    conflicts::Conflicts, log::Log, peer::Peer, share::Share, snapshot::Snapshot, status::Status, verify::Verify,
};
use crate::{
    app,
    config::{self, Request, SourceError},
    demo,
};
use clap::{CommandFactory, Parser, Subcommand};
use std::{error::Error, ffi::OsString, process::ExitCode};
use tokio::signal::unix::SignalKind;

/// A command line of serving that cannot be read.
const EXIT_FLAGS: u8 = 2;

/// An etcd v3 server whose Kubernetes namespaces can be shared between sites.
///
/// Without a verb the site is served, with etcd's flags, so that the binary can stand in for `etcd`.
#[derive(Debug, Parser)]
#[command(name = "archipel", after_help = config::flags_help(), override_usage = USAGE)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What a wrong command line of serving is answered with.
const USAGE: &str = "
  archipel [flags]
    Serve a site.
  archipel <verb> [flags]
    Ask or tell a site that is served.
  archipel --version
    Show the versions.
  archipel -h | --help
    Show the verbs and the flags.";

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the versions of Archipel and of the etcd interface that it serves.
    Version,
    /// Start two real Kubernetes sites on this machine and tell the story of a shared namespace.
    Demo(demo::DemoOptions),
    /// Show the site, its peers and its shares.
    Status(Status),
    /// Who this site trusts: invite, accept, list, revoke.
    #[command(subcommand)]
    Peer(Peer),
    /// Which namespaces this site shares: attach, accept, list, detach.
    #[command(subcommand)]
    Share(Share),
    /// Merges that had to drop or hide a concurrent write.
    #[command(subcommand)]
    Conflicts(Conflicts),
    /// Backups of a site: save, status, restore.
    #[command(subcommand)]
    Snapshot(Snapshot),
    /// Check everything that a stopped site has on disk. Nothing is changed.
    ///
    /// Every frame of the commit log is read and its checksums are checked, the order of the revisions, and whether the
    /// index says what the log says. Ends with 0 if all is well, with 2 if something is damaged: then it says what, which
    /// keys need it, and what to do. A torn end of the log, as a killed process leaves it, is no damage.
    Verify(Verify),
    /// The commit log of a stopped site: dump.
    #[command(subcommand)]
    Log(Log),
}

/// Runs the process with its own command line and environment.
#[must_use]
pub fn run() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    if words.get(1).is_none_or(|word| word.to_string_lossy().starts_with('-')) {
        return run_flags(words);
    }
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        // A verb's 2 means that a site is degraded.
        Err(error) if error.use_stderr() => {
            eprint!("{error}");
            return ExitCode::from(EXIT_USAGE);
        }
        Err(error) => error.exit(),
    };
    match cli.command {
        Command::Demo(options) => demo::run(&options),
        Command::Version => print_version(),
        Command::Status(verb) => run_verb(verb.run()),
        Command::Peer(verb) => run_verb(verb.run()),
        Command::Share(verb) => run_verb(verb.run()),
        Command::Conflicts(verb) => run_verb(verb.run()),
        Command::Snapshot(verb) => run_verb(verb.run()),
        Command::Verify(verb) => run_verb(async { verb.run() }),
        Command::Log(verb) => run_verb(async { verb.run() }),
    }
}

/// No verb: the flags are those of serving, read as etcd reads them. A command line that cannot be read ends with etcd's
/// status 2, flags that make no sense with 1.
fn run_flags(words: Vec<OsString>) -> ExitCode {
    let words = words.into_iter().skip(1).map(|word| word.to_string_lossy().into_owned());
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let outcome = match config::read(words, &environment) {
        Ok(Request::Help) => {
            print!("{}", Cli::command().render_help());
            return ExitCode::SUCCESS;
        }
        Ok(Request::Version) => return print_version(),
        Ok(Request::Serve(values)) => serve(values),
        Err(SourceError::CommandLine(error)) => {
            eprintln!("{error}\nUsage:\n{USAGE}");
            return ExitCode::from(EXIT_FLAGS);
        }
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(signal) => end_by(signal),
        Err(error) => {
            eprintln!("archipel: {error}");
            ExitCode::from(EXIT_FAILURE)
        }
    }
}

fn serve(values: config::Values) -> Result<SignalKind, Box<dyn Error>> {
    Ok(app::serve(config::Config::new(values)?)?)
}

/// A process that was asked to end ends by what asked it, so that who started it knows that it did not end by itself.
fn end_by(signal: SignalKind) -> ExitCode {
    match signal_hook::low_level::emulate_default_handler(signal.as_raw_value()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("archipel: the process could not end by its signal: {error}");
            ExitCode::from(EXIT_FAILURE)
        }
    }
}

fn print_version() -> ExitCode {
    print!("{}", config::version_lines());
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(words)
    }

    #[test]
    fn verbs_find_their_site_by_their_own_flags() {
        let cli = parsed(&["archipel", "share", "attach", "-n", "team-a", "--with", "rennes", "--data-dir", "/d"]);
        assert!(matches!(cli.unwrap().command, Command::Share(Share::Attach(_))));
        let cli = parsed(&["archipel", "status", "-o", "json", "--wait", "--name", "nantes"]).unwrap();
        assert!(matches!(cli.command, Command::Status(_)));
        for wrong in [
            &["archipel", "share", "detach", "-n", "team-a"][..],
            &["archipel", "share", "attach", "-n", "team-a"],
            &["archipel", "peer", "accept"],
        ] {
            assert!(parsed(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn help_names_the_verbs_and_the_flags() {
        let help = Cli::command().render_help().to_string();
        for word in ["conflicts", "--listen-client-urls", "archipel [flags]"] {
            assert!(help.contains(word), "{word}");
        }
    }
}
