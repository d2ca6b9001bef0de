//! `CopyObject`: a version under another key, or anew under its own. A blob is not copied, only referred to once more.

use ::store::Snapshot;
use checksum::Algorithm;
use contract::{Arn, Call, Effect, Fault, Handle};
use percent_encoding::percent_decode_str;
use wire::s3::{CopyObject, CopyObjectOutput, CopyObjectRequest, CopyObjectResult};

use super::about::about;
use super::encryption::{asked, show_seal, source_customer};
use super::get_object::Looked;
use super::locks::said;
use super::{object_arn, time};
use crate::Objects;
use crate::acl;
use crate::body::{Customer, Intake, Sealing, Taken, Wanted, check_reader, named_algorithm, show, sum_up};
use crate::conditions::Conditions;
use crate::error::{Error, invalid_argument, invalid_request, no_such_version};
use crate::events::EventType;
use crate::model::{Body, Version, check_key};
use crate::ops::put_object::Put;
use crate::store::Found;

/// The largest object that is copied in one piece.
pub(super) const COPY_BYTES_MAX: u64 = 5 << 30;

/// What is copied, and the keys on both sides.
#[derive(Clone, Copy)]
struct Opened<'a> {
    snapshot: &'a Snapshot,
    found: &'a Found,
    customer: Option<&'a Customer>,
    sealing: &'a Sealing,
}

/// Where a copy comes from.
pub(super) struct Source {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) version: Option<String>,
}

impl Source {
    /// Reads `/bucket/key?versionId=…`, escaped.
    pub(super) fn parse(header: &str) -> Result<Self, Fault> {
        let wrong = || {
            invalid_argument(
                "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
                "x-amz-copy-source",
                header,
            )
        };
        let (path, query) = header.split_once("?versionId=").map_or((header, None), |(path, id)| (path, Some(id)));
        let path = percent_decode_str(path).decode_utf8().map_err(|_| wrong())?;
        let path = path.strip_prefix('/').unwrap_or(&path);
        let (bucket, key) =
            path.split_once('/').filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty()).ok_or_else(wrong)?;
        Ok(Self { bucket: bucket.to_owned(), key: key.to_owned(), version: query.map(str::to_owned) })
    }
}

impl Handle<CopyObject> for Objects {
    const EFFECT: Effect = Effect::Write;
    const ACTION: Option<&'static str> = Some("s3:PutObject");

    fn resource(&self, _call: &Call, input: &CopyObjectRequest) -> Arn {
        object_arn(&input.bucket, &input.key)
    }

    async fn handle(&self, call: &Call, input: CopyObjectRequest) -> Result<CopyObjectOutput, Fault> {
        check_key(&input.key)?;
        let source = Source::parse(&input.copy_source)?;
        // One for the record and the bytes: between two, the source could be replaced, and its parts be gone.
        let snapshot = self.shelf.snapshot();
        let Looked { bucket: from, found } = self.look_at_source(call, &snapshot, &source).await?;
        let conditions = Conditions {
            if_match: input.copy_source_if_match.as_deref(),
            if_none_match: input.copy_source_if_none_match.as_deref(),
            if_modified_since: input.copy_source_if_modified_since,
            if_unmodified_since: input.copy_source_if_unmodified_since,
        };
        conditions.check_copy(&found.version)?;
        if found.version.size > COPY_BYTES_MAX {
            let message = format!(
                "The specified copy source is larger than the maximum allowable size for a copy source: {COPY_BYTES_MAX}"
            );
            return Err(invalid_request(message));
        }
        let customer = source_customer!(input);
        check_reader(found.version.sealed.as_ref().map(|sealed| &sealed.by), customer.as_ref())?;
        let sealing = self.sealing(&input.bucket, asked!(input)).await?;
        let draft = self.draft(&input, &source, &found)?;
        let opened = Opened { snapshot: &snapshot, found: &found, customer: customer.as_ref(), sealing: &sealing };
        let (mut draft, taken) = self.copied(draft, opened, input.checksum_algorithm.as_deref()).await?;
        let into = self.shelf.bucket(&self.shelf.snapshot(), &input.bucket).await?;
        draft.about.acl = self.list_said(call, &input.bucket, acl::said!(input)).await?;
        (draft.retention, draft.legal_hold) = self.lock_of(&into, said!(input)).await?;
        draft.at_ms = self.now_ms();
        let put = Put {
            call,
            bucket: &input.bucket,
            key: &input.key,
            if_match: input.if_match.as_deref(),
            if_none_match: input.if_none_match.as_deref(),
            kind: EventType::Copy,
        };
        let (draft, id) = self.put(put, draft, &taken).await?;
        let mut result = CopyObjectResult {
            e_tag: Some(draft.quoted_etag()),
            last_modified: time(draft.at_ms),
            ..CopyObjectResult::default()
        };
        show!(result, &draft.checksum);
        result.checksum_type = draft.checksum.as_ref().map(|checksum| checksum.kind().to_owned());
        let kept = from.versioning != crate::model::Versioning::Never;
        let expiration = self.expiry(&into, &input.key, &draft).await?;
        let mut output = CopyObjectOutput { expiration, ..CopyObjectOutput::default() };
        show_seal!(output, draft.sealed.as_ref().map(|sealed| &sealed.by));
        Ok(CopyObjectOutput {
            copy_object_result: Some(result),
            copy_source_version_id: kept.then(|| found.version.id().to_owned()),
            version_id: id,
            ..output
        })
    }
}

impl Objects {
    /// What is to be copied, if the caller may read it.
    pub(super) async fn look_at_source(
        &self,
        call: &Call,
        snapshot: &Snapshot,
        source: &Source,
    ) -> Result<Looked, Error> {
        let actions = ("s3:GetObject", "s3:GetObjectVersion");
        self.allowed_version(call, actions, (&source.bucket, &source.key), source.version.as_deref()).await?;
        let looked = self.look(snapshot, &source.bucket, &source.key, source.version.as_deref()).await;
        let looked = self.told_to(call, &source.bucket, looked).await;
        match looked {
            Err(Error::Refused(fault)) if fault.code == "MethodNotAllowed" => Err(invalid_request(
                "The source of a copy request may not specifically refer to a delete marker by version id.",
            )
            .into()),
            Err(Error::Refused(fault)) if fault.code == "NoSuchVersion" => {
                Err(no_such_version(&source.key, source.version.as_deref().unwrap_or_default()).into())
            }
            other => other,
        }
    }

    /// What the copy is said to be: what its source is, or what the request says.
    fn draft(&self, input: &CopyObjectRequest, source: &Source, found: &Found) -> Result<Version, Fault> {
        let said = about!(input);
        let replaces = |directive: &Option<String>, name: &str| match directive.as_deref() {
            None | Some("COPY") => Ok(false),
            Some("REPLACE") => Ok(true),
            Some(other) => Err(invalid_argument(format!("Unknown {name} directive."), name, other)),
        };
        let metadata = replaces(&input.metadata_directive, "metadata")?;
        let tagging = replaces(&input.tagging_directive, "tagging")?;
        let mut about = if metadata { said.clone() } else { found.version.about.clone() };
        about.class.clone_from(&said.class);
        about.tags = if tagging { said.tags.clone() } else { found.version.about.tags.clone() };
        let redirect = said.header("website-redirect-location");
        about.headers.remove("website-redirect-location");
        about.set("website-redirect-location", redirect.clone());
        let same = source.bucket == input.bucket && source.key == input.key && source.version.is_none();
        if same
            && !metadata
            && said.class == found.version.about.class
            && redirect.is_none()
            && input.server_side_encryption.is_none()
            && input.sse_customer_algorithm.is_none()
        {
            let message = "This copy request is illegal because it is trying to copy an object to itself without changing the \
                           object's metadata, storage class, website redirect location or encryption attributes.";
            return Err(invalid_request(message));
        }
        let bare = Version {
            retention: None,
            legal_hold: None,
            parts: None,
            restored_until_ms: None,
            ..found.version.clone()
        };
        Ok(Version { about, ..bare })
    }

    /// The draft with bytes of its own: those that lie in one blob are shared, others are read and put anew.
    async fn copied(
        &self,
        draft: Version,
        opened: Opened<'_>,
        algorithm: Option<&str>,
    ) -> Result<(Version, Taken), Error> {
        let Opened { snapshot, found, customer, sealing } = opened;
        let by = found.version.sealed.as_ref().map(|sealed| &sealed.by);
        let same_key = customer.is_none() && by == Some(&sealing.by());
        let asked = algorithm.map(named_algorithm).transpose()?;
        let has =
            draft.checksum.as_ref().filter(|checksum| !checksum.composite).and_then(|checksum| checksum.algorithm());
        // That of a source of parts is a sum of sums; of the copy, which is one piece, it is the bytes'.
        let kept = draft.checksum.as_ref().and_then(|checksum| checksum.algorithm());
        let wanted = Wanted::only(asked.or(kept).or(Some(Algorithm::Crc64Nvme)));
        let read = || self.shelf.read(snapshot, &found.version, &found.data, customer, (0, found.version.size));
        if let (Body::Blob { id, .. }, true) = (&draft.body, same_key) {
            let body = Body::Blob { id: id.clone(), owner: self.shelf.fresh_id() };
            let held = self.shelf.hold(&body).await?;
            let checksum = match has.is_some() && asked.is_none_or(|asked| Some(asked) == has) {
                true => draft.checksum,
                false => sum_up(read().await?, wanted).await?.checksum,
            };
            let taken = Taken::shared(body.clone(), found.version.size, found.version.sealed.clone(), held);
            return Ok((Version { body, checksum, ..draft }, taken));
        }
        let taken = Intake { shelf: &self.shelf, sealing }.take(read().await?, wanted).await?;
        let draft = Version {
            size: taken.size,
            etag: hex::encode(&taken.sums.md5),
            body: taken.body.clone(),
            sealed: taken.sealed.clone(),
            checksum: taken.sums.checksum.clone(),
            ..draft
        };
        Ok((draft, taken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read() {
        for (header, expected) in [
            ("b/k", Some(("b", "k", None))),
            ("/b/k", Some(("b", "k", None))),
            ("b/a%20b%2Fc", Some(("b", "a b/c", None))),
            ("b/k?versionId=abc", Some(("b", "k", Some("abc")))),
            ("b%2Fk%2Fl", Some(("b", "k/l", None))),
            ("%2Fb%2Fk?versionId=abc", Some(("b", "k", Some("abc")))),
            ("b/k%3FversionId=abc", Some(("b", "k?versionId=abc", None))),
            ("b", None),
            ("b/", None),
            ("", None),
        ] {
            let read = Source::parse(header).ok();
            let read = read.as_ref().map(|read| (read.bucket.as_str(), read.key.as_str(), read.version.as_deref()));
            assert_eq!(read, expected, "{header}");
        }
    }
}
