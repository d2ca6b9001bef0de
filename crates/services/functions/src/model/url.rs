//! A function's own address: who may call it, and what its answers say to browsers.

use contract::Fault;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::faults;
use crate::name::{FunctionName, Qualifier};

/// The URL of `$LATEST` or of an alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlConfig {
    /// 32 lower-case letters and digits: the first label of the host name.
    pub id: String,
    /// Who may call.
    pub auth: AuthType,
    /// What browsers may do.
    pub cors: Option<Cors>,
    /// Whether answers are sent as they come.
    pub mode: InvokeMode,
    /// Milliseconds since the epoch.
    pub created_ms: i64,
    /// Milliseconds since the epoch.
    pub modified_ms: i64,
}

/// `AuthType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthType {
    /// Everybody.
    None,
    /// Who signs, and is allowed to.
    AwsIam,
}

/// `InvokeMode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InvokeMode {
    /// The whole answer at once.
    #[default]
    Buffered,
    /// As it comes.
    ResponseStream,
}

/// `Cors`. Absent lists and empty ones are kept apart only by AWS's answers, so they are kept as given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    /// Whether cookies may be sent.
    pub allow_credentials: Option<bool>,
    /// Request headers.
    pub allow_headers: Option<Vec<String>>,
    /// Methods.
    pub allow_methods: Option<Vec<String>>,
    /// Origins.
    pub allow_origins: Option<Vec<String>>,
    /// Response headers that scripts see.
    pub expose_headers: Option<Vec<String>>,
    /// How long browsers may remember, in seconds.
    pub max_age_s: Option<u32>,
}

const METHODS: [&str; 8] = ["GET", "PUT", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "*"];

impl Cors {
    /// Refuses methods that are none and origins that no browser sends.
    pub fn check(&self) -> Result<(), Fault> {
        if let Some(method) = self.allow_methods.iter().flatten().find(|method| !METHODS.contains(&method.as_str())) {
            return Err(faults::validation(format!(
                "1 validation error detected: Value '[{method}]' at 'cors.allowMethods' failed to satisfy constraint: Member \
                 must satisfy constraint: [Member must satisfy enum value set: [{}]]",
                METHODS.join(", ")
            )));
        }
        if let Some(origin) = self.allow_origins.iter().flatten().find(|origin| !is_origin(origin)) {
            return Err(faults::invalid(format!(
                "The origin '{origin}' is none: write * or a scheme and a host, such as https://www.example.com, without a \
                 path."
            )));
        }
        if let Some(seconds) = self.max_age_s
            && seconds > 86_400
        {
            return Err(faults::validation(format!(
                "1 validation error detected: Value '{seconds}' at 'cors.maxAge' failed to satisfy constraint: Member must \
                 have value less than or equal to 86400"
            )));
        }
        Ok(())
    }
}

fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else { return text == "*" };
    let good_scheme = !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.*".contains(&b));
    let good_host = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:*[]".contains(&b));
    good_scheme && good_host
}

/// URLs belong to `$LATEST` (then without a qualifier) or to an alias; a version's number is refused, as on AWS.
pub fn check_qualifier(qualifier: Option<&Qualifier>) -> Result<(), Fault> {
    match qualifier {
        None | Some(Qualifier::Alias(_)) => Ok(()),
        Some(other @ (Qualifier::Latest | Qualifier::Version(_))) => Err(faults::validation(format!(
            "1 validation error detected: Value '{other}' at 'qualifier' failed to satisfy constraint: Member must satisfy \
             regular expression pattern: ((?!^\\d+$)^[0-9a-zA-Z-_]+$)"
        ))),
    }
}

/// Where a function answers, as seen by the client that asks, whose own way to the node is `base_url`.
///
/// `http://ID.lambda-url.REGION.HOST:PORT/`, with the host that the client used, so that it works from where it stands. An
/// address in numbers cannot have labels before it: loopback becomes `localhost`, which stays on the machine; anything else
/// gets the path form, which always works.
pub fn address(base_url: &str, region: &str, id: &str, name: &FunctionName, qualifier: Option<&Qualifier>) -> String {
    let (scheme, authority) = base_url.trim_end_matches('/').split_once("://").unwrap_or(("http", base_url));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            (host, format!(":{port}"))
        }
        Some(_) | None => (authority, String::new()),
    };
    let loopback = host.parse::<Ipv4Addr>().map(|ip| ip.is_loopback() || ip.is_unspecified()).ok().or_else(|| {
        let ip = host.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?;
        Some(ip.is_loopback() || ip.is_unspecified())
    });
    match loopback {
        Some(false) => {
            let qualifier = qualifier.map(|qualifier| format!(":{qualifier}")).unwrap_or_default();
            format!("{scheme}://{authority}/_fn/{name}{qualifier}/")
        }
        Some(true) => format!("{scheme}://{id}.lambda-url.{region}.localhost{port}/"),
        None => format!("{scheme}://{id}.lambda-url.{region}.{}{port}/", base_host(host)),
    }
}

/// The node's own name in names that clients put labels before, such as `lambda.us-east-1.localhost`.
fn base_host(host: &str) -> &str {
    const KNOWN: [&str; 2] = ["localhost.localstack.cloud", "localhost"];
    KNOWN
        .into_iter()
        .find(|known| host.strip_suffix(known).is_some_and(|labels| labels.is_empty() || labels.ends_with('.')))
        .unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_begin_where_the_client_stands() {
        let name = FunctionName::parse("greet").expect("it is well-formed");
        let alias = Qualifier::Alias("live".into());
        for (base, qualifier, expected) in [
            ("http://localhost:4566", None, "http://ID.lambda-url.us-east-1.localhost:4566/"),
            ("http://127.0.0.1:4566", None, "http://ID.lambda-url.us-east-1.localhost:4566/"),
            ("http://[::1]:4566", None, "http://ID.lambda-url.us-east-1.localhost:4566/"),
            ("http://lambda.us-east-1.localhost:80", None, "http://ID.lambda-url.us-east-1.localhost:80/"),
            (
                "https://lambda.us-east-1.localhost.localstack.cloud:4566",
                None,
                "https://ID.lambda-url.us-east-1.localhost.localstack.cloud:4566/",
            ),
            ("https://cloud.example.com", None, "https://ID.lambda-url.us-east-1.cloud.example.com/"),
            ("http://192.0.2.7:4566", None, "http://192.0.2.7:4566/_fn/greet/"),
            ("http://192.0.2.7:4566", Some(&alias), "http://192.0.2.7:4566/_fn/greet:live/"),
            ("http://[2001:db8::1]:4566/", None, "http://[2001:db8::1]:4566/_fn/greet/"),
        ] {
            assert_eq!(address(base, "us-east-1", "ID", &name, qualifier), expected, "{base}");
        }
    }

    #[test]
    fn cors_settings_must_make_sense() {
        let with = |change: fn(&mut Cors)| {
            let mut cors = Cors::default();
            change(&mut cors);
            cors.check().err().map(|fault| fault.message)
        };
        assert_eq!(with(|_| {}), None);
        assert_eq!(with(|c| c.allow_origins = Some(vec!["*".into(), "https://a.example:8080".into()])), None);
        assert_eq!(with(|c| c.allow_methods = Some(vec!["GET".into(), "*".into()])), None);
        assert!(with(|c| c.allow_methods = Some(vec!["get".into()])).is_some_and(|m| m.contains("cors.allowMethods")));
        for origin in ["example.com", "https://", "https://a/b", ""] {
            let cors = Cors { allow_origins: Some(vec![origin.into()]), ..Cors::default() };
            assert!(cors.check().is_err(), "{origin}");
        }
        assert!(with(|c| c.max_age_s = Some(86_401)).is_some());
    }

    #[test]
    fn only_aliases_have_urls_of_their_own() {
        assert!(check_qualifier(None).is_ok());
        assert!(check_qualifier(Some(&Qualifier::Alias("live".into()))).is_ok());
        assert!(check_qualifier(Some(&Qualifier::Version(1))).is_err());
        assert!(check_qualifier(Some(&Qualifier::Latest)).is_err());
    }
}
