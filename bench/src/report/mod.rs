//! The outcome, for people and for programs.

mod goals;
mod json;
mod limits;
mod machine;
mod metric;
mod svg;
mod table;

pub(crate) use goals::{summary, verdicts};
pub(crate) use json::json;
pub(crate) use limits::relate_to_limits;
pub(crate) use machine::Machine;
pub(crate) use svg::svg;
pub(crate) use table::table;
