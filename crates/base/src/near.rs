//! Which of the names that there are somebody may have meant who wrote one that there is not.

/// Nobody means anything by a name that is longer than this; comparing takes time that grows with it.
const CHARS_MAX: usize = 200;

/// Names that are so many slips farther than the nearest one are not meant.
const FARTHER_MAX: usize = 2;

/// At most three of `names`, nearest first: names that differ from `wanted` by a slip or two, or that contain it.
pub fn near<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    if wanted.chars().nth(CHARS_MAX).is_some() {
        return Vec::new();
    }
    let folded = wanted.to_lowercase();
    let slips_max = 1 + folded.chars().count() / 4;
    let mut found: Vec<(usize, &str)> = names
        .into_iter()
        .filter_map(|name| {
            let candidate = name.to_lowercase();
            let slips = strsim::damerau_levenshtein(&folded, &candidate);
            let contains = folded.len() >= 3 && (candidate.contains(&folded) || folded.contains(&candidate));
            (slips <= slips_max || contains).then_some((slips, name))
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    let farthest = found.first().map_or(0, |(slips, _)| slips + FARTHER_MAX);
    found.retain(|(slips, _)| *slips <= farthest);
    found.into_iter().take(3).map(|(_, name)| name).collect()
}

/// `Did you mean 'a' or 'b'?`; nothing if none is near.
pub fn did_you_mean<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let quoted: Vec<String> = near(wanted, names).into_iter().map(|name| format!("'{name}'")).collect();
    let (last, rest) = quoted.split_last()?;
    Some(if rest.is_empty() {
        format!("Did you mean {last}?")
    } else {
        format!("Did you mean {} or {last}?", rest.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_forgiven_and_strangers_are_not() {
        let names = ["hello-node", "hello-python", "greet", "orders"];
        let check = |wanted: &str, expected: &[&str]| assert_eq!(near(wanted, names), expected, "{wanted}");
        check("hello-ndoe", &["hello-node"]);
        check("Greet", &["greet"]);
        check("hello", &["hello-node", "hello-python"]);
        check("greeter", &["greet"]);
        check("zzz", &[]);
        check("", &[]);
        check(&"greet".repeat(100), &[]);
        let types = ["AWS::Lambda::Function", "AWS::Lambda::Version", "AWS::Serverless::Function"];
        assert_eq!(near("AWS::Lambda::Functoin", types), ["AWS::Lambda::Function"]);
        assert_eq!(did_you_mean("hello", names).as_deref(), Some("Did you mean 'hello-node' or 'hello-python'?"));
        assert_eq!(did_you_mean("gret", names).as_deref(), Some("Did you mean 'greet'?"));
        assert_eq!(did_you_mean("zzz", names), None);
    }
}
