//! `ItemCollectionMetrics`: how large the items of one hash key are together, where local indexes make that count.
//!
//! An estimate is two bounds, and these are true ones. All that a table and its local indexes hold is an upper bound that costs nothing to
//! know; where that is more than a gigabyte, the first megabyte of the collection is read, which is all of most. Exact sizes would have to
//! be counted by every write, for the sake of a limit that is not needed here.

use std::collections::BTreeSet;

use wire::dynamodb::{ItemCollectionMetrics, ReturnItemCollectionMetrics};

use crate::desk::{Desk, Sight};
use crate::places::{self, Place};
use crate::read::View;
use crate::store::items::Source;
use crate::{Error, Tables, values};

const GIGABYTE: i64 = 1 << 30;
/// So much of a collection is read to see how large it is.
const READ_BYTES_MAX: usize = 1 << 20;

impl Tables {
    /// The collections that these places are in, each once; none where nobody asked or the table has no local index.
    pub(super) async fn collections<'a>(
        &self,
        wanted: Option<&ReturnItemCollectionMetrics>,
        desk: &Desk,
        sight: &std::sync::Arc<Sight>,
        places: impl IntoIterator<Item = &'a Place>,
    ) -> Vec<ItemCollectionMetrics> {
        let mut all = Vec::new();
        if wanted != Some(&ReturnItemCollectionMetrics::Size) || sight.table.locals.is_empty() {
            return all;
        }
        let mut seen = BTreeSet::new();
        for place in places {
            if seen.insert(places::hash_id(&place.hash)) {
                let key = (sight.table.keys.hash.name.clone(), values::write(place.hash.clone()));
                let upper = self.gigabytes(desk, sight, place).await;
                all.push(ItemCollectionMetrics {
                    item_collection_key: Some([key].into()),
                    size_estimate_range_gb: Some(vec![0.0, upper]),
                });
            }
        }
        all
    }

    /// That of a single write.
    pub(super) async fn collection(
        &self,
        wanted: Option<&ReturnItemCollectionMetrics>,
        desk: &Desk,
        sight: &std::sync::Arc<Sight>,
        place: &Place,
    ) -> Option<ItemCollectionMetrics> {
        self.collections(wanted, desk, sight, [place]).await.pop()
    }

    /// No collection of that hash key has more. What was written is written: where the collection cannot be read, the bound that costs
    /// nothing is told, and not a fault, after which the caller would write again.
    async fn gigabytes(&self, desk: &Desk, sight: &std::sync::Arc<Sight>, place: &Place) -> f64 {
        let locals = sight.table.locals.iter().map(|local| Some(local.number));
        let held: i64 = std::iter::once(None).chain(locals).map(|of| desk.counted(of).1).sum();
        let is_short = held <= GIGABYTE
            || self.is_short(sight, place).await.unwrap_or_else(|error| {
                tracing::warn!(table = sight.table.name, %error, "how large a collection is cannot be read");
                false
            });
        if is_short {
            return 1.0;
        }
        // Counts of bytes are exact in a float until they are petabytes.
        (held as f64 / GIGABYTE as f64).ceil()
    }

    /// Whether the collection is read to its end at once.
    async fn is_short(&self, sight: &std::sync::Arc<Sight>, place: &Place) -> Result<bool, Error> {
        let snapshot = self.cellar.store.snapshot();
        let mut rest = READ_BYTES_MAX;
        let names = sight.table.locals.iter().map(|local| Some(local.name.as_str()));
        for index in std::iter::once(None).chain(names) {
            let view = View::new(sight.clone(), index)?;
            match view.weigh(Source::Snapshot(&snapshot), &place.hash, rest).await? {
                Some(bytes) => rest -= bytes,
                None => return Ok(false),
            }
        }
        Ok(true)
    }
}
