//! `ListParts` and `ListMultipartUploads`.

use ::store::Range;
use contract::{Arn, Call, Effect, Fault, Handle};
use wire::s3;

use crate::Objects;
use crate::body::show;
use crate::error::invalid_argument;
use crate::model::Upload;
use crate::ops::{Shown, bucket_arn, object_arn, owner, owner_id, page_limit, time};
use crate::store::{upload_key, uploads_key};

impl Handle<s3::ListParts> for Objects {
    const EFFECT: Effect = Effect::Read;
    const ACTION: Option<&'static str> = Some("s3:ListMultipartUploadParts");

    fn resource(&self, _call: &Call, input: &s3::ListPartsRequest) -> Arn {
        object_arn(&input.bucket, &input.key)
    }

    async fn handle(&self, call: &Call, input: s3::ListPartsRequest) -> Result<s3::ListPartsOutput, Fault> {
        let snapshot = self.shelf.snapshot();
        let bucket = self.shelf.bucket(&snapshot, &input.bucket).await?;
        let upload = self.shelf.upload(&snapshot, &input.bucket, &input.key, &input.upload_id).await?;
        let limit = page_limit(input.max_parts, "max-parts")?;
        let marker = input.part_number_marker.unwrap_or_default();
        let after = u32::try_from(marker).map_err(|_| {
            let message = "Argument part-number-marker must be an integer between 0 and 2147483647";
            invalid_argument(message, "part-number-marker", &marker.to_string())
        })?;
        let mut found = self.shelf.parts(&snapshot, &input.upload_id, after, limit + 1).await?;
        let truncated = limit > 0 && found.len() > limit;
        found.truncate(limit);
        let next = found.last().map_or(after, |part| part.number);
        let parts = found.into_iter().map(|numbered| {
            let mut part = s3::Part {
                part_number: i32::try_from(numbered.number).ok(),
                last_modified: time(numbered.part.at_ms),
                e_tag: Some(format!("\"{}\"", numbered.part.etag)),
                size: i64::try_from(numbered.part.size).ok(),
                ..s3::Part::default()
            };
            if upload.algorithm.is_some() {
                show!(part, &numbered.part.checksum);
            }
            part
        });
        let parts: Vec<s3::Part> = parts.collect();
        let (abort_date, abort_rule_id) = self.abort_of(&bucket, &input.key, &upload).await?;
        Ok(s3::ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            part_number_marker: Some(marker),
            next_part_number_marker: i32::try_from(next).ok(),
            max_parts: i32::try_from(limit).ok(),
            is_truncated: Some(truncated),
            parts: (!parts.is_empty()).then_some(parts),
            initiator: Some(initiator(call)),
            owner: Some(owner(call)),
            storage_class: Some(class(&upload)),
            abort_date,
            abort_rule_id,
            checksum_algorithm: upload.algorithm.clone(),
            checksum_type: kind(&upload),
            ..s3::ListPartsOutput::default()
        })
    }
}

impl Handle<s3::ListMultipartUploads> for Objects {
    const EFFECT: Effect = Effect::Read;
    const ACTION: Option<&'static str> = Some("s3:ListBucketMultipartUploads");

    fn resource(&self, _call: &Call, input: &s3::ListMultipartUploadsRequest) -> Arn {
        bucket_arn(&input.bucket)
    }

    async fn handle(
        &self,
        call: &Call,
        input: s3::ListMultipartUploadsRequest,
    ) -> Result<s3::ListMultipartUploadsOutput, Fault> {
        let shown = Shown::asked(input.encoding_type.as_deref())?;
        let snapshot = self.shelf.snapshot();
        self.shelf.bucket(&snapshot, &input.bucket).await?;
        let limit = page_limit(input.max_uploads, "max-uploads")?;
        let prefix = input.prefix.clone().unwrap_or_default();
        let delimiter = input.delimiter.clone().unwrap_or_default();
        let parent = uploads_key(&input.bucket);
        let marker =
            (input.key_marker.as_deref().unwrap_or_default(), input.upload_id_marker.as_deref().unwrap_or_default());
        let range = behind(&input.bucket, &prefix, &delimiter, marker);
        let (mut uploads, mut prefixes) = (Vec::new(), Vec::new());
        let mut last = (String::new(), String::new());
        let mut truncated = false;
        let mut rest = Some(range);
        'pages: while let Some(range) = rest.take() {
            let (found, more) = self.shelf.uploads(&snapshot, &input.bucket, range, limit + 1).await?;
            rest = more;
            for (key, id, upload) in found {
                let fold = fold(&key, &prefix, &delimiter);
                if fold.is_some() && fold.as_ref() == prefixes.last() {
                    continue;
                }
                if uploads.len() + prefixes.len() >= limit {
                    truncated = limit > 0;
                    break 'pages;
                }
                match fold {
                    Some(fold) => {
                        last = (fold.clone(), String::new());
                        // Everything that is folded with it is passed over.
                        rest = Some(Range::text_prefix(&parent, &prefix).past(&Range::text_prefix(&parent, &fold)));
                        prefixes.push(fold);
                        continue 'pages;
                    }
                    None => {
                        last = (key.clone(), id.clone());
                        uploads.push(shown_upload(call, shown.text(&key), id, &upload));
                    }
                }
            }
        }
        let (next_key, next_id) = if truncated { (Some(shown.text(&last.0)), Some(last.1)) } else { (None, None) };
        let prefixes: Vec<_> =
            prefixes.into_iter().map(|prefix| s3::CommonPrefix { prefix: Some(shown.text(&prefix)) }).collect();
        Ok(s3::ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            key_marker: Some(shown.text(&input.key_marker.unwrap_or_default())),
            upload_id_marker: Some(input.upload_id_marker.unwrap_or_default()),
            next_key_marker: next_key,
            next_upload_id_marker: next_id,
            prefix: Some(shown.text(&prefix)),
            delimiter: shown.some(input.delimiter.as_deref()),
            max_uploads: i32::try_from(limit).ok(),
            is_truncated: Some(truncated),
            uploads: (!uploads.is_empty()).then_some(uploads),
            common_prefixes: (!prefixes.is_empty()).then_some(prefixes),
            encoding_type: input.encoding_type,
            request_charged: None,
        })
    }
}

/// What of a bucket's uploads a page shows: from behind its markers on.
fn behind(bucket: &str, prefix: &str, delimiter: &str, (key, id): (&str, &str)) -> Range {
    let parent = uploads_key(bucket);
    let range = Range::text_prefix(&parent, prefix);
    match (key, id) {
        ("", _) => range,
        // A marker that is a fold stands for all that is folded into it.
        (key, "") if fold(key, prefix, delimiter).as_deref() == Some(key) => {
            range.past(&Range::text_prefix(&parent, key))
        }
        (key, "") => range.after(&parent.with(key)),
        (key, id) => range.after(&upload_key(bucket, key, id)),
    }
}

fn fold(key: &str, prefix: &str, delimiter: &str) -> Option<String> {
    let rest = key.strip_prefix(prefix).filter(|_| !delimiter.is_empty())?;
    let end = rest.find(delimiter)? + delimiter.len();
    Some(format!("{prefix}{}", &rest[..end]))
}

fn shown_upload(call: &Call, key: String, id: String, upload: &Upload) -> s3::MultipartUpload {
    s3::MultipartUpload {
        upload_id: Some(id),
        key: Some(key),
        initiated: time(upload.at_ms),
        storage_class: Some(class(upload)),
        owner: Some(owner(call)),
        initiator: Some(initiator(call)),
        checksum_algorithm: upload.algorithm.clone(),
        checksum_type: kind(upload),
    }
}

fn initiator(call: &Call) -> s3::Initiator {
    s3::Initiator { id: Some(owner_id(call.account)), display_name: None }
}

fn class(upload: &Upload) -> String {
    upload.about.class.clone().unwrap_or_else(|| "STANDARD".into())
}

fn kind(upload: &Upload) -> Option<String> {
    upload.algorithm.as_ref().map(|_| if upload.composite { "COMPOSITE" } else { "FULL_OBJECT" }.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_go_on_behind_their_markers() {
        let uploads = [("a", "1"), ("a/", "1"), ("a/x", "1"), ("a/y", "1"), ("b", "1"), ("b", "2"), ("c", "1")];
        for (prefix, delimiter, marker, expected) in [
            ("", "", ("", ""), "a1 a/1 a/x1 a/y1 b1 b2 c1"),
            ("", "", ("a/", ""), "a/x1 a/y1 b1 b2 c1"),
            ("", "/", ("a/", ""), "b1 b2 c1"),
            ("a/", "/", ("a/", ""), "a/x1 a/y1"),
            ("a", "/", ("a/", ""), ""),
            ("", "/", ("a", ""), "a/1 a/x1 a/y1 b1 b2 c1"),
            ("", "/", ("b", "1"), "b2 c1"),
            ("", "/", ("b", ""), "c1"),
        ] {
            let range = behind("bucket", prefix, delimiter, marker);
            let shown = uploads.iter().filter(|(key, id)| range.contains(&upload_key("bucket", key, id)));
            let shown: Vec<String> = shown.map(|(key, id)| format!("{key}{id}")).collect();
            assert_eq!(shown.join(" "), expected, "{prefix:?} {delimiter:?} {marker:?}");
        }
    }
}
