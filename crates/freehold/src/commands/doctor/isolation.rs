//! The interpreters that functions run on, and the walls around them.

use std::collections::BTreeMap;
use std::sync::Arc;

use compute::{Compute, Family, LanguageStatus, LogBatch, LogSink, Options};
use futures_util::future::BoxFuture;

use super::Check;

/// The oldest kernel with everything that a node uses.
const KERNEL_LEAST: (u32, u32) = (5, 14);

/// The kernel, the languages, and each part of the isolation. Blocks, and must be called within a runtime.
pub(super) fn checks() -> Vec<Check> {
    let mut checks = vec![kernel(&std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default())];
    // A folder of our own: the node's, if one runs, is in use.
    let folder = std::env::temp_dir().join(format!("freehold-doctor-{}", std::process::id()));
    match Compute::new(Options::new(folder.clone(), Arc::new(Nowhere))) {
        Ok(compute) => {
            checks.extend(languages(&compute.languages()));
            checks.extend(compute.isolation().parts.iter().map(|(part, state)| wall(*part, state)));
        }
        Err(error) => checks.push(Check::bad(
            "isolation",
            error.to_string(),
            "functions can run with --sandbox off, for trusted code only",
        )),
    }
    // What is left there harms nobody, and is gone with the next start of the machine.
    drop(std::fs::remove_dir_all(&folder));
    checks
}

/// Nothing is run here, so nothing is printed.
struct Nowhere;

impl LogSink for Nowhere {
    fn write(&self, _batches: Vec<LogBatch>) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// One interpreter, and what it is used for.
#[derive(Default)]
struct Found<'a> {
    shown: String,
    runs: Vec<&'a str>,
    stands_in_for: Vec<&'a str>,
}

/// One line for each interpreter, and one for each family that has none.
fn languages(all: &[LanguageStatus]) -> Vec<Check> {
    let mut checks = Vec::new();
    for family in [Family::Javascript, Family::Python] {
        let mut interpreters: BTreeMap<Vec<u32>, Found<'_>> = BTreeMap::new();
        for status in all.iter().filter(|status| status.family == family) {
            let Some(interpreter) = &status.interpreter else { continue };
            let found = interpreters.entry(interpreter.numbers()).or_default();
            found.shown = format!("{} ({})", interpreter.version, interpreter.path.display());
            if status.exact { &mut found.runs } else { &mut found.stands_in_for }.push(status.name);
        }
        if interpreters.is_empty() {
            checks.push(missing(family));
        }
        checks.extend(interpreters.into_values().map(|found| {
            let list = |words: &str, names: &[&str]| match names {
                [] => String::new(),
                names => format!("{words}{}", names.join(", ")),
            };
            let (runs, stands_in) = (list(" runs ", &found.runs), list("; stands in for ", &found.stands_in_for));
            Check::good(family.to_string(), format!("{}{runs}{stands_in}", found.shown))
        }));
    }
    checks
}

fn missing(family: Family) -> Check {
    let remedy = match family {
        Family::Javascript => "install Node.js from your distribution or nodejs.org, so that `node` is on the PATH",
        Family::Python => "install Python 3 from your distribution or python.org, so that `python3` is on the PATH",
        Family::Provided | Family::Http => "nothing to install",
    };
    Check::poor(family.to_string(), "not installed: functions in it cannot run here", remedy)
}

fn kernel(release: &str) -> Check {
    let release = release.trim();
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit()).map_while(|part| part.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    if release.is_empty() {
        Check::bad("kernel", "not Linux", "a node runs on Linux; the other commands run anywhere")
    } else if version < KERNEL_LEAST {
        let (major, minor) = KERNEL_LEAST;
        Check::poor(
            "kernel",
            format!("Linux {release}"),
            format!("Linux {major}.{minor} or newer gives stronger isolation"),
        )
    } else {
        Check::good("kernel", format!("Linux {release}"))
    }
}

fn wall(part: sandbox::Part, state: &sandbox::State) -> Check {
    let required = sandbox::Report::required().contains(&part);
    match state {
        sandbox::State::On => Check::good(part.name(), "on"),
        sandbox::State::Missing { reason } => {
            let consequence = if required { "; --sandbox required would refuse to start" } else { "" };
            Check::poor(part.name(), format!("missing: {reason}"), format!("{}{consequence}", part.remedy()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn kernels_are_judged() {
        let check = |release: &str, expected: Verdict| assert_eq!(kernel(release).verdict, expected, "{release}");
        check("6.12.4-amd64\n", Verdict::Good);
        check("5.14.0-427.el9.x86_64", Verdict::Good);
        check("5.4.0-150-generic", Verdict::Poor);
        check("", Verdict::Bad);
    }

    #[test]
    fn what_is_missing_has_a_reason_and_a_remedy() {
        for part in sandbox::Part::ALL {
            let check = wall(part, &sandbox::State::Missing { reason: "denied".to_owned() });
            assert_eq!((check.verdict, check.found.as_str()), (Verdict::Poor, "missing: denied"));
            assert_eq!(
                check.remedy.is_some_and(|remedy| remedy.contains("--sandbox required")),
                sandbox::Report::required().contains(&part)
            );
            assert_eq!(wall(part, &sandbox::State::On), Check::good(part.name(), "on"));
        }
    }
}
