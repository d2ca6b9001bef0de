//! `--blobs URL`: whose bucket the blobs lie in, and how it is spoken to.
//!
//! Keys come from the environment, under the names that each cloud's own tools read (`AWS_ACCESS_KEY_ID`, `AWS_REGION`,
//! `GOOGLE_SERVICE_ACCOUNT`, `AZURE_STORAGE_ACCOUNT_KEY`, …) or, on their machines, from the machine's role: an URL shows
//! in process lists, and has no place for secrets.

mod client;

use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::{ClientOptions, ObjectStore};
use store::Bucket;

use client::Connector;

/// An URL that names no bucket that blobs could lie in.
#[derive(Debug, thiserror::Error)]
#[error("{url} {why}")]
pub struct WrongBucket {
    url: String,
    why: String,
}

/// What the URL says.
#[derive(Debug, PartialEq, Eq)]
struct Place<'a> {
    cloud: Cloud,
    /// Without what follows `?`.
    url: &'a str,
    prefix: &'a str,
    endpoint: Option<String>,
    region: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cloud {
    S3,
    Google,
    Azure,
}

/// The bucket of an URL such as `s3://BUCKET/PREFIX?endpoint=https://HOST&region=NAME`, `gs://BUCKET/PREFIX` or
/// `az://CONTAINER/PREFIX`. Nobody is spoken to yet.
pub(crate) fn of_url(url: &str) -> Result<Bucket, WrongBucket> {
    let wrong = |why: String| WrongBucket { url: url.to_owned(), why };
    let place = Place::parse(url).map_err(|why| wrong(why.to_owned()))?;
    let failed = |error: object_store::Error| wrong(format!("cannot be used: {error}"));
    let connector = Connector::new().map_err(|error| wrong(format!("cannot be used: {error}")))?;
    let store: Arc<dyn ObjectStore> = match place.cloud {
        Cloud::S3 => {
            let mut builder = AmazonS3Builder::from_env().with_url(place.url).with_http_connector(connector);
            if let Some(endpoint) = place.endpoint {
                builder = builder.with_endpoint(endpoint);
            }
            if let Some(region) = place.region {
                builder = builder.with_region(region);
            }
            // Whoever writes http:// means it: the signature hides the key, and the blobs are as visible as said.
            let endpoint = builder.get_config_value(&AmazonS3ConfigKey::Endpoint);
            let plain = endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"));
            let options = ClientOptions::new().with_allow_http(plain);
            Arc::new(builder.with_client_options(options).build().map_err(failed)?)
        }
        Cloud::Google => {
            let builder = GoogleCloudStorageBuilder::from_env().with_url(place.url);
            Arc::new(builder.with_http_connector(connector).build().map_err(failed)?)
        }
        Cloud::Azure => {
            let builder = MicrosoftAzureBuilder::from_env().with_url(place.url);
            Arc::new(builder.with_http_connector(connector).build().map_err(failed)?)
        }
    };
    Ok(Bucket { store, prefix: place.prefix.to_owned() })
}

impl<'a> Place<'a> {
    fn parse(text: &'a str) -> Result<Self, &'static str> {
        let (url, query) = text.split_once('?').unwrap_or((text, ""));
        let how = "names no bucket: write s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX";
        let (scheme, rest) = url.split_once("://").ok_or(how)?;
        let cloud = match scheme {
            "s3" | "s3a" => Cloud::S3,
            "gs" => Cloud::Google,
            "az" | "azure" | "abfs" | "abfss" => Cloud::Azure,
            _ => return Err(how),
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() || bucket.contains(':') {
            return Err(how);
        }
        let mut place = Self { cloud, url, prefix: prefix.trim_matches('/'), endpoint: None, region: None };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match (cloud, pair.split_once('=')) {
                (Cloud::S3, Some(("endpoint", value))) if value.contains("://") => place.endpoint = Some(value.into()),
                (Cloud::S3, Some(("region", value))) if !value.is_empty() => place.region = Some(value.into()),
                (Cloud::S3, _) => return Err("has more behind its ? than endpoint=https://HOST and region=NAME"),
                (Cloud::Google | Cloud::Azure, _) => return Err("has something behind a ?, which only s3:// takes"),
            }
        }
        Ok(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_say_where_blobs_lie() {
        let place = |cloud, url, prefix| Place { cloud, url, prefix, endpoint: None, region: None };
        let local = Place {
            endpoint: Some("http://127.0.0.1:9000".to_owned()),
            region: Some("eu-west-1".to_owned()),
            ..place(Cloud::S3, "s3://bucket", "")
        };
        for (text, expected) in [
            ("s3://bucket", Some(place(Cloud::S3, "s3://bucket", ""))),
            ("s3://bucket/a/b/", Some(place(Cloud::S3, "s3://bucket/a/b/", "a/b"))),
            ("s3://bucket?endpoint=http://127.0.0.1:9000&region=eu-west-1", Some(local)),
            ("gs://bucket/a", Some(place(Cloud::Google, "gs://bucket/a", "a"))),
            ("az://container", Some(place(Cloud::Azure, "az://container", ""))),
            ("s3://bucket?endpoint=127.0.0.1", None),
            ("s3://bucket?key=secret", None),
            ("gs://bucket?endpoint=http://a", None),
            ("s3://", None),
            ("s3:///prefix", None),
            ("https://bucket.s3.amazonaws.com", None),
            ("/srv/blobs", None),
            ("", None),
        ] {
            assert_eq!(Place::parse(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn wrong_urls_say_how_to_write_them() {
        let error = of_url("/srv/blobs").expect_err("no bucket");
        assert!(error.to_string().starts_with("/srv/blobs names no bucket: write s3://BUCKET"), "{error}");
    }

    #[test]
    fn a_bucket_is_made_without_asking_anybody() {
        let bucket = of_url("s3://bucket/a/b?endpoint=http://127.0.0.1:1&region=eu-west-1").expect("a good URL");
        assert_eq!(bucket.prefix, "a/b");
    }
}
