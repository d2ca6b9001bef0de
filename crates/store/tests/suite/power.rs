//! Cut the power: a file system on a loop device is shut down under the load without writing its caches, mounted again,
//! and every commit that was acknowledged before the cut began must be there. Needs root, loop devices, ext4's tools and
//! Python for the ioctl; where one is missing the test says so and is over. `FREEHOLD_POWER_ROUNDS` says how many cuts.
//!
//! Acknowledgements and the beginning of the cut carry the machine's monotonic time: while the shutdown runs, a sync
//! that is under way may report success without being one, which is a race of the simulation and not of the store.

use store::Store;

use crate::disk::Disk;
use crate::load::{self, Ack, Engine, Load};

const DISK_BYTES: u64 = 1 << 30;

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
    let mut disk = match Disk::new(folder.path(), DISK_BYTES) {
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
