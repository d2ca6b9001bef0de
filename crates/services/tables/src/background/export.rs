//! Writes exports: data files of some megabytes each, then the manifests that name them. How far it is, is noted with each file, and a file's
//! name follows from its number, so that what a crash cuts off is written again over what there is of it.

use std::io::Write as _;

use ::store::{Key, Transaction};
use aws_lc_rs::digest;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use item::{Item, ion, json};
use serde_json::{Value, json};

use crate::Tables;
use crate::buckets::{Bucket, Unanswered};
use crate::describe::moment;
use crate::error::Error;
use crate::model::export::{Content, Export, Format};
use crate::model::transfer::Outcome;
use crate::model::{Keys, Scope, Table};
use crate::store::backups::read_key;
use crate::store::between::Changed;
use crate::store::exports::File;
use crate::store::past::Past;
use crate::store::transfers;

/// Places of items that are looked at in one read.
const PAGE: usize = 500;
/// A file is full when so many bytes were written to it before they were packed.
const FILE_BYTES: usize = 16 << 20;
/// A bucket that does not answer is asked again for so long.
pub(super) const PATIENCE_MS: i64 = 86_400_000;
/// An export is remembered for so long.
pub(crate) const REMEMBERED_MS: i64 = 90 * 86_400_000;

impl Tables {
    pub(super) async fn write_export(&self, scope: &Scope, table: &str, id: &str) -> Result<(), Error> {
        let Some(mut export) = self.cellar.transfer::<Export>(scope, table, id).await? else { return Ok(()) };
        if export.outcome != Outcome::InProgress {
            return Ok(());
        }
        let outcome = match self.write_files(scope, &mut export).await {
            Ok(()) => Outcome::Completed,
            Err(Unanswered::Never(code, message)) => Outcome::Failed { code, message },
            Err(Unanswered::Later(Error::Unavailable(why))) if self.now_ms() > export.started_ms + PATIENCE_MS => {
                Outcome::Failed {
                    code: "TimedOut".to_owned(),
                    message: format!("For a day the bucket did not answer: {why}"),
                }
            }
            Err(Unanswered::Later(error)) => return Err(error),
        };
        export.ended_ms = export.ended_ms.or_else(|| Some(self.now_ms()));
        self.finish_export(scope, &Export { outcome, ..export }).await
    }

    async fn finish_export(&self, scope: &Scope, export: &Export) -> Result<(), Error> {
        match self.desks.get(scope, &export.table.name).filter(|desk| desk.number == export.table.number) {
            Some(desk) => {
                let release = |table: &mut Table| table.holds.retain(|hold| hold.job != export.number);
                self.alter(&desk, release, |tx: &Transaction| transfers::put(tx, scope, export)).await
            }
            None => self.cellar.save_transfer(scope, export).await,
        }
    }

    async fn write_files(&self, scope: &Scope, export: &mut Export) -> Result<(), Unanswered> {
        let (asker, spot) = (export.asker.clone(), export.spot.clone());
        let bucket = self.bucket(scope, &asker, &spot);
        if export.files == 0 {
            // Whether anything can be written there is known before the table is read.
            let started = format!("{}_started", export.folder());
            bucket.put(&started, Bytes::new(), export.encryption.as_ref()).await?;
        }
        if !export.is_known {
            self.find_commits(export).await?;
        }
        while export.files == 0 || export.next.is_some() {
            let mut lines = Lines::new(export.format);
            let mut next = export.next.as_deref().map(read_key).transpose()?;
            loop {
                self.check_running()?;
                next = self.add_lines(export, next.as_ref(), &mut lines).await?;
                if next.is_none() || lines.raw >= FILE_BYTES {
                    break;
                }
            }
            export.files += 1;
            export.next = next.map(|key| hex::encode(key.as_bytes()));
            (export.items, export.bytes) = (export.items + lines.items, export.bytes + lines.bytes);
            let file = write_file(&bucket, export, lines).await?;
            self.cellar.add_file(scope, export, &file).await?;
        }
        export.ended_ms = Some(self.now_ms());
        self.write_manifests(scope, &bucket, export).await
    }

    /// Looks for the commits that the moments mean.
    async fn find_commits(&self, export: &mut Export) -> Result<(), Error> {
        let past = export.past.clone();
        let until = self.cellar.commit_at(past.table, past.has_range, export.moment_ms, past.commit).await?;
        if let Content::Changes { from_ms, from, .. } = &mut export.content {
            *from = Some(self.cellar.commit_at(past.table, past.has_range, *from_ms, until).await?);
        }
        export.past.commit = until;
        export.is_known = true;
        Ok(())
    }

    /// Adds a page of lines; where the next one begins.
    async fn add_lines(&self, export: &Export, after: Option<&Key>, lines: &mut Lines) -> Result<Option<Key>, Error> {
        match &export.content {
            Content::Full => {
                let page = self.cellar.past(&export.past, after, PAGE).await?;
                for stored in &page.items {
                    lines.add_item(&stored.item()?, stored.size())?;
                }
                Ok(page.next)
            }
            Content::Changes { with_old, from, .. } => {
                let from = Past { commit: from.ok_or(Error::Internal)?, ..export.past.clone() };
                let page = self.cellar.changed(&from, export.past.commit, after, PAGE).await?;
                for change in &page.items {
                    lines.add_change(&export.table.keys, change, *with_old)?;
                }
                Ok(page.next)
            }
        }
    }

    async fn write_manifests(&self, scope: &Scope, bucket: &Bucket<'_>, export: &Export) -> Result<(), Unanswered> {
        let mut files = Vec::new();
        let mut last = 0;
        while last < export.files {
            let page = self.cellar.files(export.number, last).await?;
            if page.is_empty() {
                return Err(Error::Internal.into());
            }
            last += page.len() as u64;
            for file in page {
                let line = json!({
                    "itemCount": file.items, "md5Checksum": file.md5, "etag": file.etag, "dataFileS3Key": file.key,
                });
                writeln!(files, "{line}").map_err(|_| Error::Internal)?;
            }
        }
        put_with_sum(bucket, export, "manifest-files", files).await?;
        let mut summary = summary(scope, export).to_string().into_bytes();
        summary.push(b'\n');
        put_with_sum(bucket, export, "manifest-summary", summary).await
    }

    /// Forgets exports that ended long ago.
    pub(crate) async fn forget_exports(&self, now_ms: i64) -> Result<(), Error> {
        let mut after = None;
        loop {
            let (page, next) = self.cellar.all_transfers::<Export>(after.as_ref()).await?;
            for (scope, export) in page {
                if export.ended_ms.is_some_and(|ended| ended + REMEMBERED_MS < now_ms) {
                    self.cellar.forget_export(&scope, &export).await?;
                }
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }
}

/// Lines of a file, packed as they come.
struct Lines {
    format: Format,
    packed: GzEncoder<Vec<u8>>,
    raw: usize,
    items: u64,
    bytes: u64,
}

impl Lines {
    fn new(format: Format) -> Self {
        let packed = GzEncoder::new(Vec::new(), Compression::fast());
        Self { format, packed, raw: 0, items: 0, bytes: 0 }
    }

    fn add_item(&mut self, item: &Item, bytes: usize) -> Result<(), Error> {
        let line = match self.format {
            Format::Json => json!({ "Item": json::write_item(item) }).to_string(),
            Format::Ion => format!("$ion_1_0 {{Item:{}}}", ion::write_item(item)),
        };
        self.add(&line, bytes)
    }

    fn add_change(&mut self, keys: &Keys, change: &Changed, with_old: bool) -> Result<(), Error> {
        let (old, new) = (change.old.as_ref(), change.new.as_ref());
        let bytes = old.into_iter().chain(new).map(|item| item.size()).sum();
        let old = old.map(|old| old.item()).transpose()?;
        let new = new.map(|new| new.item()).transpose()?;
        let there = new.as_ref().or(old.as_ref()).ok_or(Error::Internal)?;
        let key: Item = keys.each().filter_map(|key| Some((key.name.clone(), there.get(&key.name)?.clone()))).collect();
        let images = [("NewImage", new.as_ref()), ("OldImage", old.as_ref().filter(|_| with_old))];
        let images = images.into_iter().filter_map(|(name, image)| Some((name, image?)));
        let micros = change.at_ms.saturating_mul(1_000);
        let line = match self.format {
            Format::Json => {
                let mut line = json!({
                    "Metadata": { "WriteTimestampMicros": { "N": micros.to_string() } }, "Keys": json::write_item(&key),
                });
                images.for_each(|(name, image)| line[name] = json::write_item(image));
                line.to_string()
            }
            Format::Ion => {
                let metadata = format!("Metadata:{{WriteTimestampMicros:{micros}.}}");
                let mut parts = vec![metadata, format!("Keys:{}", ion::write_item(&key))];
                parts.extend(images.map(|(name, image)| format!("{name}:{}", ion::write_item(image))));
                format!("$ion_1_0 {{Record:{{{}}}}}", parts.join(","))
            }
        };
        self.add(&line, bytes)
    }

    fn add(&mut self, line: &str, bytes: usize) -> Result<(), Error> {
        writeln!(self.packed, "{line}").map_err(|_| Error::Internal)?;
        self.raw += line.len() + 1;
        self.items += 1;
        self.bytes += bytes as u64;
        Ok(())
    }
}

async fn write_file(bucket: &Bucket<'_>, export: &Export, lines: Lines) -> Result<File, Unanswered> {
    let ending = match export.format {
        Format::Json => "json.gz",
        Format::Ion => "ion.gz",
    };
    let key = format!("{}{}.{ending}", export.data_folder(), file_name(export));
    let items = lines.items;
    let bytes = Bytes::from(lines.packed.finish().map_err(|_| Error::Internal)?);
    let md5 = md5(&bytes);
    let etag = bucket.put(&key, bytes, export.encryption.as_ref()).await?;
    Ok(File { items, md5, etag, key })
}

/// The name of the file that is written now: 26 letters and digits, as AWS's have.
fn file_name(export: &Export) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let sum = digest::digest(&digest::SHA256, format!("{} {}", export.number, export.files).as_bytes());
    sum.as_ref().iter().take(26).map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect()
}

fn md5(bytes: &[u8]) -> String {
    checksum::encode(&checksum::of(checksum::Algorithm::Md5, bytes))
}

async fn put_with_sum(bucket: &Bucket<'_>, export: &Export, name: &str, bytes: Vec<u8>) -> Result<(), Unanswered> {
    let (at, sum) = (format!("{}{name}", export.folder()), md5(&bytes));
    bucket.put(&format!("{at}.json"), bytes.into(), export.encryption.as_ref()).await?;
    bucket.put(&format!("{at}.md5"), sum.into(), export.encryption.as_ref()).await?;
    Ok(())
}

fn summary(scope: &Scope, export: &Export) -> Value {
    let time = |ms: i64| moment(ms).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    let mut summary = json!({
        "version": "2023-08-01",
        "exportArn": export.arn(scope),
        "startTime": time(export.started_ms),
        "endTime": time(export.ended_ms.unwrap_or(export.started_ms)),
        "tableArn": export.table.arn(scope),
        "tableId": export.table.id,
    });
    match &export.content {
        Content::Full => summary["exportTime"] = time(export.moment_ms).into(),
        Content::Changes { from_ms, .. } => {
            summary["exportFromTime"] = time(*from_ms).into();
            summary["exportToTime"] = time(export.moment_ms).into();
        }
    }
    let (algorithm, key) = export.encryption.clone().unwrap_or_else(|| ("AES256".to_owned(), None));
    let more = json!({
        "s3Bucket": export.spot.bucket,
        "s3Prefix": export.spot.prefix,
        "s3SseAlgorithm": algorithm,
        "s3SseKmsKeyId": key,
        "manifestFilesS3Key": format!("{}manifest-files.json", export.folder()),
        "billedSizeBytes": export.bytes,
        "itemCount": export.items,
        "outputFormat": match export.format {
            Format::Json => "DYNAMODB_JSON",
            Format::Ion => "ION",
        },
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        summary[name.as_str()] = value.clone();
    }
    match &export.content {
        Content::Full => summary["exportType"] = "FULL_EXPORT".into(),
        Content::Changes { with_old, .. } => {
            summary["outputView"] = if *with_old { "NEW_AND_OLD_IMAGES" } else { "NEW_IMAGE" }.into();
            summary["exportType"] = "INCREMENTAL_EXPORT".into();
        }
    }
    summary
}
