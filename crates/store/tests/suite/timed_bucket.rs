//! A bucket in memory, whose times are a test's own and whose calls can be made to fail.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use base::Clock;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

/// See the file.
pub struct TimedBucket {
    inner: InMemory,
    clock: Clock,
    times: Arc<Mutex<HashMap<Path, i64>>>,
    /// So many calls succeed, and then one fails.
    until_failure: Arc<AtomicU64>,
}

impl TimedBucket {
    pub fn new(clock: Clock) -> Arc<Self> {
        let (times, until_failure) = (Arc::default(), Arc::new(AtomicU64::new(u64::MAX)));
        Arc::new(Self { inner: InMemory::new(), clock, times, until_failure })
    }

    /// After so many more calls, the next one fails.
    pub fn fail_after(&self, calls: u64) {
        self.until_failure.store(calls, Ordering::SeqCst);
    }

    /// What is in it, with and without our care.
    pub fn inner(&self) -> &InMemory {
        &self.inner
    }

    fn touch(&self, location: &Path) {
        self.times.lock().unwrap().insert(location.clone(), self.clock.now_ms());
    }
}

fn count(until_failure: &AtomicU64) -> Result<()> {
    let left = until_failure.load(Ordering::SeqCst);
    until_failure
        .store(if left == 0 { u64::MAX } else { left.saturating_sub(u64::from(left < u64::MAX)) }, Ordering::SeqCst);
    match left {
        0 => Err(Error::Generic { store: "test", source: "out of order".into() }),
        _ => Ok(()),
    }
}

impl fmt::Debug for TimedBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TimedBucket")
    }
}

impl fmt::Display for TimedBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TimedBucket")
    }
}

#[async_trait]
impl ObjectStore for TimedBucket {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        count(&self.until_failure)?;
        self.touch(location);
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        count(&self.until_failure)?;
        self.touch(location);
        let upload = self.inner.put_multipart_opts(location, options).await?;
        Ok(Box::new(Parts { upload, until_failure: Arc::clone(&self.until_failure) }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        count(&self.until_failure)?;
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        match count(&self.until_failure) {
            Ok(()) => self.inner.delete_stream(locations),
            Err(error) => futures_util::stream::iter([Err(error)]).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let times = Arc::clone(&self.times);
        let timed = move |found: Result<ObjectMeta>| {
            let mut found = found?;
            let ms = times.lock().unwrap().get(&found.location).copied().unwrap_or_default();
            let since = std::time::UNIX_EPOCH + std::time::Duration::from_millis(ms as u64);
            found.last_modified = since.into();
            Ok(found)
        };
        match count(&self.until_failure) {
            Ok(()) => self.inner.list(prefix).map(timed).boxed(),
            Err(error) => futures_util::stream::iter([Err(error)]).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// An upload whose calls count too.
#[derive(Debug)]
struct Parts {
    upload: Box<dyn MultipartUpload>,
    until_failure: Arc<AtomicU64>,
}

#[async_trait]
impl MultipartUpload for Parts {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        match count(&self.until_failure) {
            Ok(()) => self.upload.put_part(data),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    async fn complete(&mut self) -> Result<PutResult> {
        count(&self.until_failure)?;
        self.upload.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.upload.abort().await
    }
}
