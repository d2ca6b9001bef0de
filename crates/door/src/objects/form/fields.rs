//! The fields of a form, by name, and what they mean as headers of a `PutObject`. Pure.

use bytes::Bytes;
use contract::Fault;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use wire::server::read_object_input;
use wire::{Protocol, Route, s3};

use super::File;
use crate::objects::body::bad;

/// What stands for the name of the file.
const NAME: &str = "${filename}";
/// Fields that are headers by the same name.
const HEADERS: [&str; 7] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-md5",
    "content-type",
    "expires",
];
/// Fields of AWS's own that say who sends the form, and nothing of the object.
const PROOF: [&str; 5] =
    ["x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-security-token", "x-amz-signature"];

/// Fields in the order in which they came. Names compare without case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(super) fn add(&mut self, name: &str, value: String) {
        self.0.push((name.to_owned(), value));
    }

    /// The same with the file's name where they ask for it: what follows the last slash, of either kind.
    pub(crate) fn with_file(mut self, file: &File) -> Self {
        let name = file.name.rsplit(['/', '\\']).next().unwrap_or_default();
        let proves = |field: &str| field.eq_ignore_ascii_case("policy") || field.eq_ignore_ascii_case("signature");
        for (_, value) in self.0.iter_mut().filter(|(field, value)| value.contains(NAME) && !proves(field)) {
            *value = value.replace(NAME, name);
        }
        self
    }

    /// A field's value; the first's, where there are several.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A field that there must be.
    pub(crate) fn need(&self, name: &'static str) -> Result<&str, Fault> {
        self.get(name).ok_or_else(|| {
            let message = format!(
                "Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields."
            );
            bad(400, "InvalidArgument", &message).with("ArgumentName", name).with("ArgumentValue", "")
        })
    }

    /// The object's key.
    pub(super) fn key(&self) -> Result<&str, Fault> {
        let key = self.need("key")?;
        match key.is_empty() {
            true => Err(bad(400, "InvalidArgument", "User key must have a length greater than 0.")
                .with("ArgumentName", "key")
                .with("ArgumentValue", "")),
            false => Ok(key),
        }
    }

    /// What they say of the object, as headers.
    pub(super) fn headers(&self) -> Result<HeaderMap, Fault> {
        let mut headers = HeaderMap::new();
        for (name, value) in self.iter() {
            let name = name.to_ascii_lowercase();
            let (name, value) = match name.as_str() {
                "acl" => ("x-amz-acl".to_owned(), value.to_owned()),
                "tagging" => ("x-amz-tagging".to_owned(), tags(value)?),
                known if HEADERS.contains(&known) => (name, value.to_owned()),
                own if own.starts_with("x-amz-") && !PROOF.contains(&own) => (name, value.to_owned()),
                _ => continue,
            };
            let header = HeaderName::try_from(name.as_str()).ok().zip(HeaderValue::try_from(value.as_str()).ok());
            let (header, value) = header.ok_or_else(|| {
                bad(400, "InvalidArgument", "A field of the form cannot be a header of the object.")
                    .with("ArgumentName", name)
            })?;
            headers.insert(header, value);
        }
        Ok(headers)
    }
}

/// Tags, which a form has as a document, as the header has them.
fn tags(document: &str) -> Result<String, Fault> {
    let operation = s3::SERVICE.operation("PutObjectTagging").expect("the model of S3 has it");
    let route = Route { service: &s3::SERVICE, operation, protocol: Protocol::RestXml };
    let (headers, body) = (HeaderMap::new(), Bytes::copy_from_slice(document.as_bytes()));
    let request = wire::Request { method: &Method::PUT, path: "/", query: "", headers: &headers, body: &body };
    let mut read = s3::PutObjectTaggingRequest::default();
    let labels = [("Bucket", "bucket".to_owned()), ("Key", "key".to_owned())].into_iter().collect();
    read_object_input(&mut read, route, &request, labels, None).map_err(|_| {
        bad(
            400,
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        )
    })?;
    let escaped = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pairs: Vec<String> =
        read.tagging.tag_set.iter().map(|tag| format!("{}={}", escaped(&tag.key), escaped(&tag.value))).collect();
    Ok(pairs.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        Fields(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn names_of_files_take_their_place() {
        for (file, expected) in
            [("a.txt", "in/a.txt"), ("/home/a.txt", "in/a.txt"), ("C:\\a.txt", "in/a.txt"), ("", "in/")]
        {
            let said = fields(&[("Key", "in/${filename}"), ("policy", "${filename}")]);
            let said = said.with_file(&File { name: file.into() });
            assert_eq!((said.get("key"), said.get("policy")), (Some(expected), Some("${filename}")), "{file}");
        }
    }

    #[test]
    fn fields_become_headers() {
        let tagging = "<Tagging><TagSet><Tag><Key>a b</Key><Value>1</Value></Tag></TagSet></Tagging>";
        let said = fields(&[
            ("key", "k"),
            ("acl", "public-read"),
            ("Content-Type", "image/png"),
            ("x-amz-meta-a", "b"),
            ("x-amz-signature", "s"),
            ("tagging", tagging),
            ("other", "o"),
        ]);
        let headers = said.headers().expect("headers");
        let mut found: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("text"))).collect();
        found.sort_unstable();
        let expected = [
            ("content-type", "image/png"),
            ("x-amz-acl", "public-read"),
            ("x-amz-meta-a", "b"),
            ("x-amz-tagging", "a%20b=1"),
        ];
        assert_eq!(found, expected);
        for (name, value, code) in [("x-amz-meta-a", "a\nb", "InvalidArgument"), ("tagging", "<a>", "MalformedXML")] {
            assert_eq!(fields(&[(name, value)]).headers().map_err(|fault| fault.code), Err(code.into()), "{name}");
        }
        assert_eq!(fields(&[]).key().map_err(|fault| fault.code), Err("InvalidArgument".into()));
    }
}
