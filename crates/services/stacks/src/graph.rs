//! In which order: what is referred to comes first.

use std::collections::{BTreeMap, BTreeSet};

use template::Problem;

/// Names and what each must wait for.
pub(crate) type Edges = BTreeMap<String, BTreeSet<String>>;

/// An order in which everything comes after what it waits for; among equals by name, so that it is always the same.
pub(crate) fn order(edges: &Edges) -> Result<Vec<String>, Problem> {
    let mut waiting: BTreeMap<&str, BTreeSet<&str>> = edges
        .iter()
        .map(|(name, needs)| {
            (name.as_str(), needs.iter().map(String::as_str).filter(|need| edges.contains_key(*need)).collect())
        })
        .collect();
    let mut dependants: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, needs) in &waiting {
        for need in needs {
            dependants.entry(need).or_default().push(name);
        }
    }
    let mut free: BTreeSet<&str> =
        waiting.iter().filter(|(_, needs)| needs.is_empty()).map(|(name, _)| *name).collect();
    let mut order = Vec::with_capacity(edges.len());
    while let Some(name) = free.pop_first() {
        waiting.remove(name);
        order.push(name.to_owned());
        for dependant in dependants.get(name).into_iter().flatten() {
            if let Some(needs) = waiting.get_mut(dependant) {
                needs.remove(name);
                if needs.is_empty() {
                    free.insert(dependant);
                }
            }
        }
    }
    if waiting.is_empty() { Ok(order) } else { Err(Problem::Circle(circle(waiting))) }
}

/// Of those that wait for ever, the ones that are in circles, or between two: what nobody waits for is only behind one.
fn circle(mut waiting: BTreeMap<&str, BTreeSet<&str>>) -> Vec<String> {
    loop {
        let needed: BTreeSet<&str> = waiting.values().flatten().copied().collect();
        let before = waiting.len();
        waiting.retain(|name, _| needed.contains(name));
        if waiting.len() == before {
            return waiting.keys().map(|name| (*name).to_owned()).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(list: &[(&str, &[&str])]) -> Edges {
        list.iter()
            .map(|(name, needs)| ((*name).to_owned(), needs.iter().map(|need| (*need).to_owned()).collect()))
            .collect()
    }

    #[test]
    fn what_is_needed_comes_first() {
        for (list, expected) in [
            (&[("a", &["b"][..]), ("b", &["c"]), ("c", &[])][..], Ok("c b a")),
            (&[("a", &[]), ("b", &[]), ("c", &["a", "b"])], Ok("a b c")),
            (&[("a", &["gone"])], Ok("a")),
            (&[("a", &["b"]), ("b", &["a"]), ("behind", &["a"]), ("free", &[])], Err("a b")),
            (&[("a", &["a"])], Err("a")),
        ] {
            let got = order(&edges(list)).map(|order| order.join(" "));
            let expected = expected
                .map(str::to_owned)
                .map_err(|names| Problem::Circle(names.split(' ').map(str::to_owned).collect()));
            assert_eq!(got, expected);
        }
    }
}
