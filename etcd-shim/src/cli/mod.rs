//! The command line: no subcommand serves a site; each verb has a file of its own.

mod command;

mod connection;
mod output;
mod view;

mod conflicts;
mod peer;
mod share;
mod snapshot;
mod status;

pub use command::{Cli, Command, run};
