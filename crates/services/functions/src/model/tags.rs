//! Tags: at most 50, with AWS's lengths.

use std::collections::BTreeMap;

use contract::Fault;

use crate::faults;

/// The most tags of one function.
pub const COUNT_MAX: usize = 50;
const KEY_LENGTH_MAX: usize = 128;
const VALUE_LENGTH_MAX: usize = 256;

/// Refuses a set of tags that a function may not have.
pub fn check(tags: &BTreeMap<String, String>) -> Result<(), Fault> {
    if tags.len() > COUNT_MAX {
        return Err(faults::invalid("Number of tags exceeds resource tag limit."));
    }
    for (key, value) in tags {
        let (key_length, value_length) = (key.chars().count(), value.chars().count());
        if key_length == 0 || key_length > KEY_LENGTH_MAX {
            return Err(faults::invalid(format!(
                "The tag key '{key}' has {key_length} characters; a key has 1 to {KEY_LENGTH_MAX}."
            )));
        }
        if value_length > VALUE_LENGTH_MAX {
            return Err(faults::invalid(format!(
                "The value of the tag '{key}' has {value_length} characters; a value has at most {VALUE_LENGTH_MAX}."
            )));
        }
        if key.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("aws:")) {
            return Err(faults::invalid(format!(
                "The tag key '{key}' is refused: keys that begin with aws: are reserved."
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_bounded() {
        let of = |count: usize| (0..count).map(|n| (format!("k{n}"), String::new())).collect::<BTreeMap<_, _>>();
        assert!(check(&of(50)).is_ok());
        assert_eq!(check(&of(51)).expect_err("too many").message, "Number of tags exceeds resource tag limit.");
        for (key, value, expected) in [
            ("", "", "a key has 1 to 128"),
            (&*"k".repeat(129), "", "a key has 1 to 128"),
            ("key", &*"v".repeat(257), "a value has at most 256"),
            ("aws:made", "", "reserved"),
            ("AWS:made", "", "reserved"),
        ] {
            let message = check(&[(key.to_owned(), value.to_owned())].into()).expect_err("it is refused").message;
            assert!(message.contains(expected), "{message}");
        }
        assert!(check(&[("ключ".repeat(32), "v".repeat(256))].into()).is_ok());
    }
}
