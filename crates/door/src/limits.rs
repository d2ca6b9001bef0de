//! What the door bears, and what happens beyond.

use std::time::Duration;

use contract::{Cause, Fault, OperationId};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The limits of a door.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once, at each address that is listened on. Beyond it the door stops accepting: new ones wait in the
    /// kernel's queue. Default: 10,000.
    pub connections_max: usize,
    /// Connections at once of one client: an IPv4 address, an IPv6 network of 64 bits; programs on this machine are not counted.
    /// Beyond it: closed at once. Default: 2,500.
    pub connections_per_client_max: usize,
    /// Requests at once, on all connections, until their answers are handed over. Beyond it: 503 with `Retry-After`. Default:
    /// 8,192.
    pub requests_max: usize,
    /// Bytes of bodies that are on their way, of all requests together. Beyond it: 503 with `Retry-After` for the one that has no
    /// room. Default: 512 MiB.
    pub bodies_bytes_max: usize,
    /// How long a request's head may take; the connection is closed between one and two times this. Default: 30 s.
    pub head_time_max: Duration,
    /// How long a body may take for every 16 KiB of it. Beyond it: 408; and the connection of a client that does not take its
    /// answer is closed between one and two times this. Default: 30 s.
    pub body_stall_max: Duration,
    /// How long a connection may pass without a request; it is closed between one and two times this. Default: 75 s.
    pub idle_max: Duration,
    /// A request's head: all of its lines. Beyond it: 431. Default: 64 KiB.
    pub head_bytes_max: usize,
    /// Streams at once on one HTTP/2 connection; more wait. Default: 250.
    pub streams_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            connections_per_client_max: 2_500,
            requests_max: 8_192,
            bodies_bytes_max: 512 << 20,
            head_time_max: Duration::from_secs(30),
            body_stall_max: Duration::from_secs(30),
            idle_max: Duration::from_secs(75),
            head_bytes_max: 64 << 10,
            streams_max: 250,
        }
    }
}

impl Limits {
    /// The usual ones, as far as this process's descriptors reach. A connection holds one, and so do a function's pipes and the
    /// store's files: whoever opens connections must not be able to take them all. The system's soft limit is often a thousand, for
    /// programs that cannot count further; it is raised to the hard one first.
    pub fn of_this_process() -> Self {
        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: limit.maximum, ..limit };
        let descriptors = match setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit.maximum,
            Err(error) => {
                tracing::warn!(%error, "the limit of open files could not be raised");
                limit.current
            }
        };
        Self::within(descriptors.unwrap_or(u64::MAX))
    }

    /// A quarter for each of the two addresses that a node may listen on.
    fn within(descriptors: u64) -> Self {
        let usual = Self::default();
        let connections_max = usize::try_from(descriptors / 4).unwrap_or(usize::MAX).clamp(1, usual.connections_max);
        Self { connections_max, connections_per_client_max: (connections_max / 4).max(1), ..usual }
    }
}

/// The largest body of operations that say nothing else: AWS's limit for a function's event, which is also more than most
/// others take in one request.
pub(crate) const BODY_BYTES_MAX: usize = 6 << 20;
/// The largest body that carries a code package, as AWS has it: 50 MB, in base64, and some settings.
const PACKAGE_BODY_BYTES_MAX: usize = 70_167_211;

/// The largest body of writes of many items: AWS takes so much of a batch, whose items may have 10 MB, and those of a transaction 4 MB,
/// before they are written as JSON.
const ITEMS_BODY_BYTES_MAX: usize = 16 << 20;

/// The largest body of an operation.
pub(crate) fn body_bytes_max(id: OperationId) -> usize {
    match (id.service, id.name) {
        ("lambda", "CreateFunction" | "UpdateFunctionCode" | "PublishLayerVersion") => PACKAGE_BODY_BYTES_MAX,
        ("dynamodb", "BatchWriteItem" | "TransactWriteItems" | "BatchExecuteStatement" | "ExecuteTransaction") => {
            ITEMS_BODY_BYTES_MAX
        }
        _ => BODY_BYTES_MAX,
    }
}

/// The fault for a larger one, as AWS words it.
pub(crate) fn body_too_large(operation: &str, limit: usize) -> Fault {
    let message = format!("Request must be smaller than {limit} bytes for the {operation} operation");
    let mut fault = Fault::new(Cause::TooLarge, "RequestEntityTooLargeException", message);
    fault.status = Some(413);
    fault
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_take_what_aws_takes() {
        for (service, name, expected) in [
            ("lambda", "Invoke", 6 << 20),
            ("lambda", "CreateFunction", 70_167_211),
            ("dynamodb", "PutItem", 6 << 20),
            ("dynamodb", "BatchWriteItem", 16 << 20),
            ("dynamodb", "TransactWriteItems", 16 << 20),
        ] {
            assert_eq!(body_bytes_max(OperationId { service, name }), expected, "{name}");
        }
    }

    #[test]
    fn connections_leave_descriptors_for_others() {
        for (descriptors, all, each) in [
            (0, 1, 1),
            (256, 64, 16),
            (1024, 256, 64),
            (20_000, 5_000, 1_250),
            (524_288, 10_000, 2_500),
            (u64::MAX, 10_000, 2_500),
        ] {
            let limits = Limits::within(descriptors);
            assert_eq!((limits.connections_max, limits.connections_per_client_max), (all, each), "{descriptors}");
        }
        let usual = Limits::default();
        assert_eq!(
            (usual.connections_max, usual.connections_per_client_max),
            (10_000, 2_500),
            "without a system's limit"
        );
    }
}
