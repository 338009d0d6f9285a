//! The command line: no subcommand serves a site; each verb has a file of its own.

mod command;

mod connection;
mod output;
mod progress;
mod view;

mod conflicts;
mod log;
mod peer;
mod share;
mod snapshot;
mod status;
mod verify;

pub use command::{Cli, Command, run};
