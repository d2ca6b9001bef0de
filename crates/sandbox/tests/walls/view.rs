//! What a guest sees and what it may change, as shell scripts and what they must print.

use std::fs;
use std::path::PathBuf;

use sandbox::{Exit, Mode, Mount, Part};

use crate::harness::{host, lacks, plan, run};

/// What a guest tries, and what it must print.
const WALLS: &[(&str, &str)] = &[
    ("echo $ONLY; env | grep -c -v -E '^(PATH|ONLY|PWD|OLDPWD|SHLVL|_)='", "this\n0\n"),
    ("id -u; id -g", "993\n990\n"),
    ("echo $$", "2\n"),
    ("echo /proc/[0-9]*", "/proc/1 /proc/2\n"),
    ("hostname", "sandbox\n"),
    ("cat /task/file", "code"),
    ("echo x > /task/file || echo refused", "refused\n"),
    ("echo x > /file || echo refused", "refused\n"),
    ("echo x > /usr/file || echo refused", "refused\n"),
    ("mkdir /etc/x || echo refused", "refused\n"),
    ("ls /root /home /work /var/lib /sys 2>/dev/null; echo $?", "2\n"),
    ("ls -A /tmp; echo kept > /tmp/f && cat /tmp/f", "kept\n"),
    ("head -c 8000000 /dev/zero > /tmp/f || echo full", "full\n"),
    ("grep -E '^Cap(Prm|Eff|Bnd|Amb)' /proc/self/status | grep -v -c 0000000000000000", "0\n"),
    ("grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status", "NoNewPrivs:\t1\nSeccomp:\t2\n"),
    ("unshare -U true || echo refused", "refused\n"),
    ("mount -t tmpfs none /tmp || echo refused", "refused\n"),
    ("kill -9 1; echo alive", "alive\n"),
    ("ls /proc/1/fd >/dev/null || echo refused", "refused\n"),
    ("ls /proc/self/fd | tr '\\n' ' '", "0 1 2 3 "),
    ("ls -ld /dev/* | grep -c ^b", "0\n"),
    ("echo 1 > /proc/sys/kernel/panic || echo refused", "refused\n"),
    // Which keys there are, where the kernel lies, with which words it was started, who holds a lock, what interrupts.
    ("cd /proc; cat keys key-users kallsyms modules cmdline config.gz locks interrupts softirqs iomem | wc -c", "0\n"),
    ("grep -c . /proc/meminfo /proc/cpuinfo /proc/stat >/dev/null && echo there", "there\n"),
    ("cat /proc/self/oom_score_adj", "1000\n"),
    ("grep 'core file' /proc/self/limits | tr -s ' '", "Max core file size 1 1 bytes \n"),
];

#[test]
fn walls_stand() {
    let host = host(Mode::Auto);
    if lacks(&host, Part::Namespaces) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "code").unwrap();
    for (script, expected) in WALLS {
        let mut plan = plan(&format!("{{ {script}; }} 2>/dev/null; true"));
        plan.mounts = vec![Mount { source: folder.path().to_owned(), target: PathBuf::from("/task") }];
        let ended = run(&host, &plan);
        assert_eq!((ended.output.as_str(), &ended.exit), (*expected, &Exit::Code(0)), "{script}");
    }
}
