//! Which function a request means: by host name (`ID.lambda-url.REGION.localhost:4566`) or by path (`/_fn/NAME/…`).

/// What a request's host and path say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address<'a> {
    /// The id of a function's URL; the whole path is the function's.
    Id(&'a str),
    /// A function's name, which may end in `:ALIAS`, and what follows it in the path, without the slash between.
    Name {
        /// The name.
        name: &'a str,
        /// The function's own path; empty where the path ends with the name.
        rest: &'a str,
    },
}

/// What paths to functions begin with.
pub const PREFIX: &str = "/_fn/";

impl<'a> Address<'a> {
    /// Reads the address; `None` if the request means no function's URL. `host` may carry a port, `path` is as sent.
    pub fn read(host: &'a str, path: &'a str) -> Option<Self> {
        if let Some(id) = id_of(host) {
            return Some(Self::Id(id));
        }
        let named = path.strip_prefix(PREFIX)?;
        let (name, rest) = named.split_once('/').unwrap_or((named, ""));
        (!name.is_empty()).then_some(Self::Name { name, rest })
    }
}

/// `ID.lambda-url.REGION.…`
fn id_of(host: &str) -> Option<&str> {
    let (id, rest) = host.split_once('.')?;
    let (word, _) = rest.split_once('.')?;
    let good = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (good && word.eq_ignore_ascii_case("lambda-url")).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        for (host, path, expected) in [
            ("abc.lambda-url.us-east-1.localhost:4566", "/a", Some(Address::Id("abc"))),
            ("abc.lambda-url.us-east-1.on.aws", "/", Some(Address::Id("abc"))),
            ("abc.LAMBDA-URL.us-east-1.localhost", "/_fn/x/", Some(Address::Id("abc"))),
            ("lambda-url.us-east-1.localhost", "/", None),
            (".lambda-url.us-east-1.localhost", "/", None),
            ("a_b.lambda-url.us-east-1.localhost", "/", None),
            ("lambda.us-east-1.amazonaws.com", "/_fn/greet/a/b", Some(Address::Name { name: "greet", rest: "a/b" })),
            ("localhost:4566", "/_fn/greet", Some(Address::Name { name: "greet", rest: "" })),
            ("localhost:4566", "/_fn/greet/", Some(Address::Name { name: "greet", rest: "" })),
            ("localhost:4566", "/_fn/greet:live//x", Some(Address::Name { name: "greet:live", rest: "/x" })),
            ("localhost:4566", "/_fn/", None),
            ("localhost:4566", "/_fn", None),
            ("localhost:4566", "/", None),
            ("", "", None),
        ] {
            assert_eq!(Address::read(host, path), expected, "{host} {path}");
        }
    }
}
