//! `TestEventPattern`: whether a pattern wants an event.

use contract::{Arn, Call, Effect, Fault, Handle};
use pattern::Pattern;
use serde_json::Value;
use wire::events as aws;

use crate::Events;
use crate::error::Error;

impl Handle<aws::TestEventPattern> for Events {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, _call: &Call, _input: &aws::TestEventPatternRequest) -> Arn {
        Arn::any()
    }

    async fn handle(
        &self,
        _call: &Call,
        input: aws::TestEventPatternRequest,
    ) -> Result<aws::TestEventPatternResponse, Fault> {
        let pattern = Pattern::compile(&input.event_pattern).map_err(Error::from)?;
        let event: Value = match serde_json::from_str(&input.event) {
            Ok(event @ Value::Object(_)) => event,
            Ok(_) | Err(_) => return Err(Error::invalid("Parameter Event is not valid.").into()),
        };
        Ok(aws::TestEventPatternResponse { result: Some(pattern.matches(&event)) })
    }
}
