//! What a function's environment says of its server: the variables of the Lambda Web Adapter, so that what was made for that works
//! here without it.
//!
//! | variable | what it says | without it |
//! |---|---|---|
//! | `AWS_LAMBDA_EXEC_WRAPPER` | `/opt/bootstrap`: the function is a server, whatever its runtime | as the runtime says |
//! | any `AWS_LWA_…` | with `provided…`: the `bootstrap` is a server | it speaks the Runtime API |
//! | `AWS_LWA_PORT`, `PORT` | where it listens; it finds the number in `PORT` | as `upstream_url` says, else 8080 |
//! | `upstream_url` | the same as OpenFaaS's watchdog has it (`mode=http`): `http://127.0.0.1:5000` | 8080 |
//! | `AWS_LWA_READINESS_CHECK_PATH` | the path that answers once it is ready | it is ready when it listens |
//! | `AWS_LWA_READINESS_CHECK_PROTOCOL` | `tcp`: it is ready when it listens, whatever the path | `http` |
//! | `AWS_LWA_READINESS_CHECK_HEALTHY_STATUS` | the statuses that say "ready", as in `200-299,404` | `100-499` |
//! | `AWS_LWA_READINESS_CHECK_MIN_UNHEALTHY_STATUS` | the same, older: the least status that says "not yet" | 500 |
//! | `AWS_LWA_PASS_THROUGH_PATH` | where events that are no requests are posted | `/events` |
//! | `AWS_LWA_REMOVE_BASE_PATH` | what is taken off the beginning of each path | nothing |
//! | `AWS_LWA_AUTHORIZATION_SOURCE` | the header whose value the server finds in `Authorization`, where that proves who calls the function | as sent |
//! | `AWS_LWA_ERROR_STATUS_CODES` | statuses that make the invocation fail, as in `500,502-504` | 400 to 599 for events that are no requests |
//! | `AWS_LAMBDA_MAX_CONCURRENCY` | how many calls one instance takes at a time: AWS's name for it | 1 |
//! | `CONTAINER_CONCURRENCY` | the same by Knative's name, where the other does not say; there 0 is no limit | 1 |
//!
//! A value that means nothing counts as not given, as it does there.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use http::uri::PathAndQuery;
use http::{HeaderName, StatusCode};

use super::event::Form;
use crate::languages::Family;
use crate::ways;

/// What `$PORT` says where the function does not: everybody's default.
const PORT: u16 = 8080;
/// The most calls that one instance takes at a time: as many as an account has.
const CONCURRENCY_MAX: u32 = 1000;
/// The most ranges of statuses.
const RANGES_MAX: usize = 64;

/// See the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Habits {
    /// The path that answers once the server is ready; none if that is when it listens.
    pub(super) ready_path: Option<PathAndQuery>,
    /// The statuses that say that it is.
    pub(super) ready_statuses: Vec<RangeInclusive<u16>>,
    /// The path that gets events which are no requests.
    pub(super) events_path: PathAndQuery,
    /// What paths begin with that the server does not know of.
    pub(super) base_path: Option<String>,
    /// The header that becomes `Authorization`.
    pub(super) authorization: Option<HeaderName>,
    /// Statuses that are failures of the invocation, if that was said.
    pub(super) failures: Option<Vec<RangeInclusive<u16>>>,
}

/// The port that is asked for cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The server cannot listen on port {port}: in every function's network that is where the platform is")]
pub(crate) struct PortTaken {
    port: u16,
}

/// Whether a function is a server although its runtime is another one.
pub(crate) fn is_server(family: Family, environment: &BTreeMap<String, String>) -> bool {
    let wrapped = environment.get("AWS_LAMBDA_EXEC_WRAPPER").is_some_and(|wrapper| wrapper == "/opt/bootstrap");
    let adapted = || environment.keys().any(|name| name.starts_with("AWS_LWA_"));
    match family {
        Family::Http => true,
        Family::Provided => wrapped || adapted(),
        Family::Javascript | Family::Python => wrapped,
    }
}

/// The port that a function's environment asks for.
pub(crate) fn port(environment: &BTreeMap<String, String>) -> Result<u16, PortTaken> {
    let asked = ["AWS_LWA_PORT", "PORT"].iter().find_map(|name| environment.get(*name)?.parse().ok());
    let upstream = || ways::address_of(environment.get("upstream_url")?).map(|address| address.port());
    match asked.or_else(upstream).filter(|port| *port > 0).unwrap_or(PORT) {
        port if port == ways::PLATFORM.port() => Err(PortTaken { port }),
        port => Ok(port),
    }
}

/// How many calls one instance takes at a time.
pub(crate) fn concurrency(environment: &BTreeMap<String, String>) -> u32 {
    let said = |name: &str| environment.get(name)?.trim().parse::<u32>().ok();
    let lambda = said("AWS_LAMBDA_MAX_CONCURRENCY").filter(|most| *most > 0);
    let knative = || said("CONTAINER_CONCURRENCY").map(|most| if most == 0 { CONCURRENCY_MAX } else { most });
    lambda.or_else(knative).unwrap_or(1).min(CONCURRENCY_MAX)
}

impl Habits {
    /// From the function's own variables.
    pub(crate) fn of(environment: &BTreeMap<String, String>) -> Self {
        let value = |name: &str| environment.get(name).map(|value| value.trim());
        let path = |name: &str| value(name).filter(|path| path.starts_with('/'))?.parse::<PathAndQuery>().ok();
        let by_connecting =
            value("AWS_LWA_READINESS_CHECK_PROTOCOL").is_some_and(|protocol| protocol.eq_ignore_ascii_case("tcp"));
        let ready_path = path("AWS_LWA_READINESS_CHECK_PATH").or_else(|| path("READINESS_CHECK_PATH"));
        let unready = value("AWS_LWA_READINESS_CHECK_MIN_UNHEALTHY_STATUS").and_then(|least| least.parse().ok());
        let ready_statuses = vec![100..=unready.unwrap_or(500u16).saturating_sub(1)];
        let named = |name: &str| value(name).map(ranges).filter(|ranges| !ranges.is_empty());
        let base_path = value("AWS_LWA_REMOVE_BASE_PATH").map(|base| base.trim_end_matches('/'));
        Self {
            ready_path: ready_path.filter(|_| !by_connecting),
            ready_statuses: named("AWS_LWA_READINESS_CHECK_HEALTHY_STATUS").unwrap_or(ready_statuses),
            events_path: path("AWS_LWA_PASS_THROUGH_PATH").unwrap_or(PathAndQuery::from_static("/events")),
            base_path: base_path.filter(|base| base.starts_with('/')).map(str::to_owned),
            authorization: value("AWS_LWA_AUTHORIZATION_SOURCE").and_then(|name| name.parse().ok()),
            failures: named("AWS_LWA_ERROR_STATUS_CODES"),
        }
    }

    /// Whether an answer with that status means that the server is ready.
    pub(super) fn is_ready(&self, status: StatusCode) -> bool {
        self.ready_statuses.iter().any(|range| range.contains(&status.as_u16()))
    }

    /// Those statuses, in words.
    pub(super) fn ready_words(&self) -> String {
        let words = self.ready_statuses.iter().map(|range| match (range.start(), range.end()) {
            (first, last) if first == last => first.to_string(),
            (first, last) => format!("{first}-{last}"),
        });
        words.collect::<Vec<_>>().join(",")
    }

    /// Whether an answer with that status means that the invocation failed. What sends requests hears of any status; whatever else
    /// invokes (a queue, a schedule) hears only of failures.
    pub(crate) fn is_failure(&self, status: StatusCode, form: Form) -> bool {
        match (&self.failures, form) {
            (Some(failures), _) => failures.iter().any(|range| range.contains(&status.as_u16())),
            (None, Form::Bare) => status.is_client_error() || status.is_server_error(),
            (None, Form::Two | Form::One | Form::OneMany) => false,
        }
    }

    /// A path as the server knows it.
    pub(super) fn without_base<'p>(&self, path: &'p str) -> &'p str {
        match self.base_path.as_deref().and_then(|base| path.strip_prefix(base)) {
            Some("") => "/",
            Some(rest) if rest.starts_with('/') => rest,
            // It only begins with the same letters.
            Some(_) | None => path,
        }
    }
}

/// `500,502-504`.
fn ranges(text: &str) -> Vec<RangeInclusive<u16>> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (first <= last).then_some(first..=last)
    };
    text.split(',').filter_map(range).take(RANGES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn habits(variables: &[(&str, &str)]) -> Habits {
        Habits::of(&environment(variables))
    }

    #[test]
    fn servers_are_told_from_other_functions() {
        let wrapper = ("AWS_LAMBDA_EXEC_WRAPPER", "/opt/bootstrap");
        for (family, variables, expected) in [
            (Family::Http, &[][..], true),
            (Family::Provided, &[], false),
            (Family::Provided, &[("PORT", "80")], false),
            (Family::Provided, &[("AWS_LWA_PORT", "80")], true),
            (Family::Provided, &[wrapper], true),
            (Family::Javascript, &[wrapper], true),
            (Family::Python, &[("AWS_LAMBDA_EXEC_WRAPPER", "/opt/other")], false),
            (Family::Python, &[("AWS_LWA_PORT", "80")], false),
        ] {
            assert_eq!(is_server(family, &environment(variables)), expected, "{family:?} {variables:?}");
        }
    }

    #[test]
    fn ports_are_read_from_the_environment() {
        for (variables, expected) in [
            (&[][..], Ok(8080)),
            (&[("PORT", "3000")], Ok(3000)),
            (&[("PORT", "3000"), ("AWS_LWA_PORT", "3001")], Ok(3001)),
            (&[("PORT", "3000"), ("AWS_LWA_PORT", "x")], Ok(3000)),
            (&[("PORT", "0")], Ok(8080)),
            (&[("PORT", "70000")], Ok(8080)),
            (&[("PORT", "4566")], Err(PortTaken { port: 4566 })),
            (&[("upstream_url", "http://127.0.0.1:5000")], Ok(5000)),
            (&[("upstream_url", "http://localhost:5000/"), ("PORT", "80")], Ok(80)),
            (&[("upstream_url", "http://elsewhere.example")], Ok(8080)),
        ] {
            assert_eq!(port(&environment(variables)), expected, "{variables:?}");
        }
    }

    #[test]
    fn instances_take_as_many_calls_as_is_said() {
        let (lambda, knative) = ("AWS_LAMBDA_MAX_CONCURRENCY", "CONTAINER_CONCURRENCY");
        for (variables, expected) in [
            (&[][..], 1),
            (&[(lambda, "8")], 8),
            (&[(lambda, " 8 ")], 8),
            (&[(lambda, "0")], 1),
            (&[(lambda, "-1")], 1),
            (&[(lambda, "many")], 1),
            (&[(lambda, "4000000")], 1000),
            (&[(knative, "80")], 80),
            (&[(knative, "0")], 1000),
            (&[(knative, "80"), (lambda, "5")], 5),
            (&[(knative, "80"), (lambda, "x")], 80),
        ] {
            assert_eq!(concurrency(&environment(variables)), expected, "{variables:?}");
        }
    }

    #[test]
    fn statuses_and_paths_are_read() {
        for (text, expected) in [
            ("500", vec![500..=500]),
            ("500, 502-504 ,422", vec![500..=500, 502..=504, 422..=422]),
            ("", vec![]),
            ("x,5-,-5,504-500,70000", vec![]),
        ] {
            assert_eq!(ranges(text), expected, "{text}");
        }
        for (base, path, expected) in
            [("/api", "/api/x", "/x"), ("/api/", "/api", "/"), ("/api", "/apis", "/apis"), ("api", "/api", "/api")]
        {
            let found = habits(&[("AWS_LWA_REMOVE_BASE_PATH", base)]);
            assert_eq!(found.without_base(path), expected, "{base} {path}");
        }
        let path = |text: &str| Some(text.parse::<PathAndQuery>().unwrap());
        let ready = |variables: &[(&str, &str)]| habits(variables).ready_path;
        assert_eq!(ready(&[("AWS_LWA_READINESS_CHECK_PATH", "/up?x=1")]), path("/up?x=1"));
        assert_eq!(ready(&[("READINESS_CHECK_PATH", "/old")]), path("/old"));
        assert_eq!(ready(&[("AWS_LWA_READINESS_CHECK_PATH", "up")]), None);
        assert_eq!(ready(&[("AWS_LWA_READINESS_CHECK_PATH", "/a b")]), None);
        let statuses = |variables: &[(&str, &str)]| habits(variables).ready_words();
        assert_eq!(statuses(&[]), "100-499");
        let least = ("AWS_LWA_READINESS_CHECK_MIN_UNHEALTHY_STATUS", "400");
        assert_eq!(statuses(&[least]), "100-399");
        assert_eq!(statuses(&[least, ("AWS_LWA_READINESS_CHECK_HEALTHY_STATUS", "200-299,404")]), "200-299,404");
        assert!(habits(&[least]).is_ready(StatusCode::OK) && !habits(&[least]).is_ready(StatusCode::NOT_FOUND));
        let both = [("AWS_LWA_READINESS_CHECK_PATH", "/up"), ("AWS_LWA_READINESS_CHECK_PROTOCOL", "TCP")];
        assert_eq!(ready(&both), None);
        assert_eq!(habits(&[("AWS_LWA_PASS_THROUGH_PATH", "/mine")]).events_path.as_str(), "/mine");
        assert_eq!(habits(&[]).events_path.as_str(), "/events");
    }
}
