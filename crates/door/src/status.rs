//! Which HTTP status a fault gets. The only place that decides.

use contract::{Cause, Fault};
use wire::Protocol;

/// The model's own status where it has one; else what the protocol's clients expect. The query and JSON protocols know
/// little more than "yours" and "mine".
pub(crate) fn of(fault: &Fault, protocol: Protocol) -> u16 {
    if let Some(status) = fault.status {
        return status;
    }
    match (fault.cause, protocol) {
        (Cause::Unserved, _) => 501,
        (Cause::Unavailable, _) => 503,
        (Cause::Internal, _) => 500,
        (Cause::TimedOut, _) => 504,
        (Cause::Throttled, _) => 429,
        (Cause::TooLarge, _) => 413,
        (Cause::Unauthenticated | Cause::Denied, Protocol::Json10 | Protocol::Json11 | Protocol::Cbor) => 400,
        (
            Cause::Unauthenticated | Cause::Denied,
            Protocol::RestJson | Protocol::RestXml | Protocol::Query | Protocol::Ec2,
        ) => 403,
        (Cause::Invalid, _) => 400,
        (Cause::NotFound, Protocol::RestJson | Protocol::RestXml) => 404,
        (Cause::Conflict, Protocol::RestJson | Protocol::RestXml) => 409,
        (
            Cause::NotFound | Cause::Conflict,
            Protocol::Json10 | Protocol::Json11 | Protocol::Cbor | Protocol::Query | Protocol::Ec2,
        ) => 400,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_what_clients_expect() {
        for (cause, rest, json) in [
            (Cause::Invalid, 400, 400),
            (Cause::Unauthenticated, 403, 400),
            (Cause::Denied, 403, 400),
            (Cause::NotFound, 404, 400),
            (Cause::Conflict, 409, 400),
            (Cause::TooLarge, 413, 413),
            (Cause::Throttled, 429, 429),
            (Cause::Unserved, 501, 501),
            (Cause::TimedOut, 504, 504),
            (Cause::Unavailable, 503, 503),
            (Cause::Internal, 500, 500),
        ] {
            let mut fault = Fault::new(cause, "X", "");
            assert_eq!((of(&fault, Protocol::RestJson), of(&fault, Protocol::Json11)), (rest, json), "{cause:?}");
            fault.status = Some(418);
            assert_eq!(of(&fault, Protocol::Query), 418);
        }
    }
}
