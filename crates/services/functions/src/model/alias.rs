//! A name for a version, which may send a part of its calls to a second one.

use contract::Fault;
use uuid::Uuid;

use crate::faults;
use crate::name::Qualifier;

/// An alias.
#[derive(Clone, Debug, PartialEq)]
pub struct Alias {
    /// What it points at: a version or `$LATEST`, never another alias.
    pub target: Target,
    /// A second version, and the share of calls that goes there.
    pub routing: Option<Routing>,
    /// Free text, perhaps empty.
    pub description: String,
    /// A new one with every change.
    pub revision: Uuid,
}

/// Where an alias points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The version that changes.
    Latest,
    /// A published one.
    Version(u64),
}

/// A share of an alias's calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Routing {
    /// The version that gets it.
    pub version: u64,
    /// From 0 to 1.
    pub weight: f64,
}

impl Target {
    /// Reads `FunctionVersion`.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        match Qualifier::parse(text) {
            Some(Qualifier::Latest) => Ok(Self::Latest),
            Some(Qualifier::Version(number)) => Ok(Self::Version(number)),
            Some(Qualifier::Alias(_)) | None => Err(faults::validation(format!(
                "1 validation error detected: Value '{text}' at 'functionVersion' failed to satisfy constraint: Member must \
                 satisfy regular expression pattern: (\\$LATEST(\\.PUBLISHED)?|[0-9]+)"
            ))),
        }
    }

    /// As a qualifier.
    pub fn qualifier(self) -> Qualifier {
        match self {
            Self::Latest => Qualifier::Latest,
            Self::Version(number) => Qualifier::Version(number),
        }
    }
}

/// Reads `AdditionalVersionWeights`, and refuses what contradicts the alias's own target. No entry means no routing.
pub fn routing_of<'a>(
    target: Target,
    weights: impl ExactSizeIterator<Item = (&'a str, f64)>,
) -> Result<Option<Routing>, Fault> {
    if weights.len() > 1 {
        return Err(faults::invalid("Number of items in AdditionalVersionWeights cannot be greater than 1"));
    }
    let Some((version, weight)) = { weights }.next() else { return Ok(None) };
    let number = match (target, Qualifier::parse(version)) {
        (Target::Latest, _) | (_, Some(Qualifier::Latest)) => {
            return Err(faults::invalid("$LATEST is not supported for an alias pointing to more than 1 version"));
        }
        (Target::Version(_), Some(Qualifier::Version(number))) => number,
        (Target::Version(_), Some(Qualifier::Alias(_)) | None) => {
            return Err(faults::validation(format!(
                "Value '{{{version}={weight}}}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map \
                 keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must have length \
                 greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+]"
            )));
        }
    };
    if target == Target::Version(number) {
        return Err(faults::invalid(format!(
            "Invalid function version {number}. Function version {number} is already included in routing configuration."
        )));
    }
    if !(0.0..=1.0).contains(&weight) {
        return Err(faults::validation(format!(
            "Value '{{{version}={weight}}}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map \
             values must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value \
             greater than or equal to 0.0]"
        )));
    }
    Ok(Some(Routing { version: number, weight }))
}

impl Alias {
    /// Whether deleting the version would leave the alias pointing at nothing.
    pub fn points_at(&self, number: u64) -> bool {
        self.target == Target::Version(number) || self.routing.is_some_and(|routing| routing.version == number)
    }

    /// The version for one call; `draw` is evenly distributed over 64 bits.
    pub fn choose(&self, draw: u64) -> Target {
        match self.routing {
            // 53 bits are what a float holds; the weight 1 takes all, the weight 0 nothing.
            Some(routing) if ((draw >> 11) as f64) < routing.weight * (1u64 << 53) as f64 => {
                Target::Version(routing.version)
            }
            Some(_) | None => self.target,
        }
    }
}

#[cfg(test)]
mod tests {
    use base::Random;

    use super::*;

    #[test]
    fn weights_are_checked_against_the_target() {
        let read = |target, weights: &[(&'static str, f64)]| {
            routing_of(target, weights.iter().copied()).map_err(|fault| fault.message)
        };
        let one = Target::Version(1);
        assert_eq!(read(one, &[]), Ok(None));
        assert_eq!(read(one, &[("2", 0.25)]), Ok(Some(Routing { version: 2, weight: 0.25 })));
        for (target, weights, expected) in [
            (
                one,
                &[("2", 0.1), ("3", 0.1)][..],
                "Number of items in AdditionalVersionWeights cannot be greater than 1",
            ),
            (one, &[("1", 0.1)], "Function version 1 is already included in routing configuration."),
            (one, &[("$LATEST", 0.1)], "$LATEST is not supported for an alias pointing to more than 1 version"),
            (Target::Latest, &[("1", 0.1)], "$LATEST is not supported for an alias pointing to more than 1 version"),
            (one, &[("two", 0.1)], "Map keys must satisfy constraint"),
            (one, &[("2", 1.5)], "Map values must satisfy constraint"),
            (one, &[("2", f64::NAN)], "Map values must satisfy constraint"),
        ] {
            let message = read(target, weights).expect_err("it is refused");
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn shares_come_out_as_asked_for() {
        let random = Random::seeded(11);
        let alias = |weight| Alias {
            target: Target::Version(1),
            routing: Some(Routing { version: 2, weight }),
            description: String::new(),
            revision: Uuid::nil(),
        };
        for (weight, least, most) in [(0.0, 0, 0), (0.25, 2_300, 2_700), (1.0, 10_000, 10_000)] {
            let alias = alias(weight);
            let second = (0..10_000).filter(|_| alias.choose(random.u64()) == Target::Version(2)).count();
            assert!((least..=most).contains(&second), "{weight}: {second}");
        }
    }
}
