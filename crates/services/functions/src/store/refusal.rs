//! Why a transaction ended without a commit.

use contract::{Cause, Fault};

use crate::faults;

/// Why a transaction ended without a commit: a fault for the caller. Errors of the store are logged when they become one.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) Fault);

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self(fault)
    }
}

impl From<::store::Error> for Refusal {
    fn from(error: ::store::Error) -> Self {
        if error.is_transient() {
            tracing::warn!(%error, "the store refused for the moment");
            let mut fault =
                Fault::new(Cause::Unavailable, "ServiceException", error.to_string()).with("Type", "Service");
            fault.status = Some(503);
            return Self(fault);
        }
        if let ::store::Error::ValueTooLong { bytes, limit } = error {
            // Each member is within its own limits, and together they are more than a record holds.
            return Self(faults::invalid(format!(
                "The settings, tags or CORS lists of this function come to {bytes} bytes, and {limit} can be kept together: make \
                 them shorter."
            )));
        }
        tracing::error!(%error, "the store failed");
        Self(Fault::internal())
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        refusal.0
    }
}
