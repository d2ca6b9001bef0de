//! `PutObject`: the bytes first, then one transaction that makes them the key's current version.

use checksum::Algorithm;
use contract::{Arn, Call, Effect, Fault, Handle};
use wire::s3::{PutObject, PutObjectOutput, PutObjectRequest};

use super::about::about;
use super::encryption::{asked, show_seal};
use super::locks::said;
use super::object_arn;
use crate::Objects;
use crate::acl;
use crate::body::{Intake, Taken, Wanted, given, show};
use crate::conditions::check_put;
use crate::error::{Error, invalid_request};
use crate::events::{Event, EventType, sequencer};
use crate::model::{Version, check_key};

impl Handle<PutObject> for Objects {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, _call: &Call, input: &PutObjectRequest) -> Arn {
        object_arn(&input.bucket, &input.key)
    }

    async fn handle(&self, call: &Call, mut input: PutObjectRequest) -> Result<PutObjectOutput, Fault> {
        check_key(&input.key)?;
        let mut about = about!(input);
        // Known before the body is read, so that a client with a gigabyte is told at once.
        let bucket = self.shelf.bucket(&self.shelf.snapshot(), &input.bucket).await?;
        about.acl = self.list_said(call, &input.bucket, acl::said!(input)).await?;
        let (retention, legal_hold) = self.lock_of(&bucket, said!(input)).await?;
        let wanted = Wanted::read(
            input.content_md5.as_deref(),
            given!(input),
            input.checksum_algorithm.as_deref(),
            Some(Algorithm::Crc64Nvme),
        )?;
        let payload = input.body.take().unwrap_or_default();
        let wanted = wanted.or_announced(&payload.trailers());
        if said!(input).asks() && !payload.is_posted() && !wanted.is_said() {
            let message = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock \
                           parameters";
            return Err(invalid_request(message));
        }
        let kind = if payload.is_posted() { EventType::Post } else { EventType::Put };
        let sealing = self.sealing(&input.bucket, asked!(input)).await?;
        let taken = Intake { shelf: &self.shelf, sealing: &sealing }.take(payload, wanted).await?;
        let draft = Version {
            at_ms: self.now_ms(),
            size: taken.size,
            etag: hex::encode(&taken.sums.md5),
            body: taken.body.clone(),
            sealed: taken.sealed.clone(),
            about,
            checksum: taken.sums.checksum.clone(),
            retention,
            legal_hold,
            ..Version::default()
        };
        let put = Put {
            call,
            bucket: &input.bucket,
            key: &input.key,
            if_match: input.if_match.as_deref(),
            if_none_match: input.if_none_match.as_deref(),
            kind,
        };
        let (draft, id) = self.put(put, draft, &taken).await?;
        let mut output =
            PutObjectOutput { e_tag: Some(draft.quoted_etag()), version_id: id, ..PutObjectOutput::default() };
        output.expiration = self.expiry(&bucket, &input.key, &draft).await?;
        show_seal!(output, draft.sealed.as_ref().map(|sealed| &sealed.by));
        show!(output, &draft.checksum);
        output.checksum_type = draft.checksum.as_ref().map(|checksum| checksum.kind().to_owned());
        Ok(output)
    }
}

/// Where a version goes, and under which conditions.
#[derive(Clone, Copy)]
pub(crate) struct Put<'a> {
    /// Who puts it, for who is told.
    pub(crate) call: &'a Call,
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
    pub(crate) if_match: Option<&'a str>,
    pub(crate) if_none_match: Option<&'a str>,
    pub(crate) kind: EventType,
}

impl Objects {
    /// Makes a draft the current version, tells of it, and gives it back with the id that callers see.
    pub(crate) async fn put(
        &self,
        put: Put<'_>,
        draft: Version,
        taken: &Taken,
    ) -> Result<(Version, Option<String>), Error> {
        let draft = &draft;
        let id = self
            .shelf
            .store
            .transact(|tx| async move {
                let bucket = self.shelf.bucket_in(&tx, put.bucket).await?;
                if put.if_match.is_some() || put.if_none_match.is_some() {
                    let current = self.shelf.current_in(&tx, put.bucket, put.key).await?;
                    check_put(current.as_ref().map(|found| &found.version), put.key, put.if_match, put.if_none_match)?;
                }
                let placed = self.shelf.place(&tx, &bucket, put.key, draft.clone(), &taken.data).await?;
                let event = Event {
                    kind: put.kind,
                    key: put.key,
                    size: Some(draft.size),
                    etag: Some(&draft.etag),
                    version_id: placed.id.as_deref(),
                    sequencer: &sequencer(&tx),
                };
                self.tell(&tx, put.call, &bucket, event).await?;
                Ok::<_, Error>(placed.id)
            })
            .await?;
        Ok((draft.clone(), id))
    }
}
