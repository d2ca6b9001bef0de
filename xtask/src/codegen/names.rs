//! The models' names as Rust's.

/// `KMSKeyArn` → `kms_key_arn`; a keyword gets an underscore behind it.
pub(super) fn field(name: &str) -> String {
    let snake = words(name).join("_");
    match snake.as_str() {
        "type" | "match" | "ref" | "self" | "move" | "static" | "enum" | "struct" | "use" | "where" | "as" | "in"
        | "for" | "loop" | "mod" | "async" | "await" | "abstract" | "final" | "override" | "virtual" | "dyn"
        | "true" | "false" | "if" | "else" | "return" | "yield" | "default" | "box" | "try" | "gen" | "const"
        | "break" | "continue" | "crate" | "extern" | "fn" | "impl" | "let" | "mut" | "pub" | "super" | "trait"
        | "unsafe" | "while" | "do" | "become" | "macro" | "priv" | "typeof" | "unsized" => snake + "_",
        _ => snake,
    }
}

/// `KMSKeyArn` → `KMS_KEY_ARN`.
pub(super) fn table(name: &str) -> String {
    words(name).join("_").to_uppercase()
}

/// The shape's own name, beginning with a capital.
pub(super) fn type_(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

/// An enumeration's value as a variant: `python3.13` → `Python3_13`, `INFREQUENT_ACCESS` → `InfrequentAccess`.
pub(super) fn variant(value: &str) -> String {
    let shouting = !value.contains(|c: char| c.is_ascii_lowercase());
    let mut name = String::new();
    for part in value.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()) {
        let digits_meet =
            name.ends_with(|c: char| c.is_ascii_digit()) && part.starts_with(|c: char| c.is_ascii_digit());
        if digits_meet {
            name.push('_');
        }
        let mut letters = part.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.extend(letters.map(|c| if shouting { c.to_ascii_lowercase() } else { c }));
    }
    match name.as_str() {
        "Self" | "Other" => name + "Value",
        _ if !name.starts_with(|c: char| c.is_ascii_alphabetic()) => format!("V{name}"),
        _ => name,
    }
}

/// Cuts at capitals: a run of capitals is one word, whose last letter begins the next one if a small letter follows.
fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (index, &letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).map(|index| letters[index]);
        let after = letters.get(index + 1);
        let starts = letter.is_ascii_uppercase()
            && before.is_some_and(|before| {
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_ascii_uppercase() && after.is_some_and(char::is_ascii_lowercase))
            });
        if starts || !letter.is_ascii_alphanumeric() {
            words.push(String::new());
        }
        if letter.is_ascii_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(letter.to_ascii_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_rust() {
        for (given, expected) in [
            ("FunctionName", "function_name"),
            ("KMSKeyArn", "kms_key_arn"),
            ("S3ObjectVersion", "s3_object_version"),
            ("CodeSha256", "code_sha256"),
            ("logGroupARNs", "log_group_ar_ns"),
            ("Ipv6AllowedForDualStack", "ipv6_allowed_for_dual_stack"),
            ("Type", "type_"),
        ] {
            assert_eq!(field(given), expected);
        }
        assert_eq!(table("RoleArn"), "ROLE_ARN");
        assert_eq!(type_("arnType"), "ArnType");
    }

    #[test]
    fn values_become_variants() {
        for (given, expected) in [
            ("python3.13", "Python3_13"),
            ("nodejs24.x", "Nodejs24X"),
            ("provided.al2023", "ProvidedAl2023"),
            ("x86_64", "X86_64"),
            ("RequestResponse", "RequestResponse"),
            ("INFREQUENT_ACCESS", "InfrequentAccess"),
            ("NONE", "None"),
            ("$LATEST.PUBLISHED", "LatestPublished"),
            ("1", "V1"),
        ] {
            assert_eq!(variant(given), expected);
        }
    }
}
