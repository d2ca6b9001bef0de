//! `PutEvents`: up to ten events, each of which is taken or refused by itself.

use contract::{Arn, Call, Effect, Fault, Handle, Principal};
use wire::events as aws;

use crate::Events;
use crate::error::Error;
use crate::model::Scope;
use crate::model::event::{Refused, Told};
use crate::model::name::bus_of;

/// All entries of a request together.
const REQUEST_BYTES_MAX: usize = 1 << 20;

impl Handle<aws::PutEvents> for Events {
    const EFFECT: Effect = Effect::Write;

    /// The bus of the first entry. Who may put on one bus and not on another names them in requests of their own.
    fn resource(&self, call: &Call, input: &aws::PutEventsRequest) -> Arn {
        let name = input.entries.first().and_then(|entry| entry.event_bus_name.as_deref());
        Scope::of(call).bus_arn(bus_of(name))
    }

    async fn handle(&self, call: &Call, input: aws::PutEventsRequest) -> Result<aws::PutEventsResponse, Fault> {
        if input.endpoint_id.is_some() {
            return Err(Fault::unserved("events", "PutEvents with EndpointId"));
        }
        if input.entries.iter().map(size).sum::<usize>() > REQUEST_BYTES_MAX {
            return Err(Error::invalid("Total size of the entries in the request is over the limit.").into());
        }
        let is_ours = matches!(call.principal, Principal::Service { .. });
        let mut taken = Vec::with_capacity(input.entries.len());
        let mut refused = Vec::with_capacity(input.entries.len());
        for entry in input.entries {
            // What begins with `aws.` is told by the services themselves, or brought from another bus.
            let is_foreign = !is_ours && entry.source.as_deref().is_some_and(|source| source.starts_with("aws."));
            if is_foreign {
                refused.push(Some(Refused {
                    code: "NotAuthorizedForSourceException",
                    message: "Not authorized for the source.".to_owned(),
                }));
                continue;
            }
            refused.push(None);
            let told = Told {
                id: self.random.uuid().to_string(),
                source: entry.source,
                detail_type: entry.detail_type,
                detail: entry.detail,
                resources: entry.resources.unwrap_or_default(),
                time_ms: entry.time.map_or_else(|| self.clock.now_ms(), |time| time.as_millisecond()),
            };
            taken.push((bus_of(entry.event_bus_name.as_deref()).to_owned(), told));
        }
        let mut published = self.publish(call, taken).await.into_iter();
        let answers = refused.into_iter().map(|refused| match refused {
            Some(refused) => Err(refused),
            None => published.next().expect("each entry that was taken is answered"),
        });
        let entries: Vec<aws::PutEventsResultEntry> = answers
            .map(|answer| match answer {
                Ok(id) => aws::PutEventsResultEntry { event_id: Some(id), ..Default::default() },
                Err(Refused { code, message }) => aws::PutEventsResultEntry {
                    event_id: None,
                    error_code: Some(code.to_owned()),
                    error_message: Some(message),
                },
            })
            .collect();
        let failed = entries.iter().filter(|entry| entry.error_code.is_some()).count();
        let failed_entry_count = Some(i32::try_from(failed).unwrap_or(i32::MAX));
        Ok(aws::PutEventsResponse { failed_entry_count, entries: Some(entries) })
    }
}

/// What AWS counts: 14 bytes for the time, and the texts.
fn size(entry: &aws::PutEventsRequestEntry) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let resources = entry.resources.iter().flatten().map(String::len).sum::<usize>();
    let time = if entry.time.is_some() { 14 } else { 0 };
    time + text(&entry.source) + text(&entry.detail_type) + text(&entry.detail) + resources
}
