//! The outcome, for people and for programs.

mod json;
mod machine;
mod metric;
mod table;

pub(crate) use json::json;
pub(crate) use machine::Machine;
pub(crate) use table::table;
