//! One ordered transactional key-value store with a change feed, and blobs for what is large.
//!
//! It is the only place where services keep anything. It knows nothing about them: keys and records are theirs.
//!
//! What always holds:
//! - [`Store::transact`] is serialisable: reads of points *and ranges* are checked at commit. When it returns, the commit
//!   is on disk.
//! - Commits have numbers without gaps ([`Sequence`]), in the order in which they happened; the numbers survive restarts.
//! - Nobody sees a commit before it is durable; whoever reads after a commit was acknowledged sees it.
//! - Everything is bounded: keys, values, transactions, the writer's queue, watchers' mailboxes, the age of snapshots.
//!
//! Start reading at `store.rs`, then `writer.rs`.
//!
//! ```
//! # async fn example(store: store::Store) -> Result<(), store::Error> {
//! use store::{Key, Range, Scan};
//!
//! let key = Key::new("fn").with("000000000000").with("eu-west-1").with("hello");
//! let calls = store
//!     .transact(|tx| {
//!         let key = key.clone();
//!         async move {
//!             let calls = tx.get(&key).await?.map_or(0, |bytes| bytes.len()) + 1;
//!             tx.put(key, vec![0; calls]);
//!             tx.append(Key::journal("outbox").with("fn"), "called");
//!             Ok::<_, store::Error>(calls)
//!         }
//!     })
//!     .await?;
//! let page = store.snapshot().scan(Range::prefix(&Key::new("fn")), Scan::first(10)).await?;
//! # Ok(())
//! # }
//! ```

mod blobs;
mod directory;
mod driver;
mod error;
mod feed;
mod key;
mod lease;
mod options;
mod queue;
mod range;
pub mod record;
mod sequence;
mod snapshot;
mod store;
mod transaction;
mod view;
mod window;
mod writer;

pub use blobs::{BlobId, BlobStream, Blobs, Bucket, Condition, Damage, Held, Scrubbed, Stored, Swept};
pub use error::{Error, OpenError};
pub use feed::{Change, Watch};
pub use key::{Class, Encoder, Key, Part, PartValue, Parts};
pub use lease::Lease;
pub use options::{Fatal, FatalHandler, Location, Options};
pub use range::{Order, Page, Range, Scan};
pub use record::Record;
pub use sequence::Sequence;
pub use snapshot::Snapshot;
pub use store::Store;
pub use transaction::Transaction;
pub use view::Reads;
