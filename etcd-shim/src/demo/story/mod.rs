//! The story of a shared namespace, told on two running sites: every step does something and looks at the objects.
//!
//! Steps are separate, so that the tests can look closer in between.

mod leave;
mod meet;
mod part;
mod share;
mod told;

pub use told::{Place, Story, StoryError};

/// The namespace that the story is about.
pub const NAMESPACE: &str = "team-a";

/// The objects that are made at nantes.
pub(crate) const OBJECTS: &str = include_str!("team-a.yaml");
