//! Shapes as XML.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use super::Element;
use crate::schema::{Kind, Namespace, TimestampFormat};
use crate::{Entries, Items, Member, Shape, Writer, Written, text};

/// Fills an element.
pub(crate) struct XmlWriter {
    /// Elements that were opened; the innermost is filled.
    open: Vec<Element>,
    /// The name of the elements that the next value makes, where it is not the member's own.
    renamed: Option<String>,
}

impl XmlWriter {
    /// The element of that name with these members in it.
    pub(crate) fn element<'a>(
        root: Element,
        members: impl Iterator<Item = (&'static Member, &'a dyn Written)>,
    ) -> Element {
        let mut writer = Self { open: vec![root], renamed: None };
        for (at, value) in members {
            value.write(&mut writer, at);
        }
        writer.close()
    }

    /// One value under that name.
    pub(crate) fn value(name: &str, value: &dyn Written, at: &'static Member) -> Element {
        let mut writer = Self { open: vec![Element::default()], renamed: Some(name.to_owned()) };
        value.write(&mut writer, at);
        writer.close().children.pop().unwrap_or_default()
    }

    fn close(&mut self) -> Element {
        self.open.pop().expect("whoever opened closes")
    }

    fn hang_below_parent(&mut self, element: Element) {
        if let Some(parent) = self.open.last_mut() {
            parent.children.push(element);
        }
    }

    /// A new element for the member, with its namespace.
    fn start(&mut self, at: &'static Member) -> Element {
        let mut element = Element::new(self.renamed.take().unwrap_or_else(|| name(at).to_owned()));
        element.attributes.extend(at.xml_namespace.or(at.target.xml_namespace).map(xmlns));
        element
    }

    fn scalar(&mut self, at: &'static Member, value: String) {
        if at.xml_attribute {
            if let Some(parent) = self.open.last_mut() {
                parent.attributes.push((at.wire.to_owned(), value));
            }
            return;
        }
        let mut element = self.start(at);
        element.text = value;
        self.hang_below_parent(element);
    }

    fn entry(&mut self, key: (&'static Member, &str), value: (&'static Member, &dyn Written)) {
        key.1.to_owned().write(self, key.0);
        value.1.write(self, value.0);
    }
}

/// The member's name; for each of the elements that a flat list or map is, the name of those.
pub(super) fn name(at: &'static Member) -> &'static str {
    match at.query_name {
        Some(name) if at.flattened => name,
        Some(_) | None => at.wire,
    }
}

/// The attribute that binds a namespace.
pub(crate) fn xmlns(namespace: Namespace) -> (String, String) {
    let name = if namespace.prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{}", namespace.prefix) };
    (name, namespace.uri.to_owned())
}

impl Writer for XmlWriter {
    fn null(&mut self, _at: &'static Member) {}

    fn boolean(&mut self, at: &'static Member, value: bool) {
        self.scalar(at, value.to_string());
    }

    fn integer(&mut self, at: &'static Member, value: i64) {
        self.scalar(at, value.to_string());
    }

    fn float(&mut self, at: &'static Member, value: f32) {
        self.scalar(at, text::float(value));
    }

    fn double(&mut self, at: &'static Member, value: f64) {
        self.scalar(at, text::double(value));
    }

    fn string(&mut self, at: &'static Member, value: &str) {
        self.scalar(at, value.to_owned());
    }

    fn blob(&mut self, at: &'static Member, value: &Bytes) {
        self.scalar(at, STANDARD.encode(value));
    }

    fn timestamp(&mut self, at: &'static Member, value: Timestamp) {
        self.scalar(at, text::timestamp(value, at.timestamp_format(TimestampFormat::Iso8601)));
    }

    fn document(&mut self, at: &'static Member, value: &Value) {
        self.scalar(at, value.to_string());
    }

    fn structure(&mut self, at: &'static Member, value: &dyn Shape) {
        let element = self.start(at);
        self.open.push(element);
        for (at, value) in crate::writer::present(value) {
            value.write(self, at);
        }
        let element = self.close();
        self.hang_below_parent(element);
    }

    fn list(&mut self, at: &'static Member, value: &dyn Items) {
        let Kind::List(item) = at.target.kind else { return };
        if at.flattened {
            let name = self.renamed.take().unwrap_or_else(|| name(at).to_owned());
            for index in 0..value.count() {
                self.renamed = Some(name.clone());
                value.item(index).write(self, item);
                self.renamed = None;
            }
            return;
        }
        let element = self.start(at);
        self.open.push(element);
        for index in 0..value.count() {
            value.item(index).write(self, item);
        }
        let element = self.close();
        self.hang_below_parent(element);
    }

    fn map(&mut self, at: &'static Member, value: &dyn Entries) {
        let Kind::Map { key, value: held } = at.target.kind else { return };
        let whole = self.start(at);
        let entry_name = if at.flattened { whole.name.clone() } else { "entry".to_owned() };
        let (parent, attributes) = if at.flattened { (None, whole.attributes) } else { (Some(whole), Vec::new()) };
        let inside = parent.is_some();
        self.open.extend(parent);
        value.each(&mut |text, value| {
            self.open.push(Element { attributes: attributes.clone(), ..Element::new(entry_name.clone()) });
            self.entry((key, text), (held, value));
            let entry = self.close();
            self.hang_below_parent(entry);
        });
        if inside {
            let element = self.close();
            self.hang_below_parent(element);
        }
    }
}
