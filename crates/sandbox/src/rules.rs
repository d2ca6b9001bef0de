//! A second answer, given by another part of the kernel (Landlock), to what the view already says: the system is read-only, only
//! `/tmp` is the guest's, and no socket or process outside is to be reached. It holds where the first one has a hole.
//!
//! What a kernel's Landlock lacks is left out and named; the rules that it has are on.

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, Scope,
};

/// The newest rules that are asked for.
const WANTED: ABI = ABI::V9;
/// The oldest rules that leave nothing out that the walls are about: from here on only details are added.
const WHOLE: u32 = 6;

/// What each newer version of the rules brought, for whoever lacks it.
const BROUGHT: &[(u32, &str)] = &[
    (1, "reading, writing, executing"),
    (2, "moving files between folders"),
    (3, "cutting files short"),
    (5, "requests to devices"),
    (6, "sockets without a file, and signals"),
];

/// Holds this process, and all that it becomes, to the rules. Says which version of them the kernel has, zero for none.
pub(crate) fn install() -> Result<u32, RulesetError> {
    let everything = AccessFs::from_all(WANTED);
    let read = AccessFs::Execute | AccessFs::ReadFile | AccessFs::ReadDir;
    let devices: BitFlags<AccessFs> = AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev;
    let own = everything & !devices;
    let write = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate;
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(everything)?
        .scope(Scope::from_all(WANTED))?
        .create()?;
    let places = [
        // What comes into the view later is below this too.
        ("/", read),
        ("/tmp", own),
        // A process says of itself how it wants to be treated. Whose file is whose, the kernel knows.
        ("/proc", read | write),
        ("/dev/null", write),
        ("/dev/zero", write),
        ("/dev/full", write),
        ("/dev/random", write),
        ("/dev/urandom", write),
    ];
    for (path, access) in places {
        // A place that cannot be opened is one for which there is no permission.
        if let Ok(place) = PathFd::new(path) {
            rules = rules.add_rule(PathBeneath::new(place, access))?;
        }
    }
    Ok(match rules.restrict_self()?.landlock {
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => 0,
        LandlockStatus::Available { effective_abi, .. } => effective_abi as u32,
    })
}

/// What a kernel's rules leave out, if they leave out something that matters.
pub(crate) fn missing(version: u32) -> Option<String> {
    if version >= WHOLE {
        return None;
    }
    let lacks: Vec<&str> = BROUGHT.iter().filter(|(since, _)| *since > version).map(|(_, what)| *what).collect();
    Some(match version {
        0 => "this kernel has no Landlock, or it is not enabled (lsm=landlock,… at boot)".to_owned(),
        _ => format!("Landlock is on, but of version {version}: no rules for {}", lacks.join("; ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_named() {
        for (version, expected) in
            [(0, Some("no Landlock")), (1, Some("moving")), (5, Some("signals")), (6, None), (9, None)]
        {
            let missing = missing(version);
            match expected {
                None => assert_eq!(missing, None, "{version}"),
                Some(part) => {
                    assert!(missing.as_ref().is_some_and(|text| text.contains(part)), "{version} {missing:?}")
                }
            }
        }
        assert!(!missing(5).unwrap().contains("reading"));
    }
}
