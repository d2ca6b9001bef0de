//! The resource policy of a function, version or alias: statements, each added by one `AddPermission`.

use contract::Fault;
use serde_json::{Map, Value, json};

use crate::faults;

/// The statements of one resource, in the order in which they were added.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    /// By unique id.
    pub statements: Vec<Statement>,
}

/// One permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its name in this policy.
    pub sid: String,
    /// `lambda:InvokeFunction`.
    pub action: String,
    /// Who may.
    pub principal: PrincipalForm,
    /// And when.
    pub conditions: Conditions,
}

/// The forms that `Principal` has in a policy document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrincipalForm {
    /// Everybody: `"*"`.
    Everybody,
    /// `{"Service": "s3.amazonaws.com"}`.
    Service(String),
    /// `{"AWS": "arn:aws:iam::…"}`.
    Aws(String),
}

/// What must hold besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// The ARN of what calls, perhaps with wildcards.
    pub source_arn: Option<String>,
    /// The account of what calls.
    pub source_account: Option<String>,
    /// The organisation of the caller.
    pub principal_org_id: Option<String>,
    /// A shared secret of a partner.
    pub event_source_token: Option<String>,
    /// `NONE` or `AWS_IAM`.
    pub function_url_auth_type: Option<String>,
    /// Whether the call must come through a function URL.
    pub invoked_via_function_url: Option<bool>,
}

impl PrincipalForm {
    /// Reads `Principal` of `AddPermission`: a service, an account, an ARN or everybody.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let is_account = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        if text == "*" {
            Ok(Self::Everybody)
        } else if text.ends_with(".amazonaws.com") || text.ends_with(".amazon.com") {
            Ok(Self::Service(text.to_owned()))
        } else if is_account {
            Ok(Self::Aws(format!("arn:aws:iam::{text}:root")))
        } else if text.starts_with("arn:aws") && (text.contains(":iam:") || text.contains(":sts:")) {
            Ok(Self::Aws(text.to_owned()))
        } else {
            Err(faults::invalid("The provided principal was invalid. Please check the principal and try again."))
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Everybody => json!("*"),
            Self::Service(name) => json!({ "Service": name }),
            Self::Aws(arn) => json!({ "AWS": arn }),
        }
    }
}

impl Conditions {
    /// By operator, as AWS writes them; none if there is no condition.
    fn to_json(&self) -> Option<Value> {
        let equals = [
            ("lambda:FunctionUrlAuthType", &self.function_url_auth_type),
            ("aws:PrincipalOrgID", &self.principal_org_id),
            ("AWS:SourceAccount", &self.source_account),
            ("lambda:EventSourceToken", &self.event_source_token),
        ];
        let equals: Map<String, Value> =
            equals.iter().filter_map(|(key, value)| Some(((*key).to_owned(), json!(value.as_ref()?)))).collect();
        let mut operators = Map::new();
        if !equals.is_empty() {
            operators.insert("StringEquals".into(), Value::Object(equals));
        }
        if let Some(flag) = self.invoked_via_function_url {
            operators.insert("Bool".into(), json!({ "lambda:InvokedViaFunctionUrl": flag.to_string() }));
        }
        if let Some(arn) = &self.source_arn {
            operators.insert("ArnLike".into(), json!({ "AWS:SourceArn": arn }));
        }
        (!operators.is_empty()).then_some(Value::Object(operators))
    }
}

impl Statement {
    /// The statement as AWS writes it.
    pub fn to_json(&self, resource: &str) -> Value {
        let mut statement = json!({
            "Sid": self.sid,
            "Effect": "Allow",
            "Principal": self.principal.to_json(),
            "Action": self.action,
            "Resource": resource,
        });
        if let Some(conditions) = self.conditions.to_json() {
            statement["Condition"] = conditions;
        }
        statement
    }
}

impl Policy {
    /// The longest document.
    pub const BYTES_MAX: usize = 20_480;

    /// Adds a statement, whose id must be new; refuses what would make the document too long.
    pub fn add(&mut self, statement: Statement, resource: &str) -> Result<(), Fault> {
        if self.statements.iter().any(|known| known.sid == statement.sid) {
            return Err(faults::conflict(format!(
                "The statement id ({}) provided already exists. Please provide a new statement id, or remove the existing \
                 statement.",
                statement.sid
            )));
        }
        self.statements.push(statement);
        let bytes = self.document(resource).len();
        if bytes > Self::BYTES_MAX {
            self.statements.pop();
            return Err(faults::policy_too_long(bytes, Self::BYTES_MAX));
        }
        Ok(())
    }

    /// Takes a statement out.
    pub fn remove(&mut self, sid: &str) -> Result<(), Fault> {
        let before = self.statements.len();
        self.statements.retain(|known| known.sid != sid);
        if self.statements.len() == before {
            return Err(faults::not_found(format!("Statement {sid} is not found in resource policy.")));
        }
        Ok(())
    }

    /// The document, as `GetPolicy` gives it and the policy engine reads it.
    pub fn document(&self, resource: &str) -> String {
        let statements: Vec<Value> = self.statements.iter().map(|statement| statement.to_json(resource)).collect();
        json!({ "Version": "2012-10-17", "Id": "default", "Statement": statements }).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:greet";

    fn statement(sid: &str, principal: &str) -> Statement {
        Statement {
            sid: sid.into(),
            action: "lambda:InvokeFunction".into(),
            principal: PrincipalForm::parse(principal).expect("it is good"),
            conditions: Conditions::default(),
        }
    }

    #[test]
    fn principals_take_the_forms_of_policy_documents() {
        for (text, expected) in [
            ("*", json!("*")),
            ("s3.amazonaws.com", json!({"Service": "s3.amazonaws.com"})),
            ("123456789012", json!({"AWS": "arn:aws:iam::123456789012:root"})),
            ("arn:aws:iam::123456789012:role/x", json!({"AWS": "arn:aws:iam::123456789012:role/x"})),
        ] {
            assert_eq!(PrincipalForm::parse(text).map(|form| form.to_json()), Ok(expected), "{text}");
        }
        for text in ["", "me", "12345678901", "arn:aws:s3:::bucket"] {
            assert!(PrincipalForm::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_document_reads_as_aws_writes_it() {
        let mut policy = Policy::default();
        let conditions = Conditions {
            source_arn: Some("arn:aws:s3:::bucket".into()),
            source_account: Some("123456789012".into()),
            ..Conditions::default()
        };
        policy.add(Statement { conditions, ..statement("one", "s3.amazonaws.com") }, ARN).expect("it is new");
        let document = policy.document(ARN);
        assert_eq!(
            document,
            format!(
                r#"{{"Version":"2012-10-17","Id":"default","Statement":[{{"Sid":"one","Effect":"Allow","Principal":{{"Service":"s3.amazonaws.com"}},"Action":"lambda:InvokeFunction","Resource":"{ARN}","Condition":{{"StringEquals":{{"AWS:SourceAccount":"123456789012"}},"ArnLike":{{"AWS:SourceArn":"arn:aws:s3:::bucket"}}}}}}]}}"#
            )
        );
        policy::Policy::parse(&document, policy::Kind::Resource).expect("the policy engine reads what we write");
    }

    #[test]
    fn statement_ids_are_unique_and_the_document_is_bounded() {
        let mut policy = Policy::default();
        policy.add(statement("one", "*"), ARN).expect("it is new");
        let fault = policy.add(statement("one", "*"), ARN).expect_err("it is there");
        assert_eq!(
            fault.message,
            "The statement id (one) provided already exists. Please provide a new statement id, or remove the existing statement."
        );
        assert_eq!(
            policy.remove("two").expect_err("it is not there").message,
            "Statement two is not found in resource policy."
        );
        let refused = (0..1000).find_map(|n| policy.add(statement(&format!("s{n}"), "*"), ARN).err());
        assert_eq!(refused.map(|fault| fault.code).as_deref(), Some("PolicyLengthExceededException"));
        assert!(policy.document(ARN).len() <= Policy::BYTES_MAX);
        assert_eq!(policy.remove("one"), Ok(()));
    }
}
