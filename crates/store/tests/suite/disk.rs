//! A disk of its own for a test: ext4 in a file, on a loop device. Needs root, loop devices, ext4's tools and Python.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a disk may take to come back.
const PATIENCE: Duration = Duration::from_secs(30);

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

/// A file system of its own, unmounted when it is dropped.
pub struct Disk {
    mount: PathBuf,
    image: PathBuf,
}

impl Disk {
    /// Makes a disk in a folder; tells what is missing where that cannot be done.
    pub fn new(folder: &Path, bytes: u64) -> Result<Self, String> {
        let disk = Self { mount: folder.join("mount"), image: folder.join("image") };
        std::fs::create_dir(&disk.mount).map_err(|error| error.to_string())?;
        let image = std::fs::File::create(&disk.image).map_err(|error| error.to_string())?;
        image.set_len(bytes).map_err(|error| error.to_string())?;
        run("python3", &["-c".as_ref(), "import fcntl".as_ref()])?;
        run("mkfs.ext4", &["-q".as_ref(), "-F".as_ref(), disk.image.as_os_str()])?;
        disk.mount()?;
        std::fs::create_dir(disk.data()).map_err(|error| error.to_string())?;
        Ok(disk)
    }

    /// A folder on it.
    pub fn data(&self) -> PathBuf {
        self.mount.join("data")
    }

    /// Cuts the power, and tells when that began.
    pub fn cut(&self) -> u64 {
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

    /// Mounts it again after a cut.
    ///
    /// A process that starts in a mount namespace of its own at that moment, anywhere on the machine, holds a copy of the mount for some
    /// milliseconds: unmounting then does not end the file system that was cut, and mounting gives the same one again, dead as it is.
    pub fn mount_again(&mut self) {
        let until = Instant::now() + PATIENCE;
        loop {
            run("umount", &[self.mount.as_os_str()]).unwrap();
            self.mount().unwrap();
            match self.try_out() {
                Ok(()) => return,
                Err(error) => assert!(Instant::now() < until, "the disk does not come back: {error}"),
            }
        }
    }

    /// Writes something: what is in the kernel's caches can be read from a dead disk, too.
    fn try_out(&self) -> std::io::Result<()> {
        let path = self.mount.join("tried");
        std::fs::File::create(&path)?.sync_all()?;
        std::fs::remove_file(path)
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
