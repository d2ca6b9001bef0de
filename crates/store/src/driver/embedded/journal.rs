//! The engine's journal, looked over before the engine sees it: what a power cut tore is cut off, and what rotted is refused.
//!
//! There is one writer, and each commit's sync returns before the next commit begins. So a power cut can tear only the last
//! batch of the youngest journal, which nobody was told of. Any of its pages may be missing, since a disk writes what was
//! not synced in any order. The engine cuts off an end that is missing; a hole in the middle it takes for damage and does not
//! open, or, where the hole hides the head of an entry, for the end, whatever follows. Here the two are told apart: where a batch does
//! not hold, what lies from there on is that one at most, or there was no cut. A whole batch behind it, the end of one with the
//! head of the next right behind it, or a younger journal say that commits were on the disk that are no longer: that is an error, and nothing
//! is touched. Otherwise it was torn, and what is left of it is put aside into [`TORN_FILE`].
//!
//! Two things cannot be told. Damage that leaves nothing of a second commit behind it, as of the very last one, looks like a cut. And a
//! value made to look like a batch's end and the next one's head, in a commit that was torn, looks like damage: then nothing is lost,
//! but the store does not open.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

use super::SEQUENCE_KEY;
use crate::OpenError;
use crate::directory::{replace_file, sync_folder};

/// What was last cut off, beside the engine's folder. One file, so that many cuts take no more room than the longest.
const TORN_FILE: &str = "journal-torn";

/// How much of it is kept: it is there to be looked at.
const TORN_BYTES_MAX: usize = 1 << 20;

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
const TRAILER: &[u8] = b"FJL\x03";

/// A mark, how many entries, the number.
const HEAD_BYTES: usize = 13;

/// A mark, the sum, the four letters.
const END_BYTES: usize = 13;

/// How much further a following batch's number may be. They follow one another closely (the engine takes some for itself), so
/// that bytes of a value are not taken for a batch; and a following one is never missed.
const NUMBERS_AHEAD_MAX: u64 = 1 << 32;

/// How often as much as what is searched may be read for it: values made of heads of long batches would make that its square.
const READS_MAX: usize = 8;

/// Looks over the journals in the engine's folder, and cuts off what is torn.
pub(super) fn mend(engine: &Path) -> Result<(), OpenError> {
    let journals = journals(engine).map_err(|source| OpenError::Io { path: engine.to_owned(), source })?;
    let mut last = None;
    for (index, path) in journals.iter().enumerate() {
        let io = |source| OpenError::Io { path: path.clone(), source };
        let mut file = File::options().read(true).write(true).open(path).map_err(io)?;
        let end = whole(&mut file, &mut last).map_err(io)?;
        let rest = rest(&mut file, end).map_err(io)?;
        if rest.is_empty() {
            continue;
        }
        if index + 1 < journals.len() || is_followed(&rest, last) {
            return Err(OpenError::Rotten { path: path.clone(), at: end });
        }
        let (journal, bytes) = (path.display(), rest.len());
        tracing::warn!(%journal, at = end, bytes, kept_in = TORN_FILE, "cutting off a commit that was torn before it was acknowledged");
        cut(engine, &file, end, &rest).map_err(io)?;
    }
    Ok(())
}

/// The journals, the oldest first.
fn journals(engine: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in engine.read_dir()? {
        let path = entry?.path();
        let is_journal = path.extension().is_some_and(|extension| extension == "jnl");
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        if let (true, Some(number)) = (is_journal, number) {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// Where the whole batches at the beginning of a journal end; the number of the last of them goes into `last`.
fn whole(file: &mut File, last: &mut Option<u64>) -> io::Result<u64> {
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut end = 0;
    while let Some(batch) = batch(&mut reader)? {
        *last = Some(batch.number);
        end += batch.bytes;
    }
    Ok(end)
}

/// What lies behind a place, without the zeros at its end: journals are made longer than what is in them.
fn rest(file: &mut File, from: u64) -> io::Result<Vec<u8>> {
    static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
    let (mut rest, mut buffer, mut at) = (Vec::new(), vec![0; ZEROS.len()], from);
    loop {
        // Past the holes: most of a young journal is one.
        match rustix::fs::seek(&*file, rustix::fs::SeekFrom::Data(at)) {
            Ok(data) => at = data,
            Err(rustix::io::Errno::NXIO) => return Ok(rest),
            Err(error) => return Err(error.into()),
        }
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(rest);
        }
        // Compared in one piece first: by far the most that lies here is empty.
        if buffer[..read] != ZEROS[..read] {
            let used = buffer[..read].iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            rest.resize((at - from) as usize, 0);
            rest.extend_from_slice(&buffer[..used]);
        }
        at += read as u64;
    }
}

/// Whether there is anything of a second batch in what lies from a batch on that does not hold.
fn is_followed(rest: &[u8], last: Option<u64>) -> bool {
    let mut reads = rest.len().saturating_mul(READS_MAX);
    for (at, head) in rest.windows(HEAD_BYTES).enumerate().skip(1) {
        if !is_next(head, last) {
            continue;
        }
        if is_end(&rest[..at]) {
            return true;
        }
        if !is_item(&rest[at + HEAD_BYTES..]) {
            continue;
        }
        let mut reader = &rest[at..];
        // A slice gives no errors.
        if matches!(batch(&mut reader), Ok(Some(Batch { is_commit: true, .. }))) {
            return true;
        }
        // Too much to search is not told from damage: then it is not for us to cut.
        match reads.checked_sub(rest.len() - at - reader.len()) {
            Some(left) => reads = left,
            None => return true,
        }
    }
    false
}

/// Whether this may be the head of a batch behind the last that holds.
fn is_next(head: &[u8], last: Option<u64>) -> bool {
    let number = number(head);
    head[0] == START
        && head[1..5] != [0; 4]
        && last.is_none_or(|last| number > last && number - last <= NUMBERS_AHEAD_MAX)
}

/// Whether this begins as the first entry of a commit does: the engine numbers its keyspaces from one on, and we have few. Without a
/// batch before it any number is a following one, and long values have many bytes that look like a head.
fn is_item(bytes: &[u8]) -> bool {
    matches!(bytes, [ITEM, _, _, _, 0, 0, 0, 0, 0, 0, 0, ..])
}

/// Whether this ends as a batch does.
fn is_end(bytes: &[u8]) -> bool {
    bytes.last_chunk::<END_BYTES>().is_some_and(|end| end[0] == END && end.ends_with(TRAILER))
}

/// Ends the journal before what is torn.
fn cut(engine: &Path, journal: &File, end: u64, torn: &[u8]) -> io::Result<()> {
    put_aside(&engine.with_file_name(TORN_FILE), torn);
    journal.set_len(end)?;
    journal.sync_all()?;
    sync_folder(engine)
}

/// Keeps what is torn, where that can be: a full disk is what tears most, and must not keep the store from opening.
fn put_aside(path: &Path, torn: &[u8]) {
    if let Err(error) = replace_file(path, &torn[..torn.len().min(TORN_BYTES_MAX)]) {
        tracing::warn!(path = %path.display(), %error, "what was torn cannot be put aside; it is cut off all the same");
        // What was written of it takes room. It may not be there.
        let _ = fs::remove_file(path.with_extension("new"));
    }
}

/// A batch that holds.
#[derive(Clone, Copy)]
struct Batch {
    number: u64,
    bytes: u64,
    /// Whether it is a commit of ours, which says what its number is: a value may hold bytes that are a batch by all other signs.
    is_commit: bool,
}

/// Reads a batch: a head with its number and how many entries it has, the entries, their sum, and four letters. None: it does not hold.
fn batch(reader: &mut impl Read) -> io::Result<Option<Batch>> {
    let mut entries = Entries { reader, sum: Xxh3::new(), bytes: 0, is_commit: false };
    match entries.batch() {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        other => other,
    }
}

/// A batch's number, from its head: a mark, how many entries, the number.
fn number(head: &[u8]) -> u64 {
    u64::from_le_bytes(head[5..HEAD_BYTES].try_into().expect("eight bytes"))
}

struct Entries<'a, R> {
    reader: &'a mut R,
    /// Of the entries as they lie there: packed values are summed packed.
    sum: Xxh3,
    bytes: u64,
    is_commit: bool,
}

impl<R: Read> Entries<'_, R> {
    fn batch(&mut self) -> io::Result<Option<Batch>> {
        let head: [u8; HEAD_BYTES] = self.fixed()?;
        if head[0] != START {
            return Ok(None);
        }
        let entries = u32::from_le_bytes(head[1..5].try_into().expect("four bytes"));
        if entries == 0 {
            // The engine writes none.
            return Ok(None);
        }
        for _ in 0..entries {
            if !self.entry()? {
                return Ok(None);
            }
        }
        let [END, end @ ..]: [u8; END_BYTES] = self.fixed()? else { return Ok(None) };
        let holds = end[..8] == self.sum.digest().to_le_bytes() && &end[8..] == TRAILER;
        Ok(holds.then_some(Batch { number: number(&head), bytes: self.bytes, is_commit: self.is_commit }))
    }

    /// Whether it is one.
    fn entry(&mut self) -> io::Result<bool> {
        let mark: [u8; 1] = self.fixed()?;
        self.sum.update(&mark);
        match mark[0] {
            ITEM => {
                // The kinds of change and of packing, the keyspace, and the lengths of the key, of the value, and of it as it lies there.
                let item: [u8; 20] = self.fixed()?;
                self.sum.update(&item);
                let key_bytes = usize::from(u16::from_le_bytes([item[10], item[11]]));
                let value_bytes = u32::from_le_bytes([item[16], item[17], item[18], item[19]]);
                if key_bytes == SEQUENCE_KEY.len() {
                    let key: [u8; SEQUENCE_KEY.len()] = self.fixed()?;
                    self.sum.update(&key);
                    self.is_commit |= key == SEQUENCE_KEY;
                } else {
                    self.summed(key_bytes as u64)?;
                }
                self.summed(u64::from(value_bytes))?;
            }
            CLEAR => self.summed(8)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn fixed<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        self.bytes += N as u64;
        Ok(bytes)
    }

    /// Reads so many bytes into the sum, a piece at a time: a torn length may say anything.
    fn summed(&mut self, mut bytes: u64) -> io::Result<()> {
        let mut buffer = [0; 4 << 10];
        self.bytes += bytes;
        while bytes > 0 {
            let piece = &mut buffer[..bytes.min(4 << 10) as usize];
            self.reader.read_exact(piece)?;
            self.sum.update(piece);
            bytes -= piece.len() as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
