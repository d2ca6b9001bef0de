//! What a service's model says about it as a whole: its names, its protocols, its operations, its exceptions.

use contract::OperationId;

use crate::Schema;

/// One service, served in part or whole.
#[derive(Debug)]
pub struct Service {
    /// The model's folder, such as `lambda`.
    pub name: &'static str,
    /// The name in signatures' scopes.
    pub signing_name: &'static str,
    /// The first label of its AWS host names.
    pub endpoint_prefix: &'static str,
    /// The model's version, which the query protocol sends along.
    pub api_version: &'static str,
    /// The protocols that it speaks; the first is the one that clients without a choice use.
    pub protocols: &'static [Protocol],
    /// What `X-Amz-Target` begins with, and the name in rpc-v2 paths; empty where the protocol has none.
    pub target_prefix: &'static str,
    /// The namespace of XML answers; empty where there is none.
    pub xml_namespace: &'static str,
    /// Whether faults carry `x-amzn-query-error`, for clients that knew the service when it spoke query.
    pub query_compatible: bool,
    /// The code for input that breaks a rule.
    pub invalid: &'static str,
    /// The code for input that cannot be read.
    pub malformed: &'static str,
    /// The code for required members that are not there, where the service has one of its own.
    pub missing: Option<&'static str>,
    /// Values of the member `Type` in exceptions that have one: for the caller's doing, and for the service's.
    pub fault_types: Option<(&'static str, &'static str)>,
    /// Whether answers carry the CRC-32 of their bodies, in `x-amz-crc32`.
    pub checksummed: bool,
    /// Every operation of the model.
    pub operations: &'static [OperationModel],
    /// The exceptions of the served operations.
    pub exceptions: &'static [Exception],
}

/// How requests and answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP bindings, JSON bodies.
    RestJson,
    /// HTTP bindings, XML bodies.
    RestXml,
    /// `X-Amz-Target`, JSON of type `application/x-amz-json-1.0`.
    Json10,
    /// `X-Amz-Target`, JSON of type `application/x-amz-json-1.1`.
    Json11,
    /// Forms in, XML out.
    Query,
    /// EC2's own kind of query.
    Ec2,
    /// `/service/NAME/operation/NAME`, CBOR both ways.
    Cbor,
}

/// One operation.
#[derive(Debug)]
pub struct OperationModel {
    /// Its name.
    pub id: OperationId,
    /// The HTTP method.
    pub method: &'static str,
    /// The path pattern, with labels and query literals: `/2015-03-31/functions/{FunctionName}?a=b`.
    pub uri: &'static str,
    /// The status of a good answer.
    pub status: u16,
    /// What it is given and answers; `None` where it is not served.
    pub shapes: Option<Shapes>,
}

/// The input and output of a served operation.
#[derive(Clone, Copy, Debug)]
pub struct Shapes {
    /// What it is given.
    pub input: &'static Schema,
    /// What it answers.
    pub output: &'static Schema,
}

/// One exception.
#[derive(Debug)]
pub struct Exception {
    /// The name that clients match on.
    pub code: &'static str,
    /// The code that clients of the query protocol match on, where it is another.
    pub query_code: &'static str,
    /// Its members.
    pub schema: &'static Schema,
    /// The status, where the model gives one.
    pub status: Option<u16>,
    /// Whether it is the caller's doing.
    pub sender: bool,
}

impl OperationModel {
    /// An operation that is served.
    pub const fn served(
        (service, name): (&'static str, &'static str),
        (method, uri, status): (&'static str, &'static str, u16),
        input: &'static Schema,
        output: &'static Schema,
    ) -> Self {
        Self { id: OperationId { service, name }, method, uri, status, shapes: Some(Shapes { input, output }) }
    }

    /// An operation that the model has and nobody serves.
    pub const fn unserved(
        (service, name): (&'static str, &'static str),
        (method, uri, status): (&'static str, &'static str, u16),
    ) -> Self {
        Self { id: OperationId { service, name }, method, uri, status, shapes: None }
    }

    /// Whether it is served.
    pub fn is_served(&self) -> bool {
        self.shapes.is_some()
    }
}

impl Service {
    /// The operation of that name.
    pub fn operation(&self, name: &str) -> Option<&'static OperationModel> {
        self.operations.iter().find(|operation| operation.id.name == name)
    }

    /// The exception that a fault of that code is.
    pub fn exception(&self, code: &str) -> Option<&'static Exception> {
        self.exceptions.iter().find(|exception| exception.code == code || exception.query_code == code)
    }
}
