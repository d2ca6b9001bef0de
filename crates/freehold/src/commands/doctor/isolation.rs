//! The interpreters that functions run on, and the walls around them.

use super::Check;

/// The oldest kernel with everything that a node uses.
const KERNEL_LEAST: (u32, u32) = (5, 14);

/// The kernel, and each part of the isolation.
pub(super) fn walls() -> Vec<Check> {
    let mut checks = vec![kernel(&std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default())];
    match sandbox::Host::new(sandbox::Mode::Auto, None) {
        Ok(host) => checks.extend(host.report().parts.iter().map(|(part, state)| wall(*part, state))),
        Err(error) => checks.push(Check::poor(
            "isolation",
            error.to_string(),
            "functions can run with --sandbox off, for trusted code only",
        )),
    }
    checks
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
            Check::poor(part.name(), format!("missing: {reason}"), format!("{}{consequence}", remedy(part)))
        }
    }
}

fn remedy(part: sandbox::Part) -> &'static str {
    match part {
        sandbox::Part::Namespaces => {
            "allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, or \
             kernel.apparmor_restrict_unprivileged_userns=0), or start as root"
        }
        sandbox::Part::OwnUser => "start as root to give each function a user of its own",
        sandbox::Part::MemoryLimit | sandbox::Part::ProcessLimit => {
            "let systemd delegate a cgroup (systemd-run --user --scope -p Delegate=yes freehold up), or start as root"
        }
        sandbox::Part::SystemCalls => "use a kernel with CONFIG_SECCOMP_FILTER",
        sandbox::Part::Network => {
            "functions share the machine's network; let untrusted code run on a machine of its own"
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
