//! What a registry says of how to ask it: the header `WWW-Authenticate`, taken apart.

/// A way to prove who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// With a token, which another gives out.
    Bearer {
        /// Where tokens are given out.
        realm: String,
        service: Option<String>,
        scope: Option<String>,
    },
    /// With name and password.
    Basic,
}

/// The best way among those that the headers offer: a token, or else name and password.
pub(crate) fn read<'a>(headers: impl IntoIterator<Item = &'a str>) -> Option<Challenge> {
    let mut offers: Vec<Challenge> = headers.into_iter().flat_map(offers).collect();
    let bearer = offers.iter().position(|offer| matches!(offer, Challenge::Bearer { .. }));
    if offers.is_empty() { None } else { Some(offers.swap_remove(bearer.unwrap_or(0))) }
}

/// A header may offer several ways: `Basic realm="x", Bearer realm="…",service="…"`.
fn offers(header: &str) -> Vec<Challenge> {
    let mut offers: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let mut rest = header.trim_start();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c == ',' || c.is_whitespace()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        match after.trim_start().strip_prefix('=') {
            Some(after) => {
                let (value, after) = value(after.trim_start());
                if let Some((_, parameters)) = offers.last_mut() {
                    parameters.push((word.to_ascii_lowercase(), value));
                }
                rest = after;
            }
            None => {
                if !word.is_empty() {
                    offers.push((word.to_ascii_lowercase(), Vec::new()));
                }
                rest = after;
            }
        }
        rest = rest.trim_start_matches(|c: char| c == ',' || c.is_whitespace());
    }
    offers.into_iter().filter_map(|(scheme, parameters)| offer(&scheme, &parameters)).collect()
}

fn offer(scheme: &str, parameters: &[(String, String)]) -> Option<Challenge> {
    let get = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    match scheme {
        "bearer" => Some(Challenge::Bearer { realm: get("realm")?, service: get("service"), scope: get("scope") }),
        "basic" => Some(Challenge::Basic),
        _ => None,
    }
}

/// A value, in quotes or not, and what follows it.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|c: char| c == ',' || c.is_whitespace()).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(letters.next().map(|(_, letter)| letter)),
            letter => value.push(letter),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_way_is_taken() {
        let bearer = |realm: &str, service: Option<&str>, scope: Option<&str>| {
            Some(Challenge::Bearer {
                realm: realm.to_owned(),
                service: service.map(str::to_owned),
                scope: scope.map(str::to_owned),
            })
        };
        for (headers, expected) in [
            (
                &[
                    r#"Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull""#,
                ][..],
                bearer("https://auth.example/token", Some("registry.example"), Some("repository:a/b:pull")),
            ),
            (&[r#"bearer REALM = "x" , scope="a,b c""#], bearer("x", None, Some("a,b c"))),
            (&[r#"Basic realm="Registry", Bearer realm="x""#], bearer("x", None, None)),
            (&["Basic realm=x", r#"Bearer realm="x""#], bearer("x", None, None)),
            (&[r#"Bearer realm="a\"b""#], bearer("a\"b", None, None)),
            (&["Basic"], Some(Challenge::Basic)),
            (&[r#"Basic realm="unclosed"#], Some(Challenge::Basic)),
            (&["Bearer"], None),
            (&["Negotiate abc=="], None),
            (&["", ",,", "=", "\""], None),
            (&[], None),
        ] {
            assert_eq!(read(headers.iter().copied()), expected, "{headers:?}");
        }
    }
}
