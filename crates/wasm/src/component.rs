//! A binary that is ready to run.

use std::fmt;

use wasmtime::InstancePre;
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::p3::bindings::CommandPre as CommandPre3;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::command::{self, Ran, Run};
use crate::engine::Engine;
use crate::failure::{Failed, Failure};
use crate::guest::{Guest, ModuleGuest};
use crate::service::Service;
use crate::settings::Settings;

/// What a component can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// To answer HTTP requests: [`Component::service`].
    Http,
    /// To run once: [`Component::run`].
    Command,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "an HTTP component",
            Self::Command => "a command",
        })
    }
}

/// A compiled binary, made by [`Engine::prepare`]. Cheap to clone; its code is freed with the last clone and the last guest.
#[derive(Clone)]
pub struct Component {
    pub(crate) engine: Engine,
    pub(crate) program: Program,
}

/// Compiled, linked and looked through for what is called. Cheap to clone.
#[derive(Clone)]
pub(crate) enum Program {
    Http(Http),
    Command(Command),
}

/// Answers requests.
#[derive(Clone)]
pub(crate) enum Http {
    /// WASI 0.2: an instance for each.
    Single(ProxyPre<Guest>),
    /// WASI 0.3.
    Shared(ServicePre<Guest>),
}

/// Runs once.
#[derive(Clone)]
pub(crate) enum Command {
    /// WASI 0.2.
    Component(CommandPre<Guest>),
    /// WASI 0.3.
    Concurrent(CommandPre3<Guest>),
    /// Preview 1.
    Module(InstancePre<ModuleGuest>),
}

impl Component {
    /// What it can be asked for.
    pub fn kind(&self) -> Kind {
        match &self.program {
            Program::Http(_) => Kind::Http,
            Program::Command(_) => Kind::Command,
        }
    }

    /// Something that answers requests with this component under `settings`. Keep it for as long as they hold: warm instances and
    /// outgoing connections are its own.
    pub fn service(&self, settings: Settings) -> Result<Service, Failure> {
        match &self.program {
            Program::Http(program) => Ok(Service::new(self.engine.clone(), program.clone(), settings)),
            Program::Command(_) => Err(Failure::Kind { kind: self.kind() }),
        }
    }

    /// Runs it once.
    pub async fn run(&self, settings: &Settings, run: Run) -> Result<Ran, Failed> {
        match &self.program {
            Program::Command(program) => command::run(&self.engine, program, settings, run).await,
            Program::Http(_) => Err(Failed::at_once(Failure::Kind { kind: self.kind() })),
        }
    }
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Component").field("kind", &self.kind()).finish_non_exhaustive()
    }
}
