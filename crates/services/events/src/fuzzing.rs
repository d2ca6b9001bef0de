//! Bodies for fuzzers: each takes any bytes and must neither panic nor hang. The seeded damage test calls them too.

use std::collections::BTreeMap;

use crate::clouds::CloudEvent;
use crate::model::input::{Around, Path};
use crate::model::{Event, Input};

/// The first byte says which form, the first line is a header's text, the rest a body.
pub fn cloud_event(data: &[u8]) {
    let (form, rest) = data.split_first().unwrap_or((&0, &[]));
    let text = String::from_utf8_lossy(rest);
    let (value, body) = text.split_once('\n').unwrap_or((&text, ""));
    let kind = ["application/cloudevents+json", "application/cloudevents-batch+json", "application/json"]
        [usize::from(form % 3)];
    let header = |name: &str| Some(if name == "content-type" { kind } else { value });
    if let Ok(events) = CloudEvent::read(&header, body.as_bytes()) {
        events.iter().for_each(|event| drop(event.entry("bus")));
    }
}

/// The first line is a template, the second a path, the rest an event.
pub fn input_template(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.splitn(3, '\n');
    let (template, path, event) =
        (lines.next().unwrap_or_default(), lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let event = Event::from_document(serde_json::from_str(event).unwrap_or_default(), 0);
    let around = Around { rule_arn: "arn", rule_name: "rule", ingested_ms: 0 };
    let parts: BTreeMap<String, Path> = Path::parse(path).into_iter().map(|path| ("a".to_owned(), path)).collect();
    parts.values().cloned().for_each(|path| drop(Input::Part(path).make(&event, around)));
    Input::Template { parts, template: template.to_owned() }.make(&event, around);
}

#[cfg(test)]
mod tests {
    #[test]
    fn damage_breaks_nothing() {
        let random = base::Random::seeded(3);
        let whole: [&[u8]; 4] = [
            b"\0x\n{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\",\"time\":\"2026-01-01T00:00:00Z\",\"data\":{\"n\":1}}",
            b"\x021.0%20%zz\n{\"n\":1}",
            b"{\"a\": <a>, \"b\": \"<a> <aws.events.event>\\\"\"}\n$.detail['x'][0].y[*]\n{\"detail\":{\"x\":[{\"y\":[1,2]}]}}",
            b"text <a> < > <<a>>\n$\n{\"a\":\"\\u00e9\"}",
        ];
        for _ in 0..8_000 {
            let mut bytes = whole[random.below(4) as usize].to_vec();
            for _ in 0..=random.below(3) {
                let at = random.below(bytes.len() as u64) as usize;
                match random.below(3) {
                    0 => bytes[at] = random.u64() as u8,
                    1 => bytes.truncate(at.max(1)),
                    _ => bytes[at] = b"<>[]{}\"\\$.%"[random.below(11) as usize],
                }
            }
            super::cloud_event(&bytes);
            super::input_template(&bytes);
        }
    }
}
