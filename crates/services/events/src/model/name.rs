//! Names of buses and what belongs to them, and their ARNs.

use contract::{AccountId, Arn, Call, Region};

use super::DEFAULT;

/// Whose buses, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub region: Region,
}

impl Scope {
    /// The scope that a call means.
    pub fn of(call: &Call) -> Self {
        Self { account: call.account, region: call.region.clone() }
    }

    /// The ARN of something of this service.
    pub fn arn(&self, resource: impl Into<String>) -> Arn {
        Arn::new("events", &self.region, self.account, resource)
    }

    /// The ARN of a bus.
    pub fn bus_arn(&self, bus: &str) -> Arn {
        self.arn(format!("event-bus/{bus}"))
    }

    /// The ARN of a rule; rules of the default bus do not name it.
    pub fn rule_arn(&self, bus: &str, rule: &str) -> Arn {
        match bus {
            DEFAULT => self.arn(format!("rule/{rule}")),
            bus => self.arn(format!("rule/{bus}/{rule}")),
        }
    }
}

/// The name of the bus that a name or an ARN means; without one, the default bus.
pub fn bus_of(name_or_arn: Option<&str>) -> &str {
    let text = name_or_arn.unwrap_or(DEFAULT);
    match text.split_once(":event-bus/") {
        Some((arn, name)) if arn.starts_with("arn:") => name,
        Some(_) | None => text,
    }
}

/// The bus and the name of the rule that an ARN's resource names.
pub fn rule_of(resource: &str) -> Option<(&str, &str)> {
    let rest = resource.strip_prefix("rule/")?;
    Some(rest.rsplit_once('/').unwrap_or((DEFAULT, rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_arns_mean_the_same() {
        let check = |text: Option<&str>, expected: &str| assert_eq!(bus_of(text), expected);
        check(None, "default");
        check(Some("orders"), "orders");
        check(Some("arn:aws:events:eu-central-1:000000000000:event-bus/orders"), "orders");
        assert_eq!(rule_of("rule/r"), Some(("default", "r")));
        assert_eq!(rule_of("rule/orders/r"), Some(("orders", "r")));
        assert_eq!(rule_of("event-bus/orders"), None);
        let scope = Scope { account: AccountId::ONLY, region: Region::default_one() };
        assert_eq!(scope.rule_arn("default", "r").resource, "rule/r");
        assert_eq!(scope.rule_arn("orders", "r").resource, "rule/orders/r");
    }
}
