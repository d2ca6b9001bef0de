//! Items as rows for people: without their types, and cut. Programs get items whole.

use serde_json::Value;

use crate::screen::Look;

/// More attributes than these share a column.
const COLUMNS_MAX: usize = 8;
/// What a cell shows at most.
const LETTERS_MAX: usize = 120;

/// A row for each item: its keys, its other attributes in the order in which they are met, and what finds no column in the last one.
pub(super) fn table(items: &[Value], keys: &[&str], look: &Look) -> String {
    let mut columns: Vec<&str> = keys.to_vec();
    let mut rest = false;
    for name in items.iter().filter_map(Value::as_object).flat_map(|item| item.keys()) {
        match columns.contains(&name.as_str()) {
            true => {}
            false if columns.len() < COLUMNS_MAX => columns.push(name),
            false => rest = true,
        }
    }
    let row = |item: &Value| {
        let mut row: Vec<String> = columns.iter().map(|name| item.get(*name).map(cell).unwrap_or_default()).collect();
        if rest {
            let others = item.as_object().into_iter().flatten().filter(|(name, _)| !columns.contains(&name.as_str()));
            let others: Vec<String> = others.map(|(name, value)| format!("{name}={}", plain(value))).collect();
            row.push(cut(&others.join(" ")));
        }
        row
    };
    let rows: Vec<Vec<String>> = items.iter().map(row).collect();
    let mut heads: Vec<String> = columns.iter().map(|name| look.clean(name)).collect();
    if rest {
        heads.push("…".to_owned());
    }
    look.table(&heads.iter().map(String::as_str).collect::<Vec<_>>(), &rows)
}

fn cell(value: &Value) -> String {
    cut(&plain(value))
}

/// One line, and not a long one.
fn cut(text: &str) -> String {
    let mut letters = text.chars().map(|letter| if matches!(letter, '\n' | '\t' | '\r') { ' ' } else { letter });
    let mut short: String = letters.by_ref().take(LETTERS_MAX).collect();
    if letters.next().is_some() {
        short.push('…');
    }
    short
}

/// A value without its type.
fn plain(value: &Value) -> String {
    let Some((kind, inner)) = value.as_object().and_then(|tagged| tagged.iter().next()) else {
        return value.to_string();
    };
    let list = |show: fn(&Value) -> String| {
        let parts: Vec<String> = inner.as_array().into_iter().flatten().map(show).collect();
        parts.join(", ")
    };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    match kind.as_str() {
        "NULL" => "null".to_owned(),
        "L" => format!("[{}]", list(plain)),
        "SS" | "NS" | "BS" => format!("{{{}}}", list(|one| one.as_str().unwrap_or_default().to_owned())),
        "M" => {
            let members = inner.as_object().into_iter().flatten();
            let members: Vec<String> = members.map(|(name, value)| format!("{name}: {}", plain(value))).collect();
            format!("{{{}}}", members.join(", "))
        }
        // Text, numbers, bytes in base64, true and false.
        _ => text(inner),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_shown_without_types() {
        let check = |value: Value, expected: &str| assert_eq!(cell(&value), expected);
        check(json!({ "S": "two\nlines" }), "two lines");
        check(json!({ "N": "12345678901234567890123456789012345678" }), "12345678901234567890123456789012345678");
        check(json!({ "B": "AAE=" }), "AAE=");
        check(json!({ "BOOL": true }), "true");
        check(json!({ "NULL": true }), "null");
        check(json!({ "SS": ["a", "b"] }), "{a, b}");
        check(json!({ "L": [{ "N": "1" }, { "M": { "k": { "S": "v" } } }] }), "[1, {k: v}]");
        check(json!({ "S": "x".repeat(500) }), &format!("{}…", "x".repeat(LETTERS_MAX)));
    }

    #[test]
    fn keys_come_first_and_many_attributes_share_a_column() {
        let items = [
            json!({ "total": { "N": "3" }, "id": { "S": "a" } }),
            json!({ "id": { "S": "b" }, "odd": { "BOOL": true } }),
        ];
        assert_eq!(table(&items, &["id"], &Look::plain()), "id  total  odd\na   3\nb          true\n");
        let wide: serde_json::Map<String, Value> =
            (0..10).map(|n| (format!("a{n}"), json!({ "N": n.to_string() }))).collect();
        assert_eq!(
            table(&[wide.into()], &["a9"], &Look::plain()),
            "a9  a0  a1  a2  a3  a4  a5  a6  …\n9   0   1   2   3   4   5   6   a7=7 a8=8\n"
        );
        let hostile = [json!({ "\u{1b}[2J": { "S": "\u{7}" } })];
        let shown = table(&hostile, &[], &Look::colourful());
        assert!(
            !shown.contains("\u{1b}[2J") && !shown.contains('\u{7}'),
            "others do not steer the terminal: {shown:?}"
        );
    }
}
