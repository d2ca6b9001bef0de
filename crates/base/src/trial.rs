//! What a test says when this machine lacks what it is about: walls, an interpreter, a compiler.
//!
//! On somebody's laptop that is no reason to fail. Where all of it must be there, as in continuous integration, `FREEHOLD_REQUIRE=1`
//! makes it one, so that a wall that no longer stands is not mistaken for a machine that never had it. What is truly optional
//! (another language, a way to the world) only prints that it was skipped.

use std::fmt::Display;

/// Says that a test ends here because something is missing.
///
/// # Panics
///
/// If `FREEHOLD_REQUIRE` is `1`.
#[track_caller]
pub fn skip(missing: impl Display) {
    let required = std::env::var_os("FREEHOLD_REQUIRE").is_some_and(|value| value == "1");
    assert!(!required, "skipped, and FREEHOLD_REQUIRE=1 says that nothing is missing here: {missing}");
    println!("skipped: {missing}");
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    /// The setting is the process's: this test runs itself again, once with each.
    #[test]
    fn what_is_missing_fails_only_where_it_must_be_there() {
        if std::env::var_os("FREEHOLD_TRIAL").is_some() {
            return super::skip("no such thing");
        }
        for (required, passes) in [("1", false), ("0", true), ("", true)] {
            let again = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "trial::tests::what_is_missing_fails_only_where_it_must_be_there", "--nocapture"])
                .envs([("FREEHOLD_TRIAL", "1"), ("FREEHOLD_REQUIRE", required)])
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&again.stdout) + String::from_utf8_lossy(&again.stderr);
            assert_eq!(again.status.success(), passes, "{required:?}: {said}");
            assert!(said.contains("no such thing"), "{required:?}: {said}");
        }
    }
}
