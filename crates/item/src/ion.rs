//! The form of a value in Ion's text, as exports have it: numbers are decimals, sets are lists that say what they are. What imports bring
//! is read in `read.rs`.

mod read;

pub use read::{Wrong, read_record};

use crate::{Item, Value, json};

/// The form of an item.
pub fn write_item(item: &Item) -> String {
    let mut out = String::new();
    put_entries(&mut out, item);
    out
}

/// The form of a text: between quotes.
pub fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    put_quoted(&mut out, '"', text);
    out
}

fn put_entries(out: &mut String, entries: &Item) {
    let put = |out: &mut String, (name, value): (&String, &Value)| {
        // Every name is quoted, so that none is taken for a keyword.
        put_quoted(out, '\'', name);
        out.push(':');
        put_value(out, value);
    };
    put_between(out, ('{', '}'), entries, put);
}

fn put_value(out: &mut String, value: &Value) {
    match value {
        Value::S(text) => put_quoted(out, '"', text),
        Value::N(number) => put_decimal(out, &number.to_string()),
        Value::B(bytes) => put_blob(out, bytes),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Null => out.push_str("null"),
        Value::M(entries) => put_entries(out, entries),
        Value::L(items) => put_between(out, ('[', ']'), items, put_value),
        Value::Ss(members) => {
            out.push_str("$dynamodb_SS::");
            put_between(out, ('[', ']'), members.iter(), |out, member| put_quoted(out, '"', member));
        }
        Value::Ns(members) => {
            out.push_str("$dynamodb_NS::");
            put_between(out, ('[', ']'), members.iter(), |out, member| put_decimal(out, &member.to_string()));
        }
        Value::Bs(members) => {
            out.push_str("$dynamodb_BS::");
            put_between(out, ('[', ']'), members.iter(), |out, member| put_blob(out, member));
        }
    }
}

fn put_between<T>(
    out: &mut String,
    (open, close): (char, char),
    all: impl IntoIterator<Item = T>,
    put: impl Fn(&mut String, T),
) {
    out.push(open);
    for (place, one) in all.into_iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        put(out, one);
    }
    out.push(close);
}

/// Without a point it would be an integer, and with an `E` a binary number.
fn put_decimal(out: &mut String, number: &str) {
    match number.split_once(['E', 'e']) {
        Some((digits, power)) => {
            out.push_str(digits);
            out.push('d');
            out.push_str(power);
        }
        None => {
            out.push_str(number);
            if !number.contains('.') {
                out.push('.');
            }
        }
    }
}

fn put_blob(out: &mut String, bytes: &[u8]) {
    out.push_str("{{");
    out.push_str(&json::base64(bytes));
    out.push_str("}}");
}

fn put_quoted(out: &mut String, quote: char, text: &str) {
    out.push(quote);
    for letter in text.chars() {
        match letter {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            letter if letter == quote => {
                out.push('\\');
                out.push(letter);
            }
            letter if letter.is_control() && u32::from(letter) < 0x100 => {
                out.push_str(&format!("\\x{:02x}", u32::from(letter)));
            }
            letter => out.push(letter),
        }
    }
    out.push(quote);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_forms() {
        for (json, expected) in [
            (r#"{"S":"a\"b\\c\nd'e\u0001"}"#, r#""a\"b\\c\nd'e\x01""#),
            (r#"{"N":"20"}"#, "20."),
            (r#"{"N":"-1.5"}"#, "-1.5"),
            (r#"{"B":"AP8="}"#, "{{AP8=}}"),
            (r#"{"BOOL":true}"#, "true"),
            (r#"{"NULL":true}"#, "null"),
            (r#"{"M":{"it's":{"L":[{"N":"1"},{"BOOL":false}]}}}"#, r"{'it\'s':[1.,false]}"),
            (r#"{"SS":["a","b"]}"#, r#"$dynamodb_SS::["a","b"]"#),
            (r#"{"NS":["1","2.5"]}"#, "$dynamodb_NS::[1.,2.5]"),
            (r#"{"BS":["AA=="]}"#, "$dynamodb_BS::[{{AA==}}]"),
        ] {
            let value = json::read(&serde_json::from_str(json).unwrap()).unwrap();
            let item = Item::from([("v".to_owned(), value)]);
            assert_eq!(write_item(&item), format!("{{'v':{expected}}}"), "{json}");
        }
        let mut out = String::new();
        put_decimal(&mut out, "1.5E+130");
        assert_eq!(out, "1.5d+130");
    }
}
