//! Which path of an object is a struct or map, a keyed list, a set, or atomic.

mod shape;

pub use shape::{KeyField, Kind, Node, Shape};
