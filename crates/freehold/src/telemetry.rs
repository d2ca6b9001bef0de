//! What this process logs about itself, on standard error: for whoever runs a node, not for whoever uses a command. Functions that fail are
//! told to their author in a way of their own ([`crate::failures`]).

use tracing_subscriber::filter::{FilterExt, LevelFilter, Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::cli::{LogFormat, Shared};
use crate::failures::{Failures, TARGET};
use crate::problem::Problem;
use crate::session::Session;

/// Begins. Call it once.
pub(crate) fn start(shared: &Shared, session: &Session) -> Result<(), Problem> {
    let filter = EnvFilter::builder().parse(&shared.log_level).map_err(|error| {
        Problem::usage(format!("--log-level '{}' is not understood: {error}.", shared.log_level))
            .advise("Write a level (error, warn, info, debug, trace), or levels by part: warn,dispatch=debug")
    })?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match shared.log_format {
        LogFormat::Text => {
            let filter = filter.and(filter_fn(|event| event.target() != TARGET));
            let lines = lines.with_ansi(session.screen.err.colour()).compact().with_target(true).with_filter(filter);
            let failures = Failures::new(session.screen.clone(), session.clock.clone());
            let failures = failures.with_filter(Targets::new().with_target(TARGET, LevelFilter::INFO));
            tracing_subscriber::registry().with(lines).with(failures).init();
        }
        LogFormat::Json => {
            tracing_subscriber::registry().with(lines.json().flatten_event(true).with_filter(filter)).init();
        }
    }
    Ok(())
}
