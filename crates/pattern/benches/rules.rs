//! What an event costs with ten rules and with ten thousand.
//!
//! `cargo bench -p pattern`. Each kind of rule is one that people write by the thousand for one source; the event is the same, and
//! matches exactly one of them.

use std::hint::black_box;
use std::time::{Duration, Instant};

use pattern::{Index, Pattern};
use serde_json::{Value, json};

const COUNTS: [u32; 4] = [10, 100, 1_000, 10_000];
const RUN: Duration = Duration::from_millis(400);

fn main() {
    // `cargo test --benches` starts it too, without this.
    if !std::env::args().any(|argument| argument == "--bench") {
        return println!("only measured by cargo bench");
    }
    let common = |detail: Value| json!({"source": ["shop"], "detail-type": ["Order"], "detail": detail});
    println!("nanoseconds an event at {COUNTS:?} rules, and the last against the first\n");
    measure("exact", |n| common(json!({"customer": {"id": [format!("c-{n}")]}})));
    measure("own source", |n| json!({"source": [if n == 7 { "shop".to_owned() } else { format!("shop-{n}") }]}));
    measure("prefix", |n| common(json!({"key": [{"prefix": format!("in/{n}/")}]})));
    measure("suffix", |n| common(json!({"key": [{"suffix": format!("/{n}.jpg")}]})));
    measure("wildcard", |n| common(json!({"key": [{"wildcard": format!("in/{n}/*.jpg")}]})));
    measure("ignore case", |n| common(json!({"customer": {"id": [{"equals-ignore-case": format!("C-{n}")}]}})));
    measure("numeric range", |n| common(json!({"amount": [{"numeric": [">=", n * 10, "<", n * 10 + 10]}]})));
    measure("cidr", |n| common(json!({"ip": [{"cidr": format!("10.{}.{}.0/24", n >> 8, n & 255)}]})));
    measure("$or", |n| {
        common(json!({"$or": [{"customer": {"id": [format!("c-{n}")]}}, {"amount": [-i64::from(n) - 1]}]}))
    });
    measure("two exact", |n| common(json!({"city": [format!("city-{}", n % 100)], "amount": [n / 100 * 10 + 70]})));
}

fn measure(name: &str, rule: impl Fn(u32) -> Value) {
    let event = json!({
        "version": "0", "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718", "source": "shop", "detail-type": "Order",
        "account": "000000000000", "time": "2026-01-01T00:00:00Z", "region": "us-east-1", "resources": [],
        "detail": {
            "customer": {"id": "c-7", "name": "A"}, "amount": 70, "city": "city-7", "ip": "10.0.7.9", "key": "in/7/7.jpg",
            "lines": [{"sku": "a", "count": 1}, {"sku": "b", "count": 2}], "note": "please ring twice",
        },
    });
    let mut times = Vec::new();
    let mut building = Duration::ZERO;
    for count in COUNTS {
        let patterns: Vec<Pattern> =
            (0..count).map(|n| Pattern::compile(&rule(n).to_string()).expect("it is a pattern")).collect();
        let start = Instant::now();
        let mut index = Index::new();
        (0..count).zip(&patterns).for_each(|(n, pattern)| index.insert(n, pattern));
        building = start.elapsed();
        assert_eq!(index.matches(&event), [7], "{name}");
        times.push(time(&index, &event));
    }
    let ratio = times[times.len() - 1] / times[0];
    let times: Vec<String> = times.iter().map(|time| format!("{time:6.0}")).collect();
    println!("{name:>14}  {}  ×{ratio:.2}  (10,000 filed in {building:.0?})", times.join("  "));
}

fn time(index: &Index<u32>, event: &Value) -> f64 {
    let (start, mut rounds) = (Instant::now(), 0_u32);
    while start.elapsed() < RUN {
        for _ in 0..100 {
            black_box(index.matches(black_box(event)));
        }
        rounds += 100;
    }
    start.elapsed().as_nanos() as f64 / f64::from(rounds)
}
