//! What a shape looks like on the wire, as data: one table per shape, which every codec reads.
//!
//! Generated tables are statics. Tables made at run time (the protocol tests make them from models in JSON) are leaked;
//! [`Members::Late`] lets those refer to themselves. A schema never changes once a codec has seen it.

use std::sync::OnceLock;

use regex::Regex;

/// One shape.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// The model's name for it.
    pub name: &'static str,
    /// What it is made of.
    pub kind: Kind,
    /// What its values must satisfy.
    pub rules: Rules,
    /// The form of a timestamp, where the shape says it.
    pub timestamp: Option<TimestampFormat>,
    /// Values are secrets: never printed, never quoted in a fault.
    pub sensitive: bool,
    /// The whole HTTP body, not to be held in memory in one piece by whoever can avoid it.
    pub streaming: bool,
    /// Of a structure: the member that is the HTTP body.
    pub payload: Option<&'static str>,
    /// Of a structure whose body is bytes or text: what they are, where a plain `application/octet-stream` or `text/plain` says
    /// too little.
    pub media_type: Option<&'static str>,
    /// The XML element's name where it is the body's root.
    pub xml_name: Option<&'static str>,
    /// The XML namespace.
    pub xml_namespace: Option<Namespace>,
}

/// What a shape is made of.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// 32 bits, signed.
    Integer,
    /// 64 bits, signed.
    Long,
    /// 32-bit floating point.
    Float,
    /// 64-bit floating point.
    Double,
    /// Text; with `rules.values`, an enumeration.
    String,
    /// Bytes.
    Blob,
    /// A point in time.
    Timestamp,
    /// Any JSON.
    Document,
    /// Values in order.
    List(&'static Member),
    /// Values by key.
    Map {
        /// The keys.
        key: &'static Member,
        /// The values.
        value: &'static Member,
    },
    /// Named members.
    Structure(Members),
    /// Exactly one of the named members.
    Union(Members),
}

/// A structure's members, in the model's order.
#[derive(Clone, Copy, Debug)]
pub enum Members {
    /// A static table.
    Known(&'static [Member]),
    /// A table that is filled in once all shapes that it refers to exist.
    Late(&'static OnceLock<&'static [Member]>),
}

/// What values must satisfy.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The least number, length or count.
    pub min: Option<i64>,
    /// The greatest number, length or count.
    pub max: Option<i64>,
    /// The pattern that the whole text must match.
    pub pattern: Option<&'static Pattern>,
    /// The only values allowed; empty where any is.
    pub values: &'static [&'static str],
}

/// A regular expression of a model. Compiled when it is first needed.
#[derive(Debug)]
pub struct Pattern {
    /// As the model has it, and as faults quote it.
    pub java: &'static str,
    /// The same in the words of the `regex` crate.
    pub rust: &'static str,
    /// What it must not match besides: the crate has no look-around, so `models.toml` says such patterns in two halves.
    pub unless: Option<&'static str>,
    compiled: OnceLock<Compiled>,
}

/// Both halves; `None` where one does not compile, which codegen has refused.
type Compiled = (Option<Regex>, Option<Regex>);

/// A namespace, and the prefix that it is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Empty for the default namespace.
    pub prefix: &'static str,
    /// The address that names it.
    pub uri: &'static str,
}

/// How a timestamp is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampFormat {
    /// `1985-04-12T23:20:50.52Z`.
    Iso8601,
    /// `Fri, 12 Apr 1985 23:20:50 GMT`.
    Rfc822,
    /// Seconds since 1970, with a fraction where there is one.
    Unix,
}

/// Where a member travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the body.
    Body,
    /// In the header of that name.
    Header,
    /// In all headers whose names begin with the wire name.
    Headers,
    /// In the path.
    Uri,
    /// In the query string.
    Query,
    /// It is the whole rest of the query string.
    QueryRest,
    /// The status of the response.
    Status,
}

/// A member of a structure, or what a list or map holds: a shape, and how it travels from here.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// The model's name.
    pub name: &'static str,
    /// The name on the wire.
    pub wire: &'static str,
    /// Its name in EC2's query protocol, where the model gives one.
    pub query_name: Option<&'static str>,
    /// Its shape.
    pub target: &'static Schema,
    /// Where it travels.
    pub place: Place,
    /// Whether it must be there.
    pub required: bool,
    /// A list or map without an element of its own around it.
    pub flattened: bool,
    /// An attribute of the parent's XML element.
    pub xml_attribute: bool,
    /// JSON inside a string.
    pub json_value: bool,
    /// The client makes one up if the caller gives none.
    pub idempotency_token: bool,
    /// The form of a timestamp, where the member says it.
    pub timestamp: Option<TimestampFormat>,
    /// The XML namespace, where the member says it.
    pub xml_namespace: Option<Namespace>,
}

impl Schema {
    /// A shape without rules.
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            rules: Rules { min: None, max: None, pattern: None, values: &[] },
            timestamp: None,
            sensitive: false,
            streaming: false,
            payload: None,
            media_type: None,
            xml_name: None,
            xml_namespace: None,
        }
    }

    /// A structure of a static table.
    pub const fn structure(name: &'static str, members: &'static [Member]) -> Self {
        Self::new(name, Kind::Structure(Members::Known(members)))
    }

    /// A union of a static table.
    pub const fn union(name: &'static str, members: &'static [Member]) -> Self {
        Self::new(name, Kind::Union(Members::Known(members)))
    }

    /// With a least number, length or count.
    #[must_use]
    pub const fn min(mut self, min: i64) -> Self {
        self.rules.min = Some(min);
        self
    }

    /// With a greatest number, length or count.
    #[must_use]
    pub const fn max(mut self, max: i64) -> Self {
        self.rules.max = Some(max);
        self
    }

    /// With a pattern.
    #[must_use]
    pub const fn pattern(mut self, pattern: &'static Pattern) -> Self {
        self.rules.pattern = Some(pattern);
        self
    }

    /// An enumeration.
    #[must_use]
    pub const fn values(mut self, values: &'static [&'static str]) -> Self {
        self.rules.values = values;
        self
    }

    /// A secret.
    #[must_use]
    pub const fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// A stream.
    #[must_use]
    pub const fn streaming(mut self) -> Self {
        self.streaming = true;
        self
    }

    /// A structure one of whose members is the body.
    #[must_use]
    pub const fn payload(mut self, member: &'static str) -> Self {
        self.payload = Some(member);
        self
    }

    /// A structure whose body is of that type.
    #[must_use]
    pub const fn media_type(mut self, media_type: &'static str) -> Self {
        self.media_type = Some(media_type);
        self
    }

    /// A timestamp of that form.
    #[must_use]
    pub const fn timestamp(mut self, format: TimestampFormat) -> Self {
        self.timestamp = Some(format);
        self
    }

    /// With a name as an XML root.
    #[must_use]
    pub const fn xml_name(mut self, name: &'static str) -> Self {
        self.xml_name = Some(name);
        self
    }

    /// With an XML namespace.
    #[must_use]
    pub const fn xml_namespace(mut self, prefix: &'static str, uri: &'static str) -> Self {
        self.xml_namespace = Some(Namespace { prefix, uri });
        self
    }

    /// The members of a structure or union; none of anything else.
    pub fn members(&self) -> &'static [Member] {
        match self.kind {
            Kind::Structure(members) | Kind::Union(members) => match members {
                Members::Known(members) => members,
                Members::Late(members) => members.get().copied().unwrap_or_default(),
            },
            Kind::Boolean
            | Kind::Integer
            | Kind::Long
            | Kind::Float
            | Kind::Double
            | Kind::String
            | Kind::Blob
            | Kind::Timestamp
            | Kind::Document
            | Kind::List(_)
            | Kind::Map { .. } => &[],
        }
    }

    /// Whether it is a list, map, structure or union.
    pub fn is_composite(&self) -> bool {
        match self.kind {
            Kind::List(_) | Kind::Map { .. } | Kind::Structure(_) | Kind::Union(_) => true,
            Kind::Boolean
            | Kind::Integer
            | Kind::Long
            | Kind::Float
            | Kind::Double
            | Kind::String
            | Kind::Blob
            | Kind::Timestamp
            | Kind::Document => false,
        }
    }

    /// The member that is the HTTP body, with its index.
    pub fn payload_member(&self) -> Option<(usize, &'static Member)> {
        let name = self.payload?;
        self.members().iter().enumerate().find(|(_, member)| member.name == name)
    }
}

impl Member {
    /// A member that travels in the body under its own name.
    pub const fn new(name: &'static str, target: &'static Schema) -> Self {
        Self {
            name,
            wire: name,
            query_name: None,
            target,
            place: Place::Body,
            required: false,
            flattened: false,
            xml_attribute: false,
            json_value: false,
            idempotency_token: false,
            timestamp: None,
            xml_namespace: None,
        }
    }

    /// With another name on the wire.
    #[must_use]
    pub const fn wire(mut self, name: &'static str) -> Self {
        self.wire = name;
        self
    }

    /// With another name in EC2's query protocol.
    #[must_use]
    pub const fn query_name(mut self, name: &'static str) -> Self {
        self.query_name = Some(name);
        self
    }

    /// Must be there.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Travels elsewhere than in the body.
    #[must_use]
    pub const fn place(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// Has no element of its own around it.
    #[must_use]
    pub const fn flattened(mut self) -> Self {
        self.flattened = true;
        self
    }

    /// Is an XML attribute.
    #[must_use]
    pub const fn xml_attribute(mut self) -> Self {
        self.xml_attribute = true;
        self
    }

    /// Is JSON inside a string.
    #[must_use]
    pub const fn json_value(mut self) -> Self {
        self.json_value = true;
        self
    }

    /// Is made up by the client if the caller gives none.
    #[must_use]
    pub const fn idempotency_token(mut self) -> Self {
        self.idempotency_token = true;
        self
    }

    /// Is a timestamp of that form.
    #[must_use]
    pub const fn timestamp(mut self, format: TimestampFormat) -> Self {
        self.timestamp = Some(format);
        self
    }

    /// With an XML namespace.
    #[must_use]
    pub const fn xml_namespace(mut self, prefix: &'static str, uri: &'static str) -> Self {
        self.xml_namespace = Some(Namespace { prefix, uri });
        self
    }

    /// The form of a timestamp here: the member's word, then the shape's, then the protocol's.
    pub fn timestamp_format(&self, default: TimestampFormat) -> TimestampFormat {
        self.timestamp.or(self.target.timestamp).unwrap_or(default)
    }
}

impl Pattern {
    /// A pattern that reads the same in both languages.
    pub const fn new(java: &'static str) -> Self {
        Self::translated(java, java, None)
    }

    /// A pattern that had to be put into other words.
    pub const fn translated(java: &'static str, rust: &'static str, unless: Option<&'static str>) -> Self {
        Self { java, rust, unless, compiled: OnceLock::new() }
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        let (rust, unless) = self
            .compiled
            .get_or_init(|| (compile(self.rust).ok(), self.unless.and_then(|pattern| compile(pattern).ok())));
        rust.as_ref().is_none_or(|regex| regex.is_match(text))
            && !unless.as_ref().is_some_and(|regex| regex.is_match(text))
    }
}

/// Compiles a pattern for the whole text. Perl's classes are ASCII in models, and Unicode's only where they are spelt out.
pub fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    regex::RegexBuilder::new(&format!(r"\A(?:{pattern})\z")).size_limit(PATTERN_BYTES_MAX).build()
}

/// The largest compiled pattern.
const PATTERN_BYTES_MAX: usize = 4 << 20;
