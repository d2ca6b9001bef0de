//! Cut the power: a file system on a loop device is shut down under the load without writing its caches, mounted again,
//! and every commit that was acknowledged before the cut began must be there. Needs root, loop devices, ext4's tools and
//! Python for the ioctl; where one is missing the test says so and is over. `FREEHOLD_POWER_ROUNDS` says how many cuts.
//!
//! Acknowledgements and the beginning of the cut carry the machine's monotonic time: while the shutdown runs, a sync
//! that is under way may report success without being one, which is a race of the simulation and not of the store.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use store::Store;

use crate::load::{self, Ack, Engine, Load};

const IMAGE_BYTES: u64 = 1 << 30;

/// EXT4_IOC_SHUTDOWN with "no log flush", after a line on standard input; prints when it began.
const CUTTER: &str = "
import fcntl, os, struct, sys, time
folder = os.open(sys.argv[1], os.O_RDONLY)
print('ready', flush=True)
sys.stdin.readline()
began = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
fcntl.ioctl(folder, 0x8004587D, struct.pack('I', 2))
print(began, flush=True)
";

#[test]
fn embedded_survives_power_cuts() {
    load::run_if_started();
    survives_power_cuts("power::embedded_survives_power_cuts", Engine::Embedded);
}

#[test]
fn sqlite_survives_power_cuts() {
    load::run_if_started();
    survives_power_cuts("power::sqlite_survives_power_cuts", Engine::Sqlite);
}

fn survives_power_cuts(test: &str, engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = match Disk::new(folder.path()) {
        Ok(disk) => disk,
        Err(missing) => return println!("skipped: no power to cut here: {missing}"),
    };
    let rounds = std::env::var("FREEHOLD_POWER_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (mut acknowledged, mut late) = (0, 0);
    for round in 0..rounds {
        let mut load = Load::start(test, engine, &disk.data(), round);
        let mut acks = load.acks([300, 1_500, 5_000][round as usize % 3]);
        let began_ns = disk.cut();
        acks.extend(load.kill());
        let before: Vec<Ack> = acks.iter().filter(|ack| ack.at_ns < began_ns).copied().collect();
        acknowledged += before.len();
        late += acks.len() - before.len();
        disk.mount_again();
        runtime.block_on(async {
            let store = Store::open(engine.options(&disk.data())).unwrap();
            load::check(&store, round..round + 1, &before).await;
            load::writes_go_on(&store, round).await;
            load::forget(&store, round).await;
            store.close().await;
        });
    }
    println!(
        "{engine}: {rounds} power cuts, {acknowledged} commits acknowledged before them, none lost, none torn ({late} later)"
    );
}

/// A file system of its own, unmounted when it is dropped.
struct Disk {
    mount: PathBuf,
    image: PathBuf,
}

impl Disk {
    fn new(folder: &Path) -> Result<Self, String> {
        let disk = Self { mount: folder.join("mount"), image: folder.join("image") };
        std::fs::create_dir(&disk.mount).map_err(|error| error.to_string())?;
        let image = std::fs::File::create(&disk.image).map_err(|error| error.to_string())?;
        image.set_len(IMAGE_BYTES).map_err(|error| error.to_string())?;
        run("python3", &["-c".as_ref(), "import fcntl".as_ref()])?;
        run("mkfs.ext4", &["-q".as_ref(), "-F".as_ref(), disk.image.as_os_str()])?;
        disk.mount()?;
        std::fs::create_dir(disk.data()).map_err(|error| error.to_string())?;
        Ok(disk)
    }

    fn data(&self) -> PathBuf {
        self.mount.join("data")
    }

    /// Cuts the power, and tells when that began.
    fn cut(&self) -> u64 {
        let mut cutter: Child = Command::new("python3")
            .args(["-c", CUTTER])
            .arg(&self.mount)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(cutter.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "ready");
        cutter.stdin.take().unwrap().write_all(b"now\n").unwrap();
        let began = lines.next().expect("the file system was shut down").unwrap().parse().unwrap();
        cutter.wait().unwrap();
        began
    }

    fn mount_again(&mut self) {
        run("umount", &[self.mount.as_os_str()]).unwrap();
        self.mount().unwrap();
    }

    fn mount(&self) -> Result<(), String> {
        run("mount", &["-o".as_ref(), "loop".as_ref(), self.image.as_os_str(), self.mount.as_os_str()])
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Fails where it was never mounted, which is as well.
        let _unmounted = run("umount", &[self.mount.as_os_str()]);
    }
}

fn run(program: &str, arguments: &[&std::ffi::OsStr]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).output().map_err(|error| format!("{program}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}
