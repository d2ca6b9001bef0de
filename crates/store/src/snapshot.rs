//! Reading without writing.

use std::sync::Arc;

use bytes::Bytes;

use crate::record::{self, Record};
use crate::view::SharedView;
use crate::{Error, Key, Page, Range, Scan, Sequence};

/// The store as it was at one moment. Cheap to make and to clone. It may be held for [`crate::Options::snapshot_age_max`];
/// reads fail with [`Error::Expired`] after that, and with the same when the store is closed meanwhile.
#[derive(Clone)]
pub struct Snapshot {
    view: Result<Arc<SharedView>, Error>,
}

impl Snapshot {
    pub(crate) fn new(view: Result<Arc<SharedView>, Error>) -> Self {
        Self { view }
    }

    /// Every commit up to this one is in it (a later one may be): a cache that is filled from it and then follows a
    /// [`crate::Watch`] that was made before misses nothing.
    pub fn sequence(&self) -> Sequence {
        self.view.as_ref().map(|view| view.sequence).unwrap_or_default()
    }

    /// The value of `key`.
    pub async fn get(&self, key: &Key) -> Result<Option<Bytes>, Error> {
        self.view()?.get(key)
    }

    /// A page of pairs.
    pub async fn scan(&self, range: Range, scan: Scan) -> Result<Page, Error> {
        self.view()?.scan(&range, scan).await
    }

    /// The record at `key`.
    pub async fn get_record<R: Record>(&self, key: &Key) -> Result<Option<R>, Error> {
        self.get(key).await?.map(|bytes| record::decode(&bytes)).transpose()
    }

    fn view(&self) -> Result<&Arc<SharedView>, Error> {
        self.view.as_ref().map_err(Error::clone)
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("sequence", &self.sequence()).finish_non_exhaustive()
    }
}
