//! What turns a generated table into trait implementations. Used by generated code and nowhere else.

/// Implements [`crate::Shape`] for a struct whose fields are the schema's members.
macro_rules! structure {
    ($name:ident, $schema:ident { $($index:literal $field:ident),* $(,)? }) => {
        impl $crate::Shape for $name {
            fn schema(&self) -> &'static $crate::Schema {
                &$schema
            }

            fn member(&self, index: usize) -> &dyn $crate::Written {
                match index {
                    $($index => &self.$field,)*
                    _ => $crate::ABSENT,
                }
            }

            fn read_member(
                &mut self,
                index: usize,
                reader: &mut $crate::Reader<'_>,
                at: &'static $crate::Member,
            ) -> Result<(), $crate::Malformed> {
                match index {
                    $($index => self.$field = $crate::Field::read(reader, at)?,)*
                    _ => reader.ignore(at)?,
                }
                Ok(())
            }
        }

        $crate::macros::known!($name, $schema);
    };
}

/// Implements [`crate::Shape`] for an enum whose variants are the schema's members.
macro_rules! union {
    ($name:ident, $schema:ident { $($index:literal $variant:ident),* $(,)? }) => {
        impl $crate::Shape for $name {
            fn schema(&self) -> &'static $crate::Schema {
                &$schema
            }

            fn member(&self, index: usize) -> &dyn $crate::Written {
                match (index, self) {
                    $(($index, Self::$variant(value)) => value,)*
                    _ => $crate::ABSENT,
                }
            }

            fn read_member(
                &mut self,
                index: usize,
                reader: &mut $crate::Reader<'_>,
                at: &'static $crate::Member,
            ) -> Result<(), $crate::Malformed> {
                match index {
                    $($index => *self = Self::$variant($crate::Field::read(reader, at)?),)*
                    _ => reader.ignore(at)?,
                }
                Ok(())
            }
        }

        $crate::macros::known!($name, $schema);
    };
}

/// Implements [`crate::Shape`] for an enum whose variants are the members of a structure of which one is to be set. None is
/// `Unset`, and more than one `Several`: the service says what it thinks of them.
macro_rules! choice {
    ($name:ident, $schema:ident { $($index:literal $variant:ident),* $(,)? }) => {
        impl $crate::Shape for $name {
            fn schema(&self) -> &'static $crate::Schema {
                &$schema
            }

            fn member(&self, index: usize) -> &dyn $crate::Written {
                match (index, self) {
                    $(($index, Self::$variant(value)) => value,)*
                    _ => $crate::ABSENT,
                }
            }

            fn read_member(
                &mut self,
                index: usize,
                reader: &mut $crate::Reader<'_>,
                at: &'static $crate::Member,
            ) -> Result<(), $crate::Malformed> {
                let read = match index {
                    $($index => Self::$variant($crate::Field::read(reader, at)?),)*
                    _ => return reader.ignore(at),
                };
                *self = match self {
                    Self::Unset => read,
                    _ => Self::Several,
                };
                Ok(())
            }
        }

        $crate::macros::known!($name, $schema);
    };
}

/// What structures and unions have in common.
macro_rules! known {
    ($name:ident, $schema:ident) => {
        impl $crate::StaticShape for $name {
            const SCHEMA: &'static $crate::Schema = &$schema;
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::text::debug(self, f)
            }
        }
    };
}

/// Defines an enumeration. A value that the model does not know is kept as it came, in `Other`: input is refused by
/// the schema's rules before anybody sees it, and what is read back from elsewhere stays what it was.
macro_rules! enumeration {
    ($name:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($variant,)*
            Other(Box<str>),
        }

        impl $name {
            /// All values that the model knows.
            pub const VALUES: &'static [&'static str] = &[$($text),*];

            /// The value on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(text) => text,
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)*
                    _ => Self::Other(text.into()),
                }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::Other("".into())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::Written for $name {
            fn write(&self, writer: &mut dyn $crate::Writer, at: &'static $crate::Member) {
                writer.string(at, self.as_str());
            }
        }

        impl $crate::Field for $name {
            fn read(
                reader: &mut $crate::Reader<'_>,
                at: &'static $crate::Member,
            ) -> Result<Self, $crate::Malformed> {
                reader.string(at).map(|text| Self::from(text.as_str()))
            }
        }
    };
}

/// Defines the marker type of a served operation.
macro_rules! operation {
    ($service:literal, $name:ident, $text:literal, $input:ty, $output:ty) => {
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl contract::Operation for $name {
            const ID: contract::OperationId = contract::OperationId { service: $service, name: $text };
            type Input = $input;
            type Output = $output;
        }
    };
}

/// Makes a fault of an exception.
macro_rules! exception {
    ($name:ident, $service:ident, $code:literal $(, $message:ident)?) => {
        impl $name {
            /// The name that clients match on.
            pub const CODE: &'static str = $code;

            /// The fault with that message and no members of its own. Every exception has a message on the wire, also where
            /// its model names no such member.
            pub fn fault(message: impl Into<String>) -> contract::Fault {
                contract::Fault { message: message.into(), ..contract::Fault::from(Self::default()) }
            }

            $(
                /// The exception with that message, and nothing else.
                #[allow(clippy::needless_update, reason = "some have further members, and some have none")]
                pub fn new(message: impl Into<String>) -> Self {
                    Self { $message: message.into().into(), ..Self::default() }
                }
            )?
        }

        impl From<$name> for contract::Fault {
            fn from(exception: $name) -> Self {
                $crate::fault::from_exception(&$service, $name::CODE, &exception)
            }
        }
    };
}

pub(crate) use {choice, enumeration, exception, known, operation, structure, union};
