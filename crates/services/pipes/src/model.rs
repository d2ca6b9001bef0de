//! Working types and pure decisions.

pub mod path;
pub mod source;
pub mod template;

use std::collections::BTreeMap;

use contract::{AccountId, Arn, Call, Document, Fault, Region};
use mapping::Filters;
use serde_json::{Value, json};

use crate::faults;
use source::Source;
use template::Template;

/// The account and region that a pipe lies in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub region: Region,
}

impl Scope {
    /// Where a call's resources are.
    pub fn of(call: &Call) -> Self {
        Self { account: call.account, region: call.region.clone() }
    }

    /// `arn:aws:pipes:REGION:ACCOUNT:pipe/NAME`.
    pub fn arn(&self, name: &str) -> Arn {
        Arn::new("pipes", &self.region, self.account, format!("pipe/{name}"))
    }
}

/// A pipe. Parameters are kept as the documents that they came in, with AWS's member names.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipe {
    /// Its name.
    pub name: String,
    /// For people.
    pub description: String,
    /// Whether it is to run.
    pub running: bool,
    /// The queue, or the stream.
    pub source: String,
    /// `SourceParameters`.
    pub source_parameters: Document,
    /// What enriches; empty for nothing.
    pub enrichment: String,
    /// `EnrichmentParameters`.
    pub enrichment_parameters: Document,
    /// Where it goes.
    pub target: String,
    /// `TargetParameters`.
    pub target_parameters: Document,
    /// Whom it acts as.
    pub role: String,
    /// Under whose name the checkpoints of a stream lie: one made anew under the same name begins anew.
    pub reader: String,
    /// By key.
    pub tags: BTreeMap<String, String>,
    /// In milliseconds since the epoch.
    pub created_ms: i64,
    /// In milliseconds since the epoch.
    pub modified_ms: i64,
}

const TAGS_MAX: usize = 50;

/// What flows through a pipe, as far as it can be said beforehand.
#[derive(Clone, Debug)]
pub struct Course {
    /// What it takes from.
    pub source: Source,
    /// Which messages or records are wanted.
    pub filters: Filters,
    /// What the enrichment is given.
    pub enrichment_template: Option<Template>,
    /// What the target is given.
    pub target_template: Option<Template>,
}

impl Pipe {
    /// Refuses what cannot flow.
    pub fn course(&self) -> Result<Course, Fault> {
        let source = Source::read(&self.source, &self.source_parameters)?;
        check_enrichment(&self.enrichment)?;
        if self.tags.len() > TAGS_MAX {
            return Err(faults::invalid(format!("A pipe has at most {TAGS_MAX} tags.")));
        }
        let template = |parameters: &Document| match parameters.get("InputTemplate").and_then(Value::as_str) {
            None | Some("") => Ok(None),
            Some(text) => Template::parse(text)
                .map(Some)
                .map_err(|why| faults::invalid(format!("Invalid InputTemplate for target or enrichment: {why}."))),
        };
        Ok(Course {
            source,
            filters: filters(&self.source_parameters)?,
            enrichment_template: template(&self.enrichment_parameters)?,
            target_template: template(&self.target_parameters)?,
        })
    }

    /// Whether changing from one to the other changes what flows.
    pub fn flows_like(&self, other: &Self) -> bool {
        let still = |pipe: &Self| Self {
            description: String::new(),
            tags: BTreeMap::new(),
            created_ms: 0,
            modified_ms: 0,
            ..pipe.clone()
        };
        still(self) == still(other)
    }
}

fn check_enrichment(enrichment: &str) -> Result<(), Fault> {
    if enrichment.is_empty() {
        return Ok(());
    }
    match Arn::parse(enrichment).map(|arn| arn.service) {
        Some(service) if service == "lambda" => Ok(()),
        Some(_) | None => Err(faults::invalid(format!(
            "Freehold enriches with functions, and {enrichment} is none: API destinations, APIs and state machines are not served yet."
        ))),
    }
}

fn filters(parameters: &Document) -> Result<Filters, Fault> {
    let listed = parameters.pointer("/FilterCriteria/Filters").and_then(Value::as_array);
    let patterns = listed.into_iter().flatten().map(|filter| filter["Pattern"].as_str().unwrap_or_default());
    Filters::read(patterns).map_err(|bad| {
        faults::invalid(format!("Invalid filter pattern definition: pattern {}: {}.", bad.index + 1, bad.why))
    })
}

/// The parameters after an update: members that it names are replaced, the others stay.
pub fn merged(before: &Document, update: Option<Document>) -> Document {
    let (Some(Value::Object(update)), Value::Object(before)) = (update, before) else { return before.clone() };
    let mut merged = before.clone();
    merged.extend(update);
    let mut merged = Value::Object(merged);
    source::keep_start(&Value::Object(before.clone()), &mut merged);
    merged
}

/// No parameters.
pub fn none() -> Document {
    json!({})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipe() -> Pipe {
        Pipe {
            name: "p".into(),
            description: String::new(),
            running: true,
            source: "arn:aws:sqs:us-east-1:000000000000:q".into(),
            source_parameters: none(),
            enrichment: String::new(),
            enrichment_parameters: none(),
            target: "arn:aws:sqs:us-east-1:000000000000:t".into(),
            target_parameters: none(),
            role: "arn:aws:iam::000000000000:role/any".into(),
            reader: "r".into(),
            tags: BTreeMap::new(),
            created_ms: 0,
            modified_ms: 0,
        }
    }

    #[test]
    fn what_cannot_flow_is_refused() {
        let check = |change: &dyn Fn(&mut Pipe), expected: Option<&str>| {
            let mut pipe = pipe();
            change(&mut pipe);
            match (pipe.course(), expected) {
                (Ok(_), None) => {}
                (Err(fault), Some(expected)) => assert!(fault.message.contains(expected), "{fault}"),
                (found, expected) => panic!("{found:?} instead of {expected:?}"),
            }
        };
        check(&|_| (), None);
        check(&|pipe| pipe.source = "arn:aws:kinesis:us-east-1:000000000000:stream/s".into(), Some("is neither"));
        check(
            &|pipe| pipe.enrichment = "arn:aws:events:us-east-1:000000000000:api-destination/a".into(),
            Some("not served yet"),
        );
        check(&|pipe| pipe.enrichment = "arn:aws:lambda:us-east-1:000000000000:function:f".into(), None);
        let batch = |size: u32, window: u32| json!({ "SqsQueueParameters": { "BatchSize": size, "MaximumBatchingWindowInSeconds": window } });
        check(&|pipe| pipe.source_parameters = batch(11, 0), Some("must be greater than 0"));
        check(&|pipe| pipe.source_parameters = batch(11, 1), None);
        check(
            &|pipe| {
                pipe.source += ".fifo";
                pipe.source_parameters = batch(10, 1);
            },
            Some("FIFO"),
        );
        let filter = json!({ "FilterCriteria": { "Filters": [{ "Pattern": "{" }] } });
        check(&|pipe| pipe.source_parameters = filter.clone(), Some("Invalid filter pattern definition: pattern 1"));
        check(&|pipe| pipe.target_parameters = json!({ "InputTemplate": "<$.body" }), Some("Invalid InputTemplate"));
    }

    #[test]
    fn updates_replace_what_they_name() {
        let before = json!({ "A": 1, "B": { "x": 1 } });
        assert_eq!(merged(&before, None), before);
        assert_eq!(merged(&before, Some(json!({ "B": {} }))), json!({ "A": 1, "B": {} }));
    }
}
