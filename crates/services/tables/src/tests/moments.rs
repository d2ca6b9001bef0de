//! Random writes, moments and backups between them, and restarts; what is brought back is held against what the model was then. A failure
//! prints the seed that brings it back; `FREEHOLD_TABLES_ROUNDS` makes it longer.

use base::Random;
use serde_json::{Value, json};

use super::model::{self, Items, sorted};
use super::{Bench, aws};

fn rounds() -> u64 {
    std::env::var("FREEHOLD_TABLES_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(4)
}

async fn set_recovery(bench: &Bench, enabled: bool, days: Option<u64>) {
    let specification = json!({"PointInTimeRecoveryEnabled": enabled, "RecoveryPeriodInDays": days});
    let input = json!({"TableName": "model", "PointInTimeRecoverySpecification": specification});
    bench.call::<aws::UpdateContinuousBackups>(input).await;
}

fn now_s(bench: &Bench) -> f64 {
    bench.clock.now_ms() as f64 / 1_000.0
}

/// The table as it was then, under a new name, is what the model was then: items, entries of indexes and counts.
async fn check(bench: &Bench, name: &str, items: &Items) {
    let table = bench.settled(name).await;
    assert_eq!(table["ItemCount"], json!(items.len()));
    let expected = sorted(items.values().cloned().collect());
    assert_eq!(sorted(bench.contents(name, None).await), expected);
    let with = |keys: &[&str]| {
        let has = |item: &&Value| keys.iter().all(|key| !item[*key].is_null());
        sorted(expected.iter().filter(has).cloned().collect())
    };
    for (index, keys) in [("local", &["n"][..]), ("global", &["g", "n"]), ("flat", &["g"])] {
        assert_eq!(sorted(bench.contents(name, Some(index)).await), with(keys), "{index}");
    }
    let delete = json!({"TableName": name});
    bench.call::<aws::DeleteTable>(delete).await;
}

async fn restore_to(bench: &Bench, at_s: f64, name: &str) {
    let input = json!({"SourceTableName": "model", "TargetTableName": name, "RestoreDateTime": at_s});
    bench.call::<aws::RestoreTableToPointInTime>(input).await;
}

#[tokio::test]
async fn a_table_is_brought_back_to_any_moment() {
    for seed in 0..rounds() {
        println!("seed {seed}");
        let random = Random::seeded(seed);
        let (mut bench, mut items) = (model::bench().await, Items::new());
        for _ in 0..10 {
            model::step(&bench, &mut items, &random).await;
        }
        bench.pass(1);
        set_recovery(&bench, true, None).await;
        let mut moments: Vec<(f64, Items)> = Vec::new();
        let mut backups: Vec<(String, Items)> = Vec::new();
        for round in 0..25 {
            moments.push((now_s(&bench), items.clone()));
            bench.pass([1, 60, 7_200, 50_000][random.below(4) as usize]);
            if random.below(6) == 0 {
                backups.push((bench.backed_up("model").await, items.clone()));
            }
            for _ in 0..random.below(12) {
                model::step(&bench, &mut items, &random).await;
            }
            if round % 10 == 7 {
                bench = bench.again().await;
            }
            bench.tables.upkeep().await;
        }
        for n in 0..8 {
            let (at_s, then) = &moments[random.below(moments.len() as u64) as usize];
            let name = format!("then{n}");
            restore_to(&bench, *at_s, &name).await;
            if n == 3 {
                bench = bench.again().await;
            }
            // The source goes on while it is read.
            for _ in 0..5 {
                model::step(&bench, &mut items, &random).await;
            }
            check(&bench, &name, then).await;
        }
        let latest = json!({"SourceTableName": "model", "TargetTableName": "latest", "UseLatestRestorableTime": true});
        bench.call::<aws::RestoreTableToPointInTime>(latest).await;
        let then = items.clone();
        for _ in 0..5 {
            model::step(&bench, &mut items, &random).await;
        }
        check(&bench, "latest", &then).await;
        for (n, (arn, then)) in backups.iter().enumerate() {
            let name = format!("backup{n}");
            bench.available(arn).await;
            bench.restored(arn, &name).await;
            check(&bench, &name, then).await;
        }
    }
}

#[tokio::test]
async fn only_what_may_be_asked_for_is_kept() {
    let bench = model::bench().await;
    let random = Random::seeded(1);
    let mut items = Items::new();
    let write = async |items: &mut Items| {
        for _ in 0..20 {
            model::step(&bench, items, &random).await;
        }
    };
    write(&mut items).await;
    assert_eq!(bench.kept_days("model").await, 0, "a table that is not brought back keeps nothing");
    set_recovery(&bench, true, Some(3)).await;
    for _ in 0..8 {
        write(&mut items).await;
        bench.pass(86_400);
        bench.tables.upkeep().await;
    }
    write(&mut items).await;
    let described = bench.call::<aws::DescribeContinuousBackups>(json!({"TableName": "model"})).await;
    let recovery = &described["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"];
    assert_eq!(recovery["RecoveryPeriodInDays"], 3);
    let earliest_s = recovery["EarliestRestorableDateTime"].as_f64().unwrap();
    assert_eq!((now_s(&bench) - earliest_s).round(), 3.0 * 86_400.0);
    assert_eq!(bench.kept_days("model").await, 5, "the period, the day that it begins in, and the one before midnight");
    set_recovery(&bench, true, Some(35)).await;
    let restore = |at_s: f64| json!({"SourceTableName": "model", "TargetTableName": "then", "RestoreDateTime": at_s});
    for at_s in [earliest_s - 10.0, now_s(&bench) + 10.0] {
        let refused = bench.refused::<aws::RestoreTableToPointInTime>(restore(at_s)).await;
        assert_eq!(refused.0, "InvalidRestoreTimeException");
    }
    set_recovery(&bench, false, None).await;
    bench.tables.upkeep().await;
    assert_eq!(bench.kept_days("model").await, 0);
    assert_eq!(
        bench.refused::<aws::RestoreTableToPointInTime>(restore(now_s(&bench))).await,
        (
            "PointInTimeRecoveryUnavailableException".into(),
            "Point in time recovery is not enabled for table 'model'".into()
        )
    );
    for (input, expected) in [
        (json!({"TargetTableName": "then"}), "ValidationException"),
        (json!({"SourceTableName": "other", "TargetTableName": "then"}), "TableNotFoundException"),
        (json!({"SourceTableName": "model", "TargetTableName": "model"}), "TableAlreadyExistsException"),
    ] {
        assert_eq!(bench.refused::<aws::RestoreTableToPointInTime>(input.clone()).await.0, expected, "{input}");
    }
}

impl Bench {
    /// On how many days what items were before is kept of a table.
    pub(super) async fn kept_days(&self, name: &str) -> usize {
        let desk = self.tables.desks.all().into_iter().find(|desk| desk.sight().table.name == name).unwrap();
        crate::store::versions::days(&self.store.snapshot(), desk.number, 0).await.unwrap().len()
    }
}
