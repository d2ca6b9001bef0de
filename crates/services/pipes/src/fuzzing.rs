//! A door for fuzzing: a template that an owner wrote, and an event that a stranger sent.

use crate::model::template::{Known, Template};

/// A template in the first line, an event in the rest: no panic, no long run.
pub fn template(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (template, event) = text.split_once('\n').unwrap_or((&text, ""));
    let Ok(template) = Template::parse(template) else { return };
    let known = Known {
        pipe_arn: "pipe",
        pipe_name: "name",
        source_arn: "source",
        enrichment_arn: "",
        target_arn: "target",
        ingestion_time: "now",
    };
    let event = serde_json::from_str(event).unwrap_or_else(|_| event.into());
    template.fill(&event, &known);
}

#[cfg(test)]
mod tests {
    use base::Random;

    #[test]
    fn damaged_templates_and_events_do_no_harm() {
        let whole = b"{\"a\": <$.body.list[0]['x']>, \"b\": \"<aws.pipes.event.json>\"}\n{\"body\": \"{\\\"list\\\": [{\\\"x\\\": 1}]}\"}";
        let chance = Random::seeded(11);
        for _ in 0..5_000 {
            let mut damaged = whole.to_vec();
            for _ in 0..=chance.below(4) {
                let at = chance.below(damaged.len() as u64) as usize;
                match chance.below(3) {
                    0 => damaged[at] = chance.below(256) as u8,
                    1 => damaged.truncate(at.max(1)),
                    _ => damaged.insert(at, b"<>$.[]'\"\n\\"[chance.below(10) as usize]),
                }
            }
            super::template(&damaged);
        }
    }
}
