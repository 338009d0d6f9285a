//! Finding a kind.

use super::build::SHAPES;
use super::shape::Shape;
use super::table::{TABLE, Type};

/// A kind that the table knows.
#[derive(Clone, Copy, Debug)]
pub struct TypeRef {
    message: &'static Type,
    shape: Shape,
}

/// The type of `kind` in `api_version`, as an object names them itself (`apps/v1`, `Deployment`); none for custom
/// resources and for kinds that are not stored. The first call reads the table, some milliseconds.
pub fn lookup(api_version: &str, kind: &str) -> Option<TypeRef> {
    let message = TABLE.find(api_version, kind)?;
    let shape = SHAPES.get(&(api_version, kind)).copied()?;
    Some(TypeRef { message, shape })
}

/// The type as the codecs need it; does not build the shapes.
pub(crate) fn message(api_version: &str, kind: &str) -> Option<&'static Type> {
    TABLE.find(api_version, kind)
}

impl TypeRef {
    /// The shape of the kind's *projected* trees (see [`crate::lens::project`]): where fields that exclude each other
    /// were regrouped, it has the group's place.
    pub fn shape(self) -> Shape {
        self.shape
    }

    /// Package and Go name of the type, for example `apps.v1.Deployment`.
    pub fn name(self) -> &'static str {
        self.message.name
    }
}
