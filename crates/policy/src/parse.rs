//! JSON to compiled policy, with the faults that IAM has for documents that break its grammar.

use serde_json::{Map, Value};

use crate::condition::Condition;
use crate::document::{Actions, Effect, Kind, Policy, Principals, Resources, Statement};
use crate::operator::Operator;
use crate::pattern::{ArnPattern, Case, Pattern, Syntax};
use crate::principal::Member;

/// A document that is no policy: AWS's `MalformedPolicyDocument` (each service has its own name for the fault). The texts are
/// AWS's where AWS has one that tells, and name the offending value where AWS's does not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// No JSON, or not the form of a policy.
    #[error("Syntax errors in policy. ({0})")]
    Syntax(String),
    /// Longer than [`Policy::BYTES_MAX`].
    #[error("The policy is {bytes} bytes long; the limit is {} bytes.", Policy::BYTES_MAX)]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// An element that is needed.
    #[error("Missing required field {0}")]
    Missing(&'static str),
    /// An element that may not be there.
    #[error("Has prohibited field {0}")]
    Prohibited(&'static str),
    /// A version that does not exist.
    #[error("Policy document must be version 2012-10-17 or greater.")]
    Version,
    /// `Effect` is neither of its two words.
    #[error("Invalid effect: {0}")]
    EffectUnknown(String),
    /// A statement without `Action` and `NotAction`.
    #[error("Policy statement must contain actions.")]
    NoActions,
    /// A statement of an identity policy without `Resource` and `NotResource`.
    #[error("Policy statement must contain resources.")]
    NoResources,
    /// An identity policy with principals.
    #[error("Policy document should not specify a principal.")]
    PrincipalProhibited,
    /// No such principal.
    #[error("Invalid principal in policy: \"{kind}\":\"{value}\"")]
    PrincipalUnknown {
        /// `AWS`, `Service` and so on.
        kind: String,
        /// What was given.
        value: String,
    },
    /// An action without its service.
    #[error("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")]
    NoVendor,
    /// An action with more than one colon.
    #[error("Actions/Condition can contain only one colon.")]
    TwoColons,
    /// A service that cannot be one.
    #[error("Vendor {0} is not valid")]
    VendorUnknown(String),
    /// A resource that is no ARN.
    #[error("Resource {0} must be in ARN format or \"*\".")]
    ResourceForm(String),
    /// A resource of no AWS partition.
    #[error("Partition \"{partition}\" is not valid for resource \"{resource}\".")]
    Partition {
        /// What was given.
        partition: String,
        /// Where.
        resource: String,
    },
    /// A trust policy about anything but assuming the role.
    #[error("AssumeRole policy may only specify STS AssumeRole actions.")]
    TrustAction,
    /// An unknown condition operator.
    #[error("Invalid Condition type : {0}.")]
    OperatorUnknown(String),
    /// A value that the operator cannot take.
    #[error("Invalid value \"{value}\" for condition type {operator} and key {key}.")]
    ConditionValue {
        /// The operator.
        operator: String,
        /// The condition key.
        key: String,
        /// What was given.
        value: String,
    },
    /// A statement id with characters that it may not have.
    #[error(
        "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
    )]
    SidForm,
    /// Two statements with one id.
    #[error("Statement IDs (SID) in a single policy must be unique.")]
    SidTwice,
}

use Malformed as M;

pub(crate) fn policy(text: &str, kind: Kind) -> Result<Policy, Malformed> {
    if text.len() > Policy::BYTES_MAX {
        return Err(M::TooLong { bytes: text.len() });
    }
    let document: Value = serde_json::from_str(text).map_err(|error| M::Syntax(error.to_string()))?;
    let fields = object(&document, "the policy")?;
    only(fields, &["Version", "Id", "Statement"])?;
    let version = version(fields.get("Version"))?;
    if fields.get("Id").is_some_and(|id| !id.is_string()) {
        return Err(M::Syntax("Id must be a string".into()));
    }
    let reader = Reader { kind, variables: version == Version::V2012 };
    let statements = match fields.get("Statement").ok_or(M::Missing("Statement"))? {
        Value::Array(list) => list.iter().map(|one| reader.statement(one)).collect::<Result<Box<[_]>, _>>()?,
        one @ Value::Object(_) => Box::new([reader.statement(one)?]),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Err(M::Syntax("Statement must be an object or a list of objects".into()));
        }
    };
    if statements.is_empty() && kind != Kind::Resource {
        return Err(M::Missing("Statement"));
    }
    let mut sids: Vec<&str> = statements.iter().filter_map(|statement| statement.sid.as_deref()).collect();
    sids.sort_unstable();
    match sids.windows(2).any(|pair| pair[0] == pair[1]) {
        true => Err(M::SidTwice),
        false => Ok(Policy { statements }),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    /// Without variables: `${…}` is plain text.
    V2008,
    V2012,
}

fn version(value: Option<&Value>) -> Result<Version, Malformed> {
    match value {
        None => Ok(Version::V2008),
        Some(Value::String(text)) if text == "2012-10-17" => Ok(Version::V2012),
        Some(Value::String(text)) if text == "2008-10-17" => Ok(Version::V2008),
        Some(_) => Err(M::Version),
    }
}

struct Reader {
    kind: Kind,
    variables: bool,
}

impl Reader {
    fn statement(&self, value: &Value) -> Result<Statement, Malformed> {
        let fields = object(value, "a statement")?;
        only(
            fields,
            &[
                "Sid",
                "Effect",
                "Principal",
                "NotPrincipal",
                "Action",
                "NotAction",
                "Resource",
                "NotResource",
                "Condition",
            ],
        )?;
        let effect = effect(fields)?;
        Ok(Statement {
            sid: self.sid(fields)?,
            effect,
            principals: self.principals(fields, effect)?,
            actions: self.actions(fields)?,
            resources: self.resources(fields)?,
            conditions: self.conditions(fields)?,
        })
    }

    fn sid(&self, fields: &Map<String, Value>) -> Result<Option<Box<str>>, Malformed> {
        match fields.get("Sid") {
            None => Ok(None),
            Some(Value::String(sid)) if sid.is_empty() => Ok(None),
            // Services allow more in the policies of their resources (Lambda: hyphens and underscores; S3: spaces).
            Some(Value::String(sid))
                if self.kind == Kind::Resource || sid.bytes().all(|b| b.is_ascii_alphanumeric()) =>
            {
                Ok(Some(sid.as_str().into()))
            }
            Some(Value::String(_)) => Err(M::SidForm),
            Some(_) => Err(M::Syntax("Sid must be a string".into())),
        }
    }

    fn principals(&self, fields: &Map<String, Value>, effect: Effect) -> Result<Principals, Malformed> {
        let given = either(fields, "Principal", "NotPrincipal")?;
        match (self.kind, given) {
            (Kind::Identity, None) => Ok(Principals::Holder),
            (Kind::Identity, Some(_)) => Err(M::PrincipalProhibited),
            (Kind::Resource | Kind::Trust, None) => Err(M::Missing("Principal")),
            (Kind::Resource | Kind::Trust, Some(Element::These(value))) => members(value).map(Principals::These),
            (Kind::Resource | Kind::Trust, Some(Element::AllBut(value))) => match effect {
                // "Everybody but" would allow strangers.
                Effect::Allow => Err(M::Syntax("Allow with NotPrincipal is not allowed".into())),
                Effect::Deny => members(value).map(Principals::AllBut),
            },
        }
    }

    fn actions(&self, fields: &Map<String, Value>) -> Result<Actions, Malformed> {
        let compile = |value: &Value| {
            let names = texts(value, "Action")?;
            names.iter().map(|name| self.action(name)).collect::<Result<Box<[_]>, _>>()
        };
        match either(fields, "Action", "NotAction")? {
            Some(Element::These(value)) => compile(value).map(Actions::These),
            Some(Element::AllBut(_)) if self.kind == Kind::Trust => Err(M::Prohibited("NotAction")),
            Some(Element::AllBut(value)) => compile(value).map(Actions::AllBut),
            None => Err(M::NoActions),
        }
    }

    fn action(&self, name: &str) -> Result<Pattern, Malformed> {
        if name != "*" {
            let (vendor, rest) = name.split_once(':').ok_or(M::NoVendor)?;
            if rest.contains(':') {
                return Err(M::TwoColons);
            }
            if vendor.is_empty() || !vendor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
                return Err(M::VendorUnknown(vendor.into()));
            }
            if rest.is_empty() {
                return Err(M::Syntax(format!("the action {name} names none")));
            }
        }
        let about_assuming = ["sts:assumerole", "sts:tagsession", "sts:setsourceidentity", "sts:setcontext"];
        let lower = name.to_ascii_lowercase();
        if self.kind == Kind::Trust
            && !about_assuming.iter().any(|prefix| lower.starts_with(prefix))
            && lower != "sts:*"
        {
            return Err(M::TrustAction);
        }
        let syntax = Syntax { wildcards: true, variables: false };
        Pattern::compile(name, syntax, Case::Folded).map_err(M::Syntax)
    }

    fn resources(&self, fields: &Map<String, Value>) -> Result<Resources, Malformed> {
        let compile = |value: &Value| {
            let arns = texts(value, "Resource")?;
            arns.iter().map(|arn| self.resource(arn)).collect::<Result<Box<[_]>, _>>()
        };
        match (self.kind, either(fields, "Resource", "NotResource")?) {
            (Kind::Trust, Some(_)) => Err(M::Prohibited("Resource")),
            (Kind::Trust | Kind::Resource, None) => Ok(Resources::Own),
            (Kind::Identity, None) => Err(M::NoResources),
            (Kind::Identity | Kind::Resource, Some(Element::These(value))) => compile(value).map(Resources::These),
            (Kind::Identity | Kind::Resource, Some(Element::AllBut(value))) => compile(value).map(Resources::AllBut),
        }
    }

    fn resource(&self, arn: &str) -> Result<ArnPattern, Malformed> {
        if arn != "*" {
            let rest = arn.strip_prefix("arn:").ok_or_else(|| M::ResourceForm(arn.into()))?;
            let partition = rest.split(':').next().unwrap_or_default();
            if partition != "*" && !partition.starts_with("aws") {
                return Err(M::Partition { partition: partition.into(), resource: arn.into() });
            }
        }
        let syntax = Syntax { wildcards: true, variables: self.variables };
        ArnPattern::compile(arn, syntax).map_err(|_| M::ResourceForm(arn.into()))
    }

    fn conditions(&self, fields: &Map<String, Value>) -> Result<Box<[Condition]>, Malformed> {
        let Some(value) = fields.get("Condition") else { return Ok(Box::default()) };
        let mut conditions = Vec::new();
        for (name, keys) in object(value, "Condition")? {
            let operator = Operator::parse(name).ok_or_else(|| M::OperatorUnknown(name.clone()))?;
            for (key, values) in object(keys, name)? {
                if key.is_empty() {
                    return Err(M::NoVendor);
                }
                let values = texts(values, key)?;
                let condition = Condition::compile(operator, key, &values, self.variables)
                    .map_err(|value| M::ConditionValue { operator: name.clone(), key: key.clone(), value })?;
                conditions.push(condition);
            }
        }
        Ok(conditions.into())
    }
}

fn effect(fields: &Map<String, Value>) -> Result<Effect, Malformed> {
    match fields.get("Effect").ok_or(M::Missing("Effect"))? {
        Value::String(text) if text == "Allow" => Ok(Effect::Allow),
        Value::String(text) if text == "Deny" => Ok(Effect::Deny),
        other => Err(M::EffectUnknown(other.as_str().map_or_else(|| other.to_string(), str::to_owned))),
    }
}

/// `X` or `NotX`.
enum Element<'a> {
    These(&'a Value),
    AllBut(&'a Value),
}

fn either<'a>(fields: &'a Map<String, Value>, these: &str, but: &str) -> Result<Option<Element<'a>>, Malformed> {
    match (fields.get(these), fields.get(but)) {
        (Some(_), Some(_)) => Err(M::Syntax(format!("a statement has {these} or {but}, not both"))),
        (Some(value), None) => Ok(Some(Element::These(value))),
        (None, Some(value)) => Ok(Some(Element::AllBut(value))),
        (None, None) => Ok(None),
    }
}

fn members(value: &Value) -> Result<Box<[Member]>, Malformed> {
    let unknown = |kind: &str, value: &str| M::PrincipalUnknown { kind: kind.into(), value: value.into() };
    if let Value::String(text) = value {
        return match text.as_str() {
            "*" => Ok(Box::new([Member::Everyone])),
            other => Err(unknown("AWS", other)),
        };
    }
    let mut members = Vec::new();
    for (kind, values) in object(value, "Principal")? {
        for text in texts(values, kind)? {
            let member = match kind.as_str() {
                "AWS" => Member::aws(&text),
                // `SERVICE.amazonaws.com`, in any partition's spelling.
                "Service" => (text.contains('.') && !text.contains('*')).then(|| Member::Service(text.as_str().into())),
                "Federated" | "CanonicalUser" => (!text.is_empty()).then(|| Member::Elsewhere(text.as_str().into())),
                _ => return Err(M::Syntax(format!("{kind} is no kind of principal"))),
            };
            members.push(member.ok_or_else(|| unknown(kind, &text))?);
        }
    }
    match members.is_empty() {
        true => Err(M::Missing("Principal")),
        false => Ok(members.into()),
    }
}

fn object<'a>(value: &'a Value, what: &str) -> Result<&'a Map<String, Value>, Malformed> {
    value.as_object().ok_or_else(|| M::Syntax(format!("{what} must be an object")))
}

fn only(fields: &Map<String, Value>, known: &[&str]) -> Result<(), Malformed> {
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(M::Syntax(format!("unknown element {name}"))),
        None => Ok(()),
    }
}

/// A string or a list of strings; numbers and truth values count as their spelling, as in AWS's grammar.
fn texts(value: &Value, what: &str) -> Result<Vec<String>, Malformed> {
    let text = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(truth) => Ok(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            Err(M::Syntax(format!("{what} must be a string or a list of strings")))
        }
    };
    match value {
        Value::Array(list) if list.is_empty() => Err(M::Syntax(format!("{what} is an empty list"))),
        Value::Array(list) => list.iter().map(text).collect(),
        one => Ok(vec![text(one)?]),
    }
}

#[cfg(test)]
#[path = "parse/tests.rs"]
mod tests;
