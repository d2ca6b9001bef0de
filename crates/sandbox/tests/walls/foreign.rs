//! Guests whose root is a folder, as that of a container image is.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use sandbox::{Exit, Host, Mode, Part, Placement, Plan, SpawnError};

use crate::harness::{boot, empty, end, host, lacks, output, plan, run, shell};

fn able() -> Option<Host> {
    let host = host(Mode::Auto);
    (!lacks(&host, Part::Namespaces)).then_some(host)
}

/// A root with a shell and what that needs, and nothing else of the system.
fn root() -> Option<tempfile::TempDir> {
    let root = tempfile::tempdir().unwrap();
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let Ok(listed) = Command::new("ldd").arg("/bin/sh").output() else {
        base::trial::skip("no ldd here");
        return None;
    };
    let listed = String::from_utf8(listed.stdout).unwrap();
    let libraries = listed.split_whitespace().filter(|word| word.starts_with('/'));
    for file in libraries.chain(["/bin/sh"]) {
        let target = root.path().join(file.trim_start_matches('/'));
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(file, target).unwrap();
    }
    write(root.path(), "etc/passwd", "someone:x:993:990::/:/bin/sh\n");
    write(root.path(), "etc/resolv.conf", "not ours\n");
    write(root.path(), "etc/app/settings", "one\n");
    write(root.path(), "srv/file", "code\n");
    write(root.path(), "tmp/hidden", "");
    write(root.path(), "dev/hidden", "");
    symlink("srv/file", root.path().join("link")).unwrap();
    symlink("/srv", root.path().join("way")).unwrap();
    Some(root)
}

fn write(root: &Path, file: &str, text: &str) {
    let path = root.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// What a guest tries, and what it must print.
const VIEW: &[(&str, &str)] = &[
    ("read a < /srv/file; echo $a; read a < /link; echo $a; read a < /way/file; echo $a", "code\ncode\ncode\n"),
    ("cd /; echo *", "bin dev etc lib lib64 link proc srv tmp way\n"),
    ("echo /tmp/* /usr* /root* /home* /sys*", "/tmp/* /usr* /root* /home* /sys*\n"),
    ("read a < /etc/passwd; echo $a; read a < /etc/app/settings; echo $a", "someone:x:993:990::/:/bin/sh\none\n"),
    (
        "read a < /etc/hosts; echo $a; read a < /etc/resolv.conf; test \"$a\" != 'not ours' && echo ours",
        "127.0.0.1 localhost sandbox\nours\n",
    ),
    (
        "echo x > /srv/file || echo refused; echo x > /new || echo refused; echo x > /etc/new || echo refused",
        "refused\nrefused\nrefused\n",
    ),
    ("echo kept > /tmp/f; read a < /tmp/f; echo $a; echo x > /dev/null && echo null", "kept\nnull\n"),
    ("echo /proc/[0-9]*", "/proc/1 /proc/2\n"),
];

#[test]
fn a_folder_is_the_root() {
    let Some(host) = able() else { return };
    let Some(root) = root() else { return };
    for (script, expected) in VIEW {
        let plan = Plan { root: Some(root.path().to_owned()), ..plan(&format!("{{ {script}; }} 2>/dev/null; true")) };
        let ended = run(&host, &plan);
        // Where things are differs: some systems have no lib64, and others lay all that is in lib elsewhere.
        let seen = ended.output.replace(" lib64", "").replace(" lib ", " ").replace(" usr", "");
        let expected = expected.replace(" lib64", "").replace(" lib ", " ");
        assert_eq!((seen, &ended.exit), (expected, &Exit::Code(0)), "{script}");
    }
}

#[test]
fn a_guest_of_it_can_be_booted_ahead() {
    let Some(host) = able() else { return };
    let Some(root) = root() else { return };
    let (booted, read) = boot(&host, Plan { root: Some(root.path().to_owned()), ..empty() }, &[]);
    let mut program = shell("read a < file; echo $a");
    program.directory = PathBuf::from("/srv");
    let placement = Placement { tmp_bytes: Some(9 << 20), program: Some(program), ..Placement::default() };
    booted.child.place(&placement).unwrap();
    let ended = end(booted.child, read);
    assert_eq!((ended.exit, ended.output.as_str()), (Exit::Code(0), "code\n"));
}

#[test]
fn settings_that_are_a_link_are_not_followed() {
    let Some(host) = able() else { return };
    let Some(root) = root() else { return };
    let elsewhere = tempfile::tempdir().unwrap();
    fs::remove_dir_all(root.path().join("etc")).unwrap();
    symlink(elsewhere.path(), root.path().join("etc")).unwrap();
    let plan = Plan { root: Some(root.path().to_owned()), ..plan("read a < /etc/hosts; echo $a") };
    assert_eq!(run(&host, &plan).output, "127.0.0.1 localhost sandbox\n");
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0, "nothing is written through a link");
}

#[test]
fn a_root_of_too_much_and_one_that_is_not_there_are_named() {
    let Some(host) = able() else { return };
    let Some(root) = root() else { return };
    let failed = |root: &Path| match run(&host, &Plan { root: Some(root.to_owned()), ..plan("true") }).exit {
        Exit::Failed { reason } => reason,
        other => panic!("{other:?}"),
    };
    for number in 0..=Plan::ROOT_ENTRIES_MAX {
        fs::write(root.path().join(format!("file-{number}")), "").unwrap();
    }
    assert!(failed(root.path()).contains("more than 2000 entries"));
    assert!(failed(&root.path().join("nowhere")).contains("listing the root"));
}

#[test]
fn without_walls_there_is_no_other_root() {
    let host = host(Mode::Off);
    let (_read, streams) = output();
    let plan = Plan { root: Some(PathBuf::from("/tmp")), ..plan("true") };
    match host.spawn(&plan, streams) {
        Err(SpawnError::Missing { what, .. }) => assert_eq!(what, "a root of its own"),
        other => panic!("{other:?}"),
    }
}
