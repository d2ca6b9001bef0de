//! `StartPipe` and `StopPipe`. What is in hand when a pipe is stopped gets through.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::pipes::{StartPipe, StartPipeRequest, StartPipeResponse, StopPipe, StopPipeRequest, StopPipeResponse};

use super::{resource, time, wanted};
use crate::Pipes;
use crate::model::{Pipe, Scope};

impl Handle<StartPipe> for Pipes {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &StartPipeRequest) -> Arn {
        resource(call, &input.name)
    }

    async fn handle(&self, call: &Call, input: StartPipeRequest) -> Result<StartPipeResponse, Fault> {
        let scope = &Scope::of(call);
        let pipe = self.turn(scope, &input.name, |pipe| pipe.running = true).await?;
        Ok(StartPipeResponse {
            arn: Some(scope.arn(&pipe.name).to_string()),
            desired_state: Some(wanted(&pipe).into()),
            current_state: Some("STARTING".into()),
            creation_time: time(pipe.created_ms),
            last_modified_time: time(pipe.modified_ms),
            name: Some(pipe.name),
        })
    }
}

impl Handle<StopPipe> for Pipes {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &StopPipeRequest) -> Arn {
        resource(call, &input.name)
    }

    async fn handle(&self, call: &Call, input: StopPipeRequest) -> Result<StopPipeResponse, Fault> {
        let scope = &Scope::of(call);
        let pipe = self.turn(scope, &input.name, |pipe| pipe.running = false).await?;
        Ok(StopPipeResponse {
            arn: Some(scope.arn(&pipe.name).to_string()),
            desired_state: Some(wanted(&pipe).into()),
            current_state: Some("STOPPING".into()),
            creation_time: time(pipe.created_ms),
            last_modified_time: time(pipe.modified_ms),
            name: Some(pipe.name),
        })
    }
}

impl Pipes {
    async fn turn(&self, scope: &Scope, name: &str, turn: fn(&mut Pipe)) -> Result<Pipe, Fault> {
        let now_ms = self.now_ms();
        self.change(scope, name, |pipe| {
            turn(pipe);
            pipe.modified_ms = now_ms;
            Ok(())
        })
        .await
    }
}
