//! An object from a page: a form whose last field is a file, with a policy that its owner signed.
//!
//! What always holds: fields are few and small and are held; the file is passed on while it comes; nothing is put unless the policy,
//! where there is one, holds for every field, and the file ends within the lengths that it allows. Whoever sends no policy is nobody,
//! and the bucket's own policy decides. What the form says becomes a `PutObject`, and walks the same road.
//!
//! In open mode a signature proves nothing, so that a page of another origin is let in by the bucket's cross-origin rules alone, although
//! browsers post forms without asking for any.

mod fields;
mod parts;
mod policy;

pub(crate) use self::parts::{File, Parts};
pub(crate) use self::policy::Policy;

use bytes::Bytes;
use contract::Fault;
use futures_util::StreamExt;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{Method, Response, StatusCode, request};
use http_body_util::BodyExt;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use wire::server::read_object_input;
use wire::{ByteStream, Payload, Protocol, Route, s3};

pub(crate) use self::fields::Fields;
use super::body::{bad, fault_of};
use super::proof::prove_form;
use super::{TRANSFER_WAIT_MAX, Target, answer, unreadable};
use crate::mount::Visit;
use crate::serve::set;
use crate::{Body, Door, RequestBody, body as bodies};

/// What people may write into an address as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl Door {
    /// Takes the file of a form.
    pub(super) async fn post_form(
        &self,
        parts: &request::Parts,
        body: RequestBody,
        visit: &Visit,
        target: &Target,
    ) -> Result<Response<Body>, Fault> {
        let bucket = target.bucket.as_deref().unwrap_or_default();
        let kind = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let pieces = body.passed_on().into_data_stream().map(|piece| piece.map_err(fault_of));
        let mut read = Parts::new(kind, Box::pin(pieces))?;
        let (fields, file) = read.fields().await?;
        let fields = fields.with_file(&file);
        let proof = prove_form(&self.parts().mode, &fields, &parts.headers, &self.parts().clock).await?;
        let policy = fields.get("policy").map(|text| Policy::read(text, self.parts().clock.now())).transpose()?;
        let lengths = match &policy {
            Some(policy) => policy.check(&fields, bucket)?,
            None => 0..=u64::MAX,
        };
        let key = fields.key()?.to_owned();
        let headers = fields.headers()?;
        let payload = Payload::posted(within(read.file(), lengths));
        let operation = s3::SERVICE.operation("PutObject").expect("the model of S3 has it");
        let route = Route { service: &s3::SERVICE, operation, protocol: Protocol::RestXml };
        let nothing = Bytes::new();
        let request = wire::Request {
            method: &Method::PUT,
            path: parts.uri.path(),
            query: "",
            headers: &headers,
            body: &nothing,
        };
        let fill = |shape: &mut dyn wire::Shape| {
            let labels = [("Bucket", bucket.to_owned()), ("Key", key.clone())].into_iter().collect();
            read_object_input(shape, route, &request, labels, Some(payload.clone()))
                .map_err(|why| unreadable(&why, &nothing))
        };
        let call = self.object_call(visit, &proof, TRANSFER_WAIT_MAX);
        let output = self.parts().dispatch.call_wire(operation.id, &call, fill).await?;
        let response = answer(operation, &*output, &visit.request_id.to_string());
        Ok(thanked(response, &fields, &Put { bucket, key: &key, place: place(parts, visit, bucket, &key) }))
    }
}

/// What was put, and where.
struct Put<'a> {
    bucket: &'a str,
    key: &'a str,
    place: String,
}

/// The object's address, of the form in which its bucket was asked for.
fn place(parts: &request::Parts, visit: &Visit, bucket: &str, key: &str) -> String {
    let key: Vec<String> = key.split('/').map(|part| utf8_percent_encode(part, PLAIN).to_string()).collect();
    let key = key.join("/");
    match parts.uri.path().trim_matches('/').is_empty() {
        true => format!("{}/{key}", visit.base_url),
        false => format!("{}/{bucket}/{key}", visit.base_url),
    }
}

/// What the form wants to be told, in place of what `PutObject` says.
fn thanked(mut response: Response<Body>, fields: &Fields, put: &Put<'_>) -> Response<Body> {
    let etag = response.headers().get(http::header::ETAG).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let etag = etag.to_owned();
    let redirect = fields.get("success_action_redirect").or(fields.get("redirect"));
    let redirect = redirect.filter(|address| is_address(address));
    let (status, location, text) = match (redirect, fields.get("success_action_status")) {
        (Some(address), _) => {
            let escaped = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
            let joint = if address.contains('?') { '&' } else { '?' };
            let (bucket, key, etag) = (escaped(put.bucket), escaped(put.key), escaped(&etag));
            let location = format!("{address}{joint}bucket={bucket}&key={key}&etag={etag}");
            (StatusCode::SEE_OTHER, location, String::new())
        }
        (None, Some("200")) => (StatusCode::OK, put.place.clone(), String::new()),
        (None, Some("201")) => (StatusCode::CREATED, put.place.clone(), document(put, &etag)),
        (None, _) => (StatusCode::NO_CONTENT, put.place.clone(), String::new()),
    };
    let headers = response.headers_mut();
    headers.remove(http::header::CONTENT_LENGTH);
    headers.remove(CONTENT_TYPE);
    set(headers, LOCATION, &location);
    if !text.is_empty() {
        set(headers, CONTENT_TYPE, "application/xml");
    }
    *response.status_mut() = status;
    *response.body_mut() = bodies::whole(text);
    response
}

fn document(put: &Put<'_>, etag: &str) -> String {
    let escaped =
        |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PostResponse><Location>{}</Location><Bucket>{}</Bucket><Key>{}</Key>\
         <ETag>{}</ETag></PostResponse>",
        escaped(&put.place),
        escaped(put.bucket),
        escaped(put.key),
        escaped(etag)
    )
}

/// An address that a browser may be sent to; any other is none.
fn is_address(text: &str) -> bool {
    text.parse::<http::Uri>()
        .is_ok_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some())
}

/// The same stream, that ends with a fault if it is longer or shorter than the policy allows.
fn within(stream: ByteStream, lengths: std::ops::RangeInclusive<u64>) -> ByteStream {
    let state = (stream, 0_u64);
    Box::pin(futures_util::stream::try_unfold(state, move |(mut stream, seen)| {
        let (min, max) = (*lengths.start(), *lengths.end());
        async move {
            match stream.next().await.transpose()? {
                Some(piece) => {
                    let seen = seen + piece.len() as u64;
                    if seen > max {
                        let message = "Your proposed upload exceeds the maximum allowed size";
                        return Err(size(bad(400, "EntityTooLarge", message), seen, "MaxSizeAllowed", max));
                    }
                    Ok(Some((piece, (stream, seen))))
                }
                None if seen < min => {
                    let message = "Your proposed upload is smaller than the minimum allowed size";
                    Err(size(bad(400, "EntityTooSmall", message), seen, "MinSizeAllowed", min))
                }
                None => Ok(None),
            }
        }
    }))
}

fn size(fault: Fault, seen: u64, name: &'static str, limit: u64) -> Fault {
    fault.with("ProposedSize", seen.to_string()).with(name, limit.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_are_as_long_as_they_may_be() {
        for (bytes, lengths, expected) in [
            (5, 0..=u64::MAX, Ok(())),
            (5, 5..=5, Ok(())),
            (5, 6..=9, Err("EntityTooSmall")),
            (5, 0..=4, Err("EntityTooLarge")),
            (0, 1..=1, Err("EntityTooSmall")),
        ] {
            let pieces = (0..bytes).map(|_| Ok(Bytes::from_static(b"x")));
            let mut stream = within(Box::pin(futures_util::stream::iter(pieces)), lengths.clone());
            let mut ended = Ok(());
            while let Some(piece) = stream.next().await {
                ended = ended.and(piece.map(drop).map_err(|fault| fault.code));
            }
            assert_eq!(ended, expected.map_err(str::to_owned), "{bytes} in {lengths:?}");
        }
    }

    #[test]
    fn browsers_are_sent_to_addresses_alone() {
        for (text, expected) in [
            ("http://example.com/done?x=1", true),
            ("https://example.com", true),
            ("javascript:alert(1)", false),
            ("/done", false),
            ("example.com", false),
            ("http://", false),
            ("", false),
        ] {
            assert_eq!(is_address(text), expected, "{text}");
        }
    }
}
