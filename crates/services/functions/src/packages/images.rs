//! Container images on their way in: pinned by their digest, out of a registry, off this machine's disk, or out of a bucket
//! (`s3://BUCKET/KEY`, an archive as `docker save` makes it), which is read with the rights of who wants the function.

use std::sync::Arc;

use contract::{Call, Fault};
use futures_util::TryStreamExt;
use wire::s3;

use super::Taken;
use super::objects::unread;
use crate::model::{Code, Pinned};
use crate::{Functions, faults};

/// Where an archive of images lies.
#[derive(Debug, PartialEq, Eq)]
struct InBucket<'a> {
    bucket: &'a str,
    key: &'a str,
    /// Which of its images, if it has several.
    image: Option<&'a str>,
}

impl<'a> InBucket<'a> {
    /// Reads `s3://BUCKET/KEY` or `s3://BUCKET/KEY#IMAGE`; nothing where it is something else.
    fn parse(uri: &'a str) -> Option<Result<Self, Fault>> {
        let path = uri.strip_prefix("s3://")?;
        let (path, image) = match path.rsplit_once('#') {
            Some((path, image)) if !image.is_empty() => (path, Some(image)),
            Some(_) | None => (path, None),
        };
        let parts = path.split_once('/').filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty());
        Some(parts.map(|(bucket, key)| Self { bucket, key, image }).ok_or_else(|| {
            let uri: String = uri.chars().take(300).collect();
            faults::invalid(format!(
                "Source image {uri} is not valid. Provide a valid source image. (An image in a bucket is s3://BUCKET/KEY.)"
            ))
        }))
    }
}

impl Functions {
    /// Pins an image by its digest: it can be run when this returns.
    pub(super) async fn take_image(&self, call: &Call, uri: String) -> Result<Taken, Fault> {
        let container = match InBucket::parse(&uri) {
            Some(place) => self.take_image_in(call, &uri, &place?).await?,
            None => self.compute.pin(&uri, self.images).await.map_err(|error| fault_of(&error))?,
        };
        let pinned = Pinned { uri, container: Arc::new(container) };
        Ok(Taken { code: Code::Image(pinned), _stored: None })
    }

    async fn take_image_in(&self, call: &Call, uri: &str, place: &InBucket<'_>) -> Result<compute::Container, Fault> {
        let name = format!("{}/{}", place.bucket, place.key);
        let input = s3::GetObjectRequest {
            bucket: place.bucket.to_owned(),
            key: place.key.to_owned(),
            ..s3::GetObjectRequest::default()
        };
        let reading = call.inner(&self.random, call.principal.clone(), "lambda");
        let found = self.dispatch.call_typed::<s3::GetObject>(&reading, input).await;
        let body = found.map_err(|fault| unread(&name, fault))?.body.unwrap_or_default();
        let mut archive = self.compute.receive_image(uri).await.map_err(|error| fault_of(&error))?;
        if let Some(whole) = body.whole() {
            archive.write(whole).await.map_err(|error| fault_of(&error))?;
        } else if let Some(mut stream) = body.take_stream() {
            while let Some(piece) = stream.try_next().await.map_err(|fault| unread(&name, fault))? {
                archive.write(&piece).await.map_err(|error| fault_of(&error))?;
            }
        }
        archive.pin(place.image).await.map_err(|error| fault_of(&error))
    }

    /// Makes a pinned image ready again.
    pub(crate) async fn prepare_image(&self, pinned: &Pinned) -> Result<(), Fault> {
        self.compute.prepare_container(&pinned.container).await.map_err(|error| fault_of(&error))
    }
}

/// What compute says of an image, as the caller sees it.
fn fault_of(error: &compute::ContainerError) -> Fault {
    if error.is_ours() {
        tracing::error!(%error, "a container image could not be unpacked");
        return faults::unavailable(error.to_string());
    }
    faults::invalid(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_buckets_are_read() {
        for (uri, expected) in [
            ("s3://b/app.tar", Some(Some(("b", "app.tar", None)))),
            ("s3://b/images/app.tar#app:1.2", Some(Some(("b", "images/app.tar", Some("app:1.2"))))),
            ("s3://b/app.tar#", Some(Some(("b", "app.tar#", None)))),
            ("s3://b", Some(None)),
            ("s3://b/", Some(None)),
            ("s3:///k", Some(None)),
            ("ghcr.io/you/app:1", None),
            ("/images/app.tar", None),
        ] {
            let expected = expected.map(|parts| parts.map(|(bucket, key, image)| InBucket { bucket, key, image }));
            assert_eq!(InBucket::parse(uri).map(Result::ok), expected, "{uri}");
        }
    }
}
