//! What isolation this machine gives, part by part, so that nothing is dropped in silence.

use std::fmt;

use crate::host::StartError;

/// How much isolation the person running the node asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// All that the machine gives; what it cannot give is in the [`Report`].
    #[default]
    Auto,
    /// All of [`Report::required`], or no start.
    Required,
    /// Plain processes with resource limits. For trusted code only.
    Off,
}

/// One part of the isolation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// User, mount, PID, IPC and UTS namespaces, a read-only view of the system, private `/tmp` and `/proc`, no capabilities.
    Namespaces,
    /// A user id on the host that no other instance has: instances could not signal or read each other even without namespaces.
    OwnUser,
    /// A limit on memory that the kernel holds, over all processes of an instance.
    MemoryLimit,
    /// A share of the processors in proportion to memory, where instances compete for them.
    CpuShare,
    /// A limit on the number of processes of an instance.
    ProcessLimit,
    /// Instances that have nothing to do stand still. Without it, one that has background work goes on with it between its calls.
    Freezer,
    /// Only the system calls that functions need are allowed.
    SystemCalls,
    /// A second answer, by the kernel's Landlock, to what an instance may open and reach.
    FileRules,
    /// A network of its own. Without it, a guest shares the host's network, as its loopback ports are.
    Network,
}

impl Part {
    /// All parts, in the order in which they are shown.
    pub const ALL: [Self; 9] = [
        Self::Namespaces,
        Self::OwnUser,
        Self::MemoryLimit,
        Self::CpuShare,
        Self::ProcessLimit,
        Self::Freezer,
        Self::SystemCalls,
        Self::FileRules,
        Self::Network,
    ];

    /// The name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::OwnUser => "own user id",
            Self::MemoryLimit => "memory limit",
            Self::CpuShare => "processor share",
            Self::ProcessLimit => "process limit",
            Self::Freezer => "freezer",
            Self::SystemCalls => "system call filter",
            Self::FileRules => "file rules",
            Self::Network => "own network",
        }
    }

    /// What somebody who runs the machine can do to get it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Namespaces => {
                "allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, or \
                 kernel.apparmor_restrict_unprivileged_userns=0), or start as root"
            }
            Self::OwnUser => "start as root to give each function a user of its own",
            Self::MemoryLimit | Self::CpuShare | Self::ProcessLimit | Self::Freezer => {
                "let systemd delegate a cgroup (systemd-run --user --scope -p Delegate=yes freehold up), or start as root"
            }
            Self::SystemCalls => "use a kernel with CONFIG_SECCOMP_FILTER",
            Self::FileRules => "use a kernel from 6.12 on with CONFIG_SECURITY_LANDLOCK, and landlock among its lsm=",
            Self::Network => {
                "use a kernel with CONFIG_NF_TABLES and CONFIG_NFT_TPROXY (modules nf_tables and nft_tproxy)"
            }
        }
    }
}

/// Whether a part is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is on.
    On,
    /// It is not, and why.
    Missing {
        /// For people: what the machine said, or who decided it.
        reason: String,
    },
}

/// What is on and what is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What was asked for.
    pub mode: Mode,
    /// Every part, each once, in the order of [`Part::ALL`].
    pub parts: Vec<(Part, State)>,
}

impl Report {
    /// The parts without which [`Mode::Required`] refuses: those that keep guests from harming anybody. `OwnUser` needs root and
    /// `FileRules` a newer kernel: both answer a second time what others have answered. Shares and standing still are about comfort.
    pub fn required() -> [Part; 5] {
        [Part::Namespaces, Part::MemoryLimit, Part::ProcessLimit, Part::SystemCalls, Part::Network]
    }

    /// An error if one of those is missing that are required and asked for here.
    pub(crate) fn insist(&self, asked: impl Fn(Part) -> bool) -> Result<(), StartError> {
        let required = Self::required().into_iter().filter(|part| self.mode == Mode::Required && asked(*part));
        let missing = required.filter_map(|part| Some((part, self.reason(part)?))).next();
        missing.map_or(Ok(()), |(part, reason)| Err(StartError { part: part.name(), reason: reason.to_owned() }))
    }

    /// True if the part is on.
    pub fn has(&self, part: Part) -> bool {
        self.parts.iter().any(|(one, state)| *one == part && *state == State::On)
    }

    /// Why a part is missing, if it is.
    pub fn reason(&self, part: Part) -> Option<&str> {
        self.missing().find(|(one, _)| *one == part).map(|(_, reason)| reason)
    }

    /// What is missing, and why.
    pub fn missing(&self) -> impl Iterator<Item = (Part, &str)> {
        self.parts.iter().filter_map(|(part, state)| match state {
            State::On => None,
            State::Missing { reason } => Some((*part, reason.as_str())),
        })
    }
}

impl fmt::Display for Report {
    /// One line: what is on, then what is missing with its reason.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on: Vec<&str> = Part::ALL.into_iter().filter(|part| self.has(*part)).map(Part::name).collect();
        if on.is_empty() {
            write!(f, "none")?
        } else {
            write!(f, "{}", on.join(", "))?
        }
        for (part, reason) in self.missing() {
            write!(f, "; without {}: {reason}", part.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn required_means_all_that_keeps_guests_from_harm() {
        let lacking = |mode: Mode, missing: Part| {
            let state = |part| match part == missing {
                true => State::Missing { reason: "why".to_owned() },
                false => State::On,
            };
            let parts = Part::ALL.into_iter().map(|part| (part, state(part))).collect();
            Report { mode, parts }.insist(|_| true).err().map(|error| error.part)
        };
        for (missing, expected) in [
            (Part::Namespaces, Some("namespaces")),
            (Part::MemoryLimit, Some("memory limit")),
            (Part::ProcessLimit, Some("process limit")),
            (Part::SystemCalls, Some("system call filter")),
            (Part::Network, Some("own network")),
            (Part::OwnUser, None),
            (Part::FileRules, None),
            (Part::CpuShare, None),
            (Part::Freezer, None),
        ] {
            assert_eq!(lacking(Mode::Required, missing), expected, "{missing:?}");
            assert_eq!(lacking(Mode::Auto, missing), None, "{missing:?}");
        }
    }
}
