//! All of these tests again, without any right.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;

use sandbox::Mode;

use crate::harness::{helper, host};

/// Runs this very program as the user nobody, if this is root.
#[test]
fn an_ordinary_user_has_walls_too() {
    println!("isolation: {}", host(Mode::Auto).report());
    if !rustix::process::geteuid().is_root() {
        println!("skipped: this is an ordinary user already");
        return;
    }
    // Others may not pass through this user's folders, so the two programs move to where everybody may read.
    let place = tempfile::Builder::new().prefix("walls").tempdir_in("/var/tmp").unwrap();
    let copy = |from: &Path, name: &str| {
        let to = place.path().join(name);
        fs::copy(from, &to).unwrap();
        to
    };
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let helper = copy(&helper(), "sandbox-init");
    let program = copy(&std::env::current_exe().unwrap(), "walls");
    let output = std::process::Command::new(program)
        .args(["--nocapture", "--test-threads", "4"])
        .env("SANDBOX_HELPER", helper)
        .env("TMPDIR", "/var/tmp")
        // That user has no cgroups, and is not expected to have any.
        .env_remove("FREEHOLD_REQUIRE")
        .current_dir("/")
        .uid(65534)
        .gid(65534)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    print!("{text}");
    assert!(output.status.success(), "{text}");
    assert!(text.contains("isolation: namespaces"), "{text}");
}
