//! What this process logs about itself, on standard error: for whoever runs a node, not for whoever uses a command.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::cli::{LogFormat, Shared};
use crate::problem::Problem;

/// Begins. Call it once.
pub(crate) fn start(shared: &Shared) -> Result<(), Problem> {
    let filter = EnvFilter::builder().parse(&shared.log_level).map_err(|error| {
        Problem::usage(format!("--log-level '{}' is not understood: {error}.", shared.log_level))
            .advise("Write a level (error, warn, info, debug, trace), or levels by part: warn,dispatch=debug")
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match shared.log_format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).compact().with_target(true).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    Ok(())
}
