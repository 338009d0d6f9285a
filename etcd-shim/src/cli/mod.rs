//! The command line: no subcommand serves a site; each subcommand has a file of its own.

mod command;

pub use command::{Cli, Command, run};
