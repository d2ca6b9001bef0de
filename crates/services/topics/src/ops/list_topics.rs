//! `ListTopics`: in order of name.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::sns::{ListTopics, ListTopicsInput, ListTopicsResponse, Topic as Shown};

use super::{everything, page};
use crate::Topics;
use crate::model::Scope;

impl Handle<ListTopics> for Topics {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, _input: &ListTopicsInput) -> Arn {
        everything(call)
    }

    async fn handle(&self, call: &Call, input: ListTopicsInput) -> Result<ListTopicsResponse, Fault> {
        let after = page::read(input.next_token.as_deref())?;
        let halls = self.table.list(&Scope::of(call), after.as_deref(), page::PAGE + 1);
        let (halls, next_token) = page::cut(halls, |hall| hall.topic().name.to_string());
        let topics = halls.iter().map(|hall| Shown { topic_arn: Some(hall.topic().arn()) }).collect();
        Ok(ListTopicsResponse { topics: Some(topics), next_token })
    }
}
