//! `GAPS.md` names each operation of the models that is not served, and no other: what is served is struck out there, and nothing is left
//! out in silence.

use std::fmt::Write as _;
use std::path::Path;

use wire::SERVICES;

#[test]
fn the_list_of_gaps_is_what_the_models_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../GAPS.md");
    let text = std::fs::read_to_string(&path).expect("GAPS.md is at the root");
    let mut wanted = String::new();
    for service in SERVICES {
        let mut names: Vec<&str> = service
            .operations
            .iter()
            .filter(|operation| !operation.is_served())
            .map(|operation| operation.id.name)
            .collect();
        names.sort_unstable();
        if !names.is_empty() {
            writeln!(wanted, "- `{}`: {}", service.name, names.join(", ")).expect("a string takes all");
        }
    }
    let section =
        text.split("\n## ").find(|section| section.starts_with("Operations")).expect("there is such a section");
    let found: String = section.lines().filter(|line| line.starts_with("- ")).map(|line| format!("{line}\n")).collect();
    assert_eq!(found, wanted, "the operations in GAPS.md should read:\n{wanted}");
}
