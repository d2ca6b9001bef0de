//! Code packages on their way in and out: taken from a request, a bucket or the node's own code store, checked and unpacked by
//! compute, kept as blobs; and handed out again under links that expire.

mod images;
pub(crate) mod live;
mod objects;

use std::time::Duration;

use ::store::{BlobId, BlobStream, Blobs, Key, Record, Store, Stored};
use aws_lc_rs::hmac;
use base::Random;
use bytes::{Bytes, BytesMut};
use contract::{Call, Cause, Fault};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};

use crate::model::{Archive, Code, Settings, package};
use crate::store::Refusal;
use crate::{Functions, faults};

/// The bucket that stands for the node's own code store; no real bucket's name begins with `_`.
const ASSETS: &str = "_assets";

/// Where a request says that the code is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    pub(crate) zip: Option<Bytes>,
    pub(crate) bucket: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) object_version: Option<String>,
    pub(crate) image: Option<String>,
}

/// A package that is kept for as long as this is held, until a record holds it.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) code: Code,
    _stored: Option<Stored>,
}

/// A package on its way out.
pub struct Package {
    /// Its length.
    pub bytes: u64,
    /// Its bytes: `application/zip`.
    pub content: BlobStream,
}

impl Functions {
    /// Takes a package in: it is unpacked and in the blobs when this returns, and a broken one has left nothing behind.
    pub(crate) async fn take(&self, call: &Call, operation: &str, source: Source) -> Result<Taken, Fault> {
        let Source { zip, bucket, key, object_version, image } = source;
        if let Some(uri) = image {
            return match (zip, bucket, key, object_version) {
                (None, None, None, None) => self.take_image(call, uri).await,
                _ => Err(faults::invalid(
                    "Please do not provide other FunctionCode parameters when providing an ImageUri.",
                )),
            };
        }
        if live::means(bucket.as_deref(), key.as_deref()) && zip.is_none() {
            return self.take_folder(key.as_deref().unwrap_or_default()).await;
        }
        let (archive, stored) =
            self.take_archive(call, operation, Source { zip, bucket, key, object_version, image: None }).await?;
        Ok(Taken { code: Code::Zip(archive), _stored: stored })
    }

    /// Takes a zip package in; what it returns beside it keeps it until a record does.
    pub(crate) async fn take_archive(
        &self,
        call: &Call,
        operation: &str,
        source: Source,
    ) -> Result<(Archive, Option<Stored>), Fault> {
        let Source { zip, bucket, key, object_version, image: _ } = source;
        match (zip, bucket, key) {
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
                Err(faults::invalid("Please do not provide other FunctionCode parameters when providing a ZipFile."))
            }
            (Some(zip), None, None) => {
                package::check_direct(operation, &zip)?;
                self.unpack(zip.clone()).await?;
                let stored = self.blobs.put(zip).await.map_err(Refusal::from)?;
                Ok((Archive { sha256: *stored.id.sha256(), bytes: stored.len }, Some(stored)))
            }
            (None, Some(bucket), Some(key)) if bucket == ASSETS && object_version.is_none() => {
                self.take_asset(&key).await
            }
            (None, Some(bucket), Some(key)) if live::means(Some(&bucket), Some(&key)) => Err(faults::invalid(
                "Folders that are read again (S3Bucket=hot-reload) are for functions, not for layers.",
            )),
            (None, Some(bucket), Some(key)) => {
                self.take_object(call, objects::Object { bucket, key, version: object_version }).await
            }
            (None, Some(_), None) | (None, None, Some(_)) => {
                Err(faults::invalid("S3Bucket and S3Key must be given together."))
            }
            (None, None, None) => Err(faults::invalid("Please provide a source for function code.")),
        }
    }

    async fn take_asset(&self, key: &str) -> Result<(Archive, Option<Stored>), Fault> {
        let missing = || {
            faults::invalid(format!(
                "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The node's code store has no \
                 package {key}; upload it first."
            ))
        };
        let id: BlobId = key.parse().map_err(|_| missing())?;
        let package = match self.kept(id).await {
            Ok(package) => package,
            Err(::store::Error::BlobMissing(_)) => return Err(missing()),
            Err(::store::Error::BlobTooLong { limit }) => {
                return Err(faults::invalid(format!("The package {key} is larger than {limit}.")));
            }
            Err(other) => return Err(Refusal::from(other).into()),
        };
        let bytes = package.len() as u64;
        self.unpack(package).await?;
        Ok((Archive { sha256: *id.sha256(), bytes }, None))
    }

    /// A package as it was put: in one piece if the blobs give it so, else gathered, since one from a bucket may be longer than that.
    pub(crate) async fn kept(&self, id: BlobId) -> Result<Bytes, ::store::Error> {
        let bytes = self.blobs.len(id).await?;
        if bytes <= Blobs::READ_MAX.bytes() {
            return self.blobs.read(id, ..).await;
        }
        // What no package may be is not gathered either: the node's own code store takes anything.
        if bytes > compute::UNZIPPED_BYTES_MAX {
            return Err(::store::Error::BlobTooLong { limit: base::ByteSize(compute::UNZIPPED_BYTES_MAX) });
        }
        let mut pieces = self.blobs.stream(id, ..).await?;
        let mut package = BytesMut::new();
        while let Some(piece) = pieces.try_next().await? {
            package.extend_from_slice(&piece);
        }
        Ok(package.freeze())
    }

    /// Unpacks layers that are not unpacked here, and lays them over each other.
    pub(crate) async fn unpack_layers_again(
        &self,
        archives: &[Archive],
        layers: &[compute::CodeId],
    ) -> Result<(), Fault> {
        for archive in archives {
            if !self.compute.has_code(&archive.id()) {
                let package = self.kept(archive.sha256.into()).await.map_err(Refusal::from)?;
                self.unpack(package).await?;
            }
        }
        match self.compute.lay(layers).await {
            Ok(Some(())) => Ok(()),
            Ok(None) => Err(faults::unavailable("A layer was swept while it was laid over others. Call again.")),
            Err(error) => Err(package::fault_of(&error)),
        }
    }

    /// Unpacks a package, if it is not unpacked already.
    pub(crate) async fn unpack(&self, package: Bytes) -> Result<compute::CodeId, Fault> {
        self.compute.prepare(package).await.map_err(|error| package::fault_of(&error))
    }

    /// Compiles what of a new function's package is compiled ahead: WebAssembly, which is refused here if it cannot be run.
    pub(crate) async fn compile(&self, code: &Code, settings: &Settings) -> Result<(), Fault> {
        self.compiled(code, settings).await.map_err(|error| package::fault_of(&error))
    }

    /// The same for a function that is changed. Code and handler come one after the other then: that the one names a file which the
    /// other does not have yet is told when the function is called.
    pub(crate) async fn compile_what_is_there(&self, code: &Code, settings: &Settings) -> Result<(), Fault> {
        match self.compiled(code, settings).await {
            Ok(()) | Err(compute::CodeError::NoBinary { .. }) => Ok(()),
            Err(error) => Err(package::fault_of(&error)),
        }
    }

    async fn compiled(&self, code: &Code, settings: &Settings) -> Result<(), compute::CodeError> {
        if code.image().is_some() {
            return Ok(());
        }
        let (language, handler) = settings.program();
        self.compute.compile(&code.id(), language, handler).await
    }

    /// Where the code can be fetched for some minutes: `GetFunction`'s `Code.Location`. The node serves it at `/_code/…` with
    /// [`Functions::package`].
    pub(crate) fn location(&self, call: &Call, archive: &Archive) -> String {
        let expires = self.clock.now().as_second() + Links::VALID.as_secs() as i64;
        let sha256 = archive.sha256_hex();
        let signature = self.links.sign(&sha256, expires);
        format!("{}/_code/{sha256}?expires={expires}&signature={signature}", call.base_url().trim_end_matches('/'))
    }

    /// The package behind a link: `path` is what follows `/_code/`, `query` what follows the question mark.
    pub async fn package(&self, path: &str, query: &str) -> Result<Package, Fault> {
        let denied = |why: &str| {
            let mut fault = Fault::new(Cause::Denied, "AccessDenied", why);
            fault.status = Some(403);
            fault
        };
        let value = |name: &str| {
            query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value)
        };
        let (Some(expires), Some(signature)) = (value("expires"), value("signature")) else {
            return Err(denied("This link is incomplete; ask GetFunction for a new one."));
        };
        let expires: i64 = expires.parse().map_err(|_| denied("This link's time of expiry is no number."))?;
        if !self.links.is_genuine(path, expires, signature) {
            return Err(denied("This link was not made by this node; ask GetFunction for a new one."));
        }
        if self.clock.now().as_second() > expires {
            return Err(denied("This link has expired; ask GetFunction for a new one."));
        }
        let gone = || faults::not_found("The code package is no longer kept.");
        let id: BlobId = path.parse().map_err(|_| gone())?;
        match (self.blobs.len(id).await, self.blobs.stream(id, ..).await) {
            (Ok(bytes), Ok(content)) => Ok(Package { bytes, content }),
            (Err(::store::Error::BlobMissing(_)), _) | (_, Err(::store::Error::BlobMissing(_))) => Err(gone()),
            (Err(error), _) | (_, Err(error)) => Err(Refusal::from(error).into()),
        }
    }
}

/// Signs links to packages, and makes the ids of function URLs: with one secret of the data folder, so that both outlive a
/// restart and nobody can guess them.
pub(crate) struct Links {
    key: hmac::Key,
}

#[derive(Debug, Serialize, Deserialize)]
struct Secret {
    hex: String,
}

impl Record for Secret {
    const KIND: &'static str = "lambda-secret";
    const VERSION: u16 = 1;
}

impl Links {
    /// How long a link is good for: as long as AWS's.
    const VALID: Duration = Duration::from_secs(600);

    /// Reads the secret, or makes it on first use.
    pub(crate) async fn open(store: &Store, random: &Random) -> Result<Self, ::store::Error> {
        let mut bytes = [0; 32];
        random.fill(&mut bytes);
        let fresh = hex::encode(bytes);
        let fresh = &fresh;
        let secret = store
            .transact(|tx| async move {
                let key = Key::new("functions-secret");
                if let Some(secret) = tx.get_record::<Secret>(&key).await? {
                    return Ok::<_, ::store::Error>(secret.hex);
                }
                tx.put_record(key, &Secret { hex: fresh.clone() });
                Ok(fresh.clone())
            })
            .await?;
        let bytes = hex::decode(&secret)
            .map_err(|error| ::store::Error::Record { kind: Secret::KIND, why: error.to_string() })?;
        Ok(Self { key: hmac::Key::new(hmac::HMAC_SHA256, &bytes) })
    }

    fn sign(&self, sha256: &str, expires: i64) -> String {
        hex::encode(hmac::sign(&self.key, format!("code\n{sha256}\n{expires}").as_bytes()))
    }

    fn is_genuine(&self, sha256: &str, expires: i64, signature: &str) -> bool {
        let Ok(signature) = hex::decode(signature) else { return false };
        hmac::verify(&self.key, format!("code\n{sha256}\n{expires}").as_bytes(), &signature).is_ok()
    }

    /// The id of a function's URL: 32 lower-case letters and digits, the same each time for the same ARN, so that an address
    /// stays what it was when a stack is deleted and made again.
    pub(crate) fn url_id(&self, arn: &str) -> String {
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let tag = hmac::sign(&self.key, format!("url\n{arn}").as_bytes());
        tag.as_ref().iter().map(|byte| ALPHABET[usize::from(byte % 32)] as char).collect()
    }
}
