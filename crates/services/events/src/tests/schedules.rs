//! Rules with a schedule fire when they are due.

use super::*;

async fn scheduled(bench: &Bench, expression: &str) {
    let input =
        aws::PutRuleRequest { name: "s".into(), schedule_expression: Some(expression.into()), ..Default::default() };
    bench.call::<aws::PutRule>(input).await.unwrap();
    bench.targets("s", &[json!({"Id": "q", "Arn": queue("q")})]).await.unwrap();
}

fn time(delivered: &(String, Value)) -> String {
    let event: Value = serde_json::from_str(delivered.1["MessageBody"].as_str().unwrap()).unwrap();
    assert_eq!((&event["source"], &event["detail-type"]), (&json!("aws.events"), &json!("Scheduled Event")));
    assert_eq!(event["resources"], json!(["arn:aws:events:us-east-1:000000000000:rule/s"]));
    event["time"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_rate_fires_again_and_again() {
    let bench = Bench::new().await;
    scheduled(&bench, "rate(5 minutes)").await;
    for minute in ["05", "10", "15"] {
        bench.hand.advance(Duration::from_secs(300));
        assert_eq!(time(&bench.delivered(1).await[0]), format!("2026-11-21T12:{minute}:00Z"));
    }
    bench.call::<aws::DisableRule>(aws::DisableRuleRequest { name: "s".into(), event_bus_name: None }).await.unwrap();
    assert!(bench.events.timers().is_empty());
}

#[tokio::test]
async fn what_was_missed_is_made_up_for_once() {
    let bench = Bench::new().await;
    scheduled(&bench, "cron(0 * * * ? *)").await;
    assert!(bench.deliveries.shut_down(PATIENCE).await && bench.tasks.shut_down(PATIENCE).await);
    bench.hand.advance(Duration::from_secs(5 * 3_600 + 60));
    let bench = Bench::over(bench.store, bench.clock, bench.hand).await;
    assert_eq!(time(&bench.delivered(1).await[0]), "2026-11-21T13:00:00Z");
    bench.hand.advance(Duration::from_secs(3_600));
    assert_eq!(time(&bench.delivered(1).await[0]), "2026-11-21T18:00:00Z");
}
