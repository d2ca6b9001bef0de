//! The second driver: one table in an SQLite database, in write-ahead mode, synced at every batch.
//!
//! Slower than the default where much is written at random, but its files are the best understood in the world. It is
//! the oracle of the suite, and the way out should the default disappoint. A view is a read transaction on a connection
//! of its own; connections are kept and used again.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use base::ByteSize;
use bytes::Bytes;
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use super::{ApplyError, Batch, Driver, PageBuilder, View};
use crate::directory::Directory;
use crate::range::Order;
use crate::{Error, Key, OpenError, Page, Range, Scan, Sequence};

pub(crate) const NAME: &str = "sqlite";

const FILE: &str = "store.sqlite";

/// Read connections that are kept for the next view; each costs two file descriptors and its cache.
const IDLE_MAX: usize = 16;

/// Read connections at a time. Views of one moment share one, so this is the number of different moments that are held.
const VIEWS_MAX: usize = 256;

/// Pages of 16 KiB keep most values out of overflow pages.
const SCHEMA: &str = "
    PRAGMA page_size = 16384;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS pairs (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS marks (name TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
";

/// A store in a folder.
pub(crate) struct Sqlite {
    writer: Mutex<Connection>,
    readers: Arc<Readers>,
    directory: Directory,
}

/// Opens, or makes, a store; tells the last commit in it.
pub(crate) fn open(path: &Path, cache: ByteSize) -> Result<(Sqlite, Sequence), OpenError> {
    let directory = Directory::open(path, NAME)?;
    let fail = |error: rusqlite::Error| OpenError::Engine { path: path.to_owned(), why: error.to_string() };
    let file = directory.engine_path().join(FILE);
    let writer = Connection::open(&file).map_err(fail)?;
    writer.execute_batch(SCHEMA).map_err(fail)?;
    set_cache(&writer, cache).map_err(fail)?;
    let last = writer
        .query_row("SELECT number FROM marks WHERE name = 'sequence'", [], |row| row.get::<_, i64>(0))
        .optional()
        .map_err(fail)?
        .map_or(Sequence::ZERO, |number| Sequence::new(number.cast_unsigned()));
    // What was just created is in the log; the log's own name is made durable here.
    crate::directory::sync_folder(&directory.engine_path())
        .map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
    directory.finish()?;
    let pool = Pool { idle: Vec::new(), open: 0 };
    // The readers' caches are small, as there are many; the operating system's is behind them.
    let readers = Arc::new(Readers { file, cache: ByteSize(cache.bytes() / IDLE_MAX as u64), pool: Mutex::new(pool) });
    Ok((Sqlite { writer: Mutex::new(writer), readers, directory }, last))
}

fn set_cache(connection: &Connection, cache: ByteSize) -> rusqlite::Result<()> {
    // A negative number counts KiB.
    connection.pragma_update(None, "cache_size", -i64::try_from(cache.bytes() >> 10).unwrap_or(i64::MAX))
}

impl Driver for Sqlite {
    fn apply(&self, batch: &Batch) -> Result<(), ApplyError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        write(&mut writer, batch).map_err(|error| match error.sqlite_error_code() {
            // The transaction was rolled back; the database is as it was.
            Some(ErrorCode::DiskFull) => ApplyError::Full,
            _ => ApplyError::Fatal(error.to_string()),
        })
    }

    fn view(&self) -> Result<Box<dyn View>, Error> {
        let connection = self.readers.take()?;
        Ok(Box::new(SqliteView { connection: Mutex::new(Some(connection)), readers: Arc::clone(&self.readers) }))
    }

    fn free_bytes(&self) -> Option<u64> {
        self.directory.free_bytes()
    }

    fn close(&self) -> Result<(), Error> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let emptied = writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        emptied.map_err(|error| Error::engine("closing", error))
    }
}

fn write(writer: &mut Connection, batch: &Batch) -> rusqlite::Result<()> {
    let transaction = writer.transaction()?;
    {
        let mut put = transaction.prepare_cached("INSERT OR REPLACE INTO pairs (key, value) VALUES (?1, ?2)")?;
        let mut delete = transaction.prepare_cached("DELETE FROM pairs WHERE key = ?1")?;
        for (key, value) in &batch.writes {
            match value {
                Some(value) => put.execute(params![key.as_bytes(), &value[..]])?,
                None => delete.execute(params![key.as_bytes()])?,
            };
        }
        let mut mark = transaction.prepare_cached("INSERT OR REPLACE INTO marks VALUES ('sequence', ?1)")?;
        mark.execute(params![batch.last.number().cast_signed()])?;
    }
    transaction.commit()
}

struct Readers {
    file: std::path::PathBuf,
    cache: ByteSize,
    pool: Mutex<Pool>,
}

struct Pool {
    idle: Vec<Connection>,
    open: usize,
}

impl Readers {
    /// A connection that sees the state of now until it is given back.
    fn take(&self) -> Result<Connection, Error> {
        let idle = {
            let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
            if pool.idle.is_empty() && pool.open >= VIEWS_MAX {
                return Err(Error::engine("taking a snapshot", format!("{VIEWS_MAX} of them are held already")));
            }
            let idle = pool.idle.pop();
            pool.open += usize::from(idle.is_none());
            idle
        };
        let begun = idle.map_or_else(|| self.connect(), Ok).and_then(|connection| {
            // The first read fixes what the transaction sees.
            connection.execute_batch("BEGIN; SELECT number FROM marks;")?;
            Ok(connection)
        });
        begun.map_err(|error| {
            self.pool.lock().unwrap_or_else(PoisonError::into_inner).open -= 1;
            Error::engine("taking a snapshot", error)
        })
    }

    fn give_back(&self, connection: Connection) {
        let ended = connection.execute_batch("ROLLBACK").is_ok();
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if ended && pool.idle.len() < IDLE_MAX {
            pool.idle.push(connection);
        } else {
            pool.open -= 1;
        }
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open(&self.file)?;
        connection.pragma_update(None, "query_only", true)?;
        set_cache(&connection, self.cache)?;
        Ok(connection)
    }
}

struct SqliteView {
    /// None only while it is dropped.
    connection: Mutex<Option<Connection>>,
    readers: Arc<Readers>,
}

impl SqliteView {
    fn read<T>(&self, doing: &'static str, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = connection.as_ref().expect("only drop takes the connection out");
        read(connection).map_err(|error| Error::engine(doing, error))
    }
}

impl View for SqliteView {
    fn get(&self, key: &Key) -> Result<Option<Bytes>, Error> {
        self.read("reading", |connection| {
            let mut select = connection.prepare_cached("SELECT value FROM pairs WHERE key = ?1")?;
            select.query_row(params![key.as_bytes()], |row| row.get::<_, Vec<u8>>(0).map(Bytes::from)).optional()
        })
    }

    fn scan(&self, range: &Range, scan: Scan) -> Result<Page, Error> {
        let statement = match scan.order {
            Order::Ascending => "SELECT key, value FROM pairs WHERE key >= ?1 AND key < ?2 ORDER BY key",
            Order::Descending => "SELECT key, value FROM pairs WHERE key >= ?1 AND key < ?2 ORDER BY key DESC",
        };
        self.read("scanning", |connection| {
            let mut page = PageBuilder::new(range, scan);
            let mut select = connection.prepare_cached(statement)?;
            let mut rows = select.query(params![&range.start[..], &range.end[..]])?;
            while let Some(row) = rows.next()? {
                if page.is_full() {
                    return Ok(page.cut());
                }
                page.push(Key::trusted(row.get::<_, Vec<u8>>(0)?.into()), row.get::<_, Vec<u8>>(1)?.into());
            }
            Ok(page.whole())
        })
    }
}

impl Drop for SqliteView {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            self.readers.give_back(connection);
        }
    }
}
