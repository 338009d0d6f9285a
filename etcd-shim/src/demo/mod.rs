//! `archipel demo`: two sites on this machine, each with a real control plane, and the story of a shared namespace.
//!
//! The same parts are the rig of the control-plane tests.

mod command;
pub mod kubernetes;
pub mod narrator;
pub mod objects;
pub mod pair;
pub mod proxy;
pub mod site;
pub mod story;
mod verbs;

pub use command::{DemoError, DemoOptions, run};
