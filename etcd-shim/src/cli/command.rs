//! What the words on the command line mean, and who runs them.

use super::connection::{EXIT_FAILURE, EXIT_USAGE, run_verb};
use super::{conflicts::Conflicts, peer::Peer, share::Share, snapshot::Snapshot, status::Status};
use crate::{app, config, demo};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::{ffi::OsString, process::ExitCode};

/// An etcd v3 server whose Kubernetes namespaces can be shared between sites.
///
/// Without a subcommand the site is served, with etcd's flags, so that the binary can stand in for `etcd`.
#[derive(Debug, Parser)]
#[command(name = "archipel", args_conflicts_with_subcommands = true, disable_version_flag = true)]
pub struct Cli {
    /// What to do; nothing = serve.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Flags of serving.
    #[command(flatten)]
    pub serve: config::Flags,
}

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
}

/// Runs the process with its own command line and environment.
#[must_use]
pub fn run() -> ExitCode {
    let words = config::etcd_style(std::env::args_os().collect());
    let serves = words.get(1).is_none_or(|word| word.to_string_lossy().starts_with('-'));
    let (cli, without_effect) = match parse(words) {
        Ok(parsed) => parsed,
        // Serving keeps etcd's status for a wrong command line (2); a verb's 2 means that a site is degraded.
        Err(error) if error.use_stderr() && !serves => {
            eprint!("{error}");
            return ExitCode::from(EXIT_USAGE);
        }
        Err(error) => error.exit(),
    };
    let outcome = match cli.command {
        Some(Command::Demo(options)) => return demo::run(&options),
        Some(Command::Version) => {
            print!("{}", config::version_lines());
            Ok(())
        }
        Some(Command::Status(verb)) => return run_verb(verb.run()),
        Some(Command::Peer(verb)) => return run_verb(verb.run()),
        Some(Command::Share(verb)) => return run_verb(verb.run()),
        Some(Command::Conflicts(verb)) => return run_verb(verb.run()),
        Some(Command::Snapshot(verb)) => return run_verb(verb.run()),
        None if cli.serve.version => {
            print!("{}", config::version_lines());
            Ok(())
        }
        None => serve(cli.serve, without_effect),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("archipel: {error}");
            ExitCode::from(EXIT_FAILURE)
        }
    }
}

fn serve(flags: config::Flags, without_effect: Vec<String>) -> Result<(), app::AppError> {
    let mut config = config::Config::from_flags(flags)?;
    config.without_effect = without_effect;
    app::serve(config)
}

/// Parses; etcd's flags that have no effect here are accepted too, and returned by name.
fn parse(words: Vec<OsString>) -> Result<(Cli, Vec<String>), clap::Error> {
    let matches = config::with_accepted_flags(Cli::command()).try_get_matches_from(words)?;
    let without_effect = config::given_without_effect(&matches, |variable| std::env::var_os(variable).is_some());
    Ok((Cli::from_arg_matches(&matches)?, without_effect))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Cli, clap::Error> {
        parse(config::etcd_style(words.iter().map(OsString::from).collect())).map(|(cli, _)| cli)
    }

    #[test]
    fn no_subcommand_serves_and_single_dashes_are_taken() {
        let cli = parsed(&["archipel", "-name", "nantes", "--data-dir=/d", "-log-level", "warn"]).unwrap();
        assert!(cli.command.is_none());
        assert_eq!(cli.serve.name, "nantes");
        assert_eq!(cli.serve.log_level, "warn");
    }

    #[test]
    fn flags_without_effect_are_taken_in_every_form() {
        let words = [
            "etcd",
            "--initial-cluster",
            "a=http://127.0.0.1:0",
            "--snapshot-count=10000",
            "-pre-vote",
            "--strict-reconfig-check=false",
        ];
        let (_, without_effect) = parse(config::etcd_style(words.iter().map(OsString::from).collect())).unwrap();
        assert_eq!(without_effect, ["initial-cluster", "snapshot-count", "pre-vote", "strict-reconfig-check"]);
    }

    #[test]
    fn unknown_flags_are_refused_with_status_2() {
        let error = parsed(&["archipel", "--no-such-flag=1"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn verbs_find_their_site_by_their_own_flags() {
        let cli = parsed(&["archipel", "share", "attach", "-n", "team-a", "--with", "rennes", "--data-dir", "/d"]);
        assert!(matches!(cli.unwrap().command, Some(Command::Share(Share::Attach(_)))));
        let cli = parsed(&["archipel", "status", "-o", "json", "--wait", "--name", "nantes"]).unwrap();
        assert!(matches!(cli.command, Some(Command::Status(_))));
        for wrong in [
            &["archipel", "share", "detach", "-n", "team-a"][..],
            &["archipel", "share", "attach", "-n", "team-a"],
            &["archipel", "peer", "accept"],
        ] {
            assert!(parsed(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_subcommand_is_found() {
        let cli = parsed(&["archipel", "version"]).unwrap();
        assert!(matches!(cli.command, Some(Command::Version)));
    }
}
