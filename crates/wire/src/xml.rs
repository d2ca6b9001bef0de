//! XML bodies. Small trees: what is read and what is written stands in memory as [`Element`]s, because attributes must be known
//! before what an element holds, and namespaces from its member.

mod read;
mod write;

use std::fmt::Write as _;

use quick_xml::Reader;
use quick_xml::events::Event;

pub(crate) use read::{members_of, node_of};
pub(crate) use write::{XmlWriter, xmlns};

use crate::Malformed;
use crate::reader::DEPTH_MAX;

/// One element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    /// With its prefix.
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub children: Vec<Element>,
    /// The text inside, children left out.
    pub text: String,
}

impl Element {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    pub(crate) fn with_text(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into(), ..Self::default() }
    }

    pub(crate) fn with_children(name: impl Into<String>, children: Vec<Element>) -> Self {
        Self { name: name.into(), children, ..Self::default() }
    }

    /// The name without its prefix.
    pub(crate) fn local_name(&self) -> &str {
        self.name.rsplit(':').next().unwrap_or(&self.name)
    }

    /// The first child of that name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.local_name() == name)
    }

    /// Reads a document's root.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(body)
            .map_err(|error| Malformed::Syntax { at: error.valid_up_to(), expected: "UTF-8" })?;
        Parser { reader: Reader::from_str(text), open: Vec::new() }.root()
    }

    /// Writes it, with what is inside.
    pub(crate) fn render(&self, out: &mut String) {
        let plain = "a string takes what is written";
        write!(out, "<{}", self.name).expect(plain);
        for (name, value) in &self.attributes {
            write!(out, " {name}=\"").expect(plain);
            escape(value, out);
            out.push('"');
        }
        out.push('>');
        escape(&self.text, out);
        for child in &self.children {
            child.render(out);
        }
        write!(out, "</{}>", self.name).expect(plain);
    }
}

/// Letters that mean something in XML, and control letters that a reader would otherwise take for blanks.
fn escape(text: &str, out: &mut String) {
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#xD;"),
            '\n' => out.push_str("&#xA;"),
            '\u{85}' => out.push_str("&#x85;"),
            '\u{2028}' => out.push_str("&#x2028;"),
            // XML 1.0 has no form at all for the other control letters.
            c if (c as u32) < 0x20 && c != '\t' => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
}

struct Parser<'a> {
    reader: Reader<&'a [u8]>,
    open: Vec<Element>,
}

impl Parser<'_> {
    fn root(mut self) -> Result<Element, Malformed> {
        let mut root = None;
        loop {
            let event = self.reader.read_event().map_err(|_| self.wrong("XML"))?;
            let closed = match event {
                Event::Start(start) => {
                    let element = self.element(&start)?;
                    self.open.push(element);
                    if self.open.len() > DEPTH_MAX {
                        return Err(Malformed::TooDeep { limit: DEPTH_MAX });
                    }
                    None
                }
                Event::Empty(start) => Some(self.element(&start)?),
                Event::End(_) => self.open.pop(),
                Event::Text(text) => {
                    let text = text.decode().map_err(|_| self.wrong("text"))?;
                    self.push(&text);
                    None
                }
                Event::CData(data) => {
                    let text = data.decode().map_err(|_| self.wrong("text"))?;
                    self.push(&text);
                    None
                }
                Event::GeneralRef(reference) => {
                    let letter = reference.resolve_char_ref().map_err(|_| self.wrong("a letter"))?;
                    let name = reference.decode().map_err(|_| self.wrong("a letter"))?;
                    // No entities but XML's own five: whoever defines some wants to blow something up.
                    let named = quick_xml::escape::resolve_xml_entity(&name).map(str::to_owned);
                    let text = letter.map(String::from).or(named).ok_or_else(|| self.wrong("a letter"))?;
                    self.push(&text);
                    None
                }
                Event::Eof => break,
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) | Event::DocType(_) => None,
            };
            match (closed, self.open.last_mut()) {
                (Some(element), Some(parent)) => parent.children.push(element),
                (Some(_), None) if root.is_some() => return Err(self.wrong("the end")),
                (Some(element), None) => root = Some(element),
                (None, _) => {}
            }
        }
        if !self.open.is_empty() {
            return Err(self.wrong("the end of an element"));
        }
        root.ok_or_else(|| self.wrong("an element"))
    }

    fn element(&self, start: &quick_xml::events::BytesStart<'_>) -> Result<Element, Malformed> {
        let utf8 = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut element = Element::new(utf8(start.name().as_ref()));
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|_| self.wrong("an attribute"))?;
            let value = attribute
                .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                .map_err(|_| self.wrong("an attribute"))?;
            element.attributes.push((utf8(attribute.key.as_ref()), value.into_owned()));
        }
        Ok(element)
    }

    /// Adds text to the innermost element; outside of all there is only blank.
    fn push(&mut self, text: &str) {
        if let Some(element) = self.open.last_mut() {
            element.text.push_str(text);
        }
    }

    fn wrong(&self, expected: &'static str) -> Malformed {
        let at = usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX);
        Malformed::Syntax { at, expected }
    }
}
