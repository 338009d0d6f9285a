//! Which path of an object is a struct or map, a keyed list, a set, or atomic; and how its fields are encoded.

mod build;
mod lookup;
mod overrides;
mod shape;
mod table;

#[cfg(test)]
mod tests;

pub(crate) use lookup::message;
pub use lookup::{TypeRef, lookup};
pub(crate) use overrides::{GROUPS, Group};
pub use shape::{KeyField, Kind, Node, Shape};
pub(crate) use table::{Count, FieldDef, Scalar, Type};
