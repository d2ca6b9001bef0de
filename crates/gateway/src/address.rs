//! Which function a request is for, from its host or its path.

/// A function's address, taken out of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address<'a> {
    /// Which function.
    pub function: Named<'a>,
    /// The path below the address: begins with `/`, still percent-encoded.
    pub path: &'a str,
}

/// The two ways to name a function in an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named<'a> {
    /// `/_fn/NAME/…`: a name, or `NAME:ALIAS`.
    Name(&'a str),
    /// `ID.lambda-url.REGION.…`: the id that the URL's configuration was given.
    UrlId(&'a str),
}

/// The address in a request's `Host` and path; `None` if it is for no function.
pub fn parse<'a>(host: &'a str, path: &'a str) -> Option<Address<'a>> {
    if let Some(id) = url_id(host) {
        return Some(Address { function: Named::UrlId(id), path: if path.is_empty() { "/" } else { path } });
    }
    let rest = path.strip_prefix("/_fn/")?;
    let (name, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
    (!name.is_empty()).then_some(Address { function: Named::Name(name), path })
}

/// `ID` of `ID.lambda-url.REGION.SUFFIX`, whatever the suffix is: `localhost:4566`, `on.aws`, `localhost.localstack.cloud`.
fn url_id(host: &str) -> Option<&str> {
    let (id, rest) = host.split_once('.')?;
    let rest = rest.get(..11).filter(|label| label.eq_ignore_ascii_case("lambda-url.")).map(|_| rest)?;
    (rest.len() > 11 && !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric())).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let name = |name, path| Some(Address { function: Named::Name(name), path });
        let id = |id, path| Some(Address { function: Named::UrlId(id), path });
        for (host, path, expected) in [
            ("localhost:4566", "/_fn/hello", name("hello", "/")),
            ("localhost:4566", "/_fn/hello/", name("hello", "/")),
            ("localhost", "/_fn/hello:live/a/b%20c", name("hello:live", "/a/b%20c")),
            ("localhost", "/_fn/", None),
            ("localhost", "/_fn", None),
            ("localhost", "/2015-03-31/functions", None),
            ("abc123.lambda-url.us-east-1.localhost:4566", "/a", id("abc123", "/a")),
            ("abc123.lambda-url.us-east-1.on.aws", "", id("abc123", "/")),
            ("ABC.Lambda-URL.us-east-1.localhost", "/_fn/other/", id("ABC", "/_fn/other/")),
            ("abc.lambda-url.", "/", None),
            ("a-b.lambda-url.x", "/", None),
            (".lambda-url.x", "/", None),
            ("ä.ä", "/", None),
        ] {
            assert_eq!(parse(host, path), expected, "{host} {path}");
        }
    }
}
