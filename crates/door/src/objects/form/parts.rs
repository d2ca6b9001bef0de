//! A body of type `multipart/form-data`, taken apart while it comes: fields first, which are held and bounded together, then the file,
//! which is handed on. What follows the file is not looked at.

use bytes::{Bytes, BytesMut};
use contract::Fault;
use futures_util::StreamExt;
use memchr::memmem;
use wire::ByteStream;

use super::Fields;
use crate::objects::body::bad;

/// The most bytes before the file, heads and boundaries too.
const FIELDS_BYTES_MAX: usize = 20 << 10;
/// The longest boundary that there may be.
const BOUNDARY_BYTES_MAX: usize = 70;
/// The most bytes behind the file.
const REST_BYTES_MAX: usize = 64 << 10;

/// A form on its way in.
pub(crate) struct Parts {
    source: ByteStream,
    buffer: BytesMut,
    /// A line's end, two dashes, the boundary.
    delimiter: Vec<u8>,
    /// Bytes of fields that may still come.
    left: usize,
}

/// What the head of the file's part says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) name: String,
}

impl Parts {
    /// The form in a body of that type.
    pub(crate) fn new(content_type: &str, source: ByteStream) -> Result<Self, Fault> {
        let boundary = boundary(content_type).ok_or_else(not_a_form)?;
        // The first boundary has no line before it that it would end.
        let buffer = BytesMut::from(&b"\r\n"[..]);
        Ok(Self { source, buffer, delimiter: format!("\r\n--{boundary}").into_bytes(), left: FIELDS_BYTES_MAX })
    }

    /// The fields, up to the file.
    pub(crate) async fn fields(&mut self) -> Result<(Fields, File), Fault> {
        let mut fields = Fields::default();
        self.until_delimiter().await?;
        loop {
            let mut end = self.until(b"\r\n").await?;
            // White space may stand behind a boundary, and nothing else but the dashes that end the form.
            if end.starts_with(b"--") {
                return Err(files(0));
            }
            end.truncate(end.trim_ascii().len());
            if !end.is_empty() {
                return Err(malformed());
            }
            let head = Head::read(&self.head().await?)?;
            if head.name.eq_ignore_ascii_case("file") {
                return Ok((fields, File { name: head.file }));
            }
            let value = String::from_utf8(self.until_delimiter().await?.to_vec()).map_err(|_| malformed())?;
            fields.add(&head.name, value);
        }
    }

    /// The file, once the fields were read.
    pub(crate) fn file(self) -> ByteStream {
        let pieces = futures_util::stream::try_unfold(Some(self), |state| async move {
            let Some(mut parts) = state else { return Ok(None) };
            let (piece, ended) = parts.piece().await?;
            Ok(Some((piece, (!ended).then_some(parts))))
        });
        Box::pin(pieces)
    }

    /// The next of the file's bytes, and whether they are the last.
    async fn piece(&mut self) -> Result<(Bytes, bool), Fault> {
        loop {
            if let Some(at) = memmem::find(&self.buffer, &self.delimiter) {
                let piece = self.buffer.split_to(at).freeze();
                self.pass_rest().await?;
                return Ok((piece, true));
            }
            // What may be the beginning of a delimiter is not given away.
            let sure = self.buffer.len().saturating_sub(self.delimiter.len() - 1);
            if sure > 0 {
                return Ok((self.buffer.split_to(sure).freeze(), false));
            }
            if !self.more().await? {
                return Err(malformed());
            }
        }
    }

    /// Takes the rest of the body off the connection.
    async fn pass_rest(&mut self) -> Result<(), Fault> {
        let mut passed = self.buffer.len();
        self.buffer.clear();
        while let Some(piece) = self.source.next().await.transpose()? {
            passed += piece.len();
            if passed > REST_BYTES_MAX {
                return Err(malformed());
            }
        }
        Ok(())
    }

    /// The lines of a head; there may be none.
    async fn head(&mut self) -> Result<Vec<BytesMut>, Fault> {
        let mut lines = Vec::new();
        loop {
            let line = self.until(b"\r\n").await?;
            if line.is_empty() {
                return Ok(lines);
            }
            lines.push(line);
        }
    }

    async fn until_delimiter(&mut self) -> Result<BytesMut, Fault> {
        let delimiter = self.delimiter.clone();
        self.until(&delimiter).await
    }

    /// The bytes before the next `end`, which is passed.
    async fn until(&mut self, end: &[u8]) -> Result<BytesMut, Fault> {
        loop {
            let found = memmem::find(&self.buffer, end);
            if found.unwrap_or(self.buffer.len()) > self.left {
                let message = "Your POST request fields preceding the upload file were too large.";
                return Err(bad(400, "MaxPostPreDataLengthExceeded", message)
                    .with("MaxPostPreDataLengthBytes", FIELDS_BYTES_MAX.to_string()));
            }
            match found {
                Some(at) => {
                    self.left = self.left.saturating_sub(at + end.len());
                    let before = self.buffer.split_to(at);
                    drop(self.buffer.split_to(end.len()));
                    return Ok(before);
                }
                None if !self.more().await? => return Err(malformed()),
                None => {}
            }
        }
    }

    async fn more(&mut self) -> Result<bool, Fault> {
        match self.source.next().await.transpose()? {
            Some(piece) => {
                self.buffer.extend_from_slice(&piece);
                Ok(true)
            }
            None => Ok(false),
        }
    }
}

/// What a part says of itself.
struct Head {
    name: String,
    file: String,
}

impl Head {
    fn read(lines: &[BytesMut]) -> Result<Self, Fault> {
        for line in lines {
            let line = std::str::from_utf8(line).map_err(|_| malformed())?;
            let (name, value) = line.split_once(':').ok_or_else(malformed)?;
            if !name.trim().eq_ignore_ascii_case("content-disposition") {
                continue;
            }
            let value = value.trim();
            if !value.get(..9).is_some_and(|kind| kind.eq_ignore_ascii_case("form-data")) {
                return Err(malformed());
            }
            let name = parameter(value, "name").ok_or_else(malformed)?;
            return Ok(Self { name, file: parameter(value, "filename").unwrap_or_default() });
        }
        Err(malformed())
    }
}

/// What a parameter of a header says, in quotes or without.
fn parameter(header: &str, name: &str) -> Option<String> {
    let mut rest = header.split_once(';')?.1;
    loop {
        let (key, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted_text(quoted)?,
            None => {
                let (value, next) = after.split_once(';').unwrap_or((after, ""));
                (value.trim().to_owned(), next)
            }
        };
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = next.trim_start().trim_start_matches(';');
    }
}

/// Text up to its closing quote, and what follows. A backslash quotes quotes alone: some browsers send paths as they are.
fn quoted_text(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[at + 1..])),
            '\\' if text[at + 1..].starts_with('"') => {
                letters.next();
                value.push('"');
            }
            other => value.push(other),
        }
    }
    None
}

fn boundary(content_type: &str) -> Option<String> {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let boundary = parameter(content_type, "boundary")?;
    let fits = (1..=BOUNDARY_BYTES_MAX).contains(&boundary.len()) && !boundary.contains(['\r', '\n']);
    (kind.eq_ignore_ascii_case("multipart/form-data") && fits).then_some(boundary)
}

/// What S3 says of anything else that is posted to a bucket.
fn not_a_form() -> Fault {
    let fault = bad(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold");
    fault.with("Condition", "Bucket POST must be of the enclosure-type multipart/form-data")
}

fn malformed() -> Fault {
    bad(400, "MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data.")
}

fn files(count: usize) -> Fault {
    bad(400, "InvalidArgument", "POST requires exactly one file upload per request.")
        .with("ArgumentName", "file")
        .with("ArgumentValue", count.to_string())
}

#[cfg(test)]
mod tests {
    use base::Random;

    use super::*;

    const KIND: &str = "multipart/form-data; boundary=xyz";
    const FORM: &str = "--xyz\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\na/${filename}\r\n--xyz \r\n\
        content-disposition: form-data; name=acl\r\nContent-Type: text/plain\r\n\r\nprivate\r\n--xyz\r\n\
        Content-Disposition: form-data; name=\"file\"; filename=\"C:\\dir\\b.txt\"\r\n\r\none\r\n--xy\r\ntwo\r\n--xyz--\r\n";

    fn stream(body: &[u8], size: usize) -> ByteStream {
        let pieces: Vec<_> = body.chunks(size.max(1)).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        Box::pin(futures_util::stream::iter(pieces))
    }

    async fn read(kind: &str, body: &[u8], size: usize) -> Result<(Fields, File, Vec<u8>), String> {
        let mut parts = Parts::new(kind, stream(body, size)).map_err(|fault| fault.code)?;
        let (fields, file) = parts.fields().await.map_err(|fault| fault.code)?;
        let mut bytes = Vec::new();
        let mut pieces = parts.file();
        while let Some(piece) = pieces.next().await {
            bytes.extend_from_slice(&piece.map_err(|fault| fault.code)?);
        }
        Ok((fields, file, bytes))
    }

    #[tokio::test]
    async fn a_form_is_taken_apart_however_it_comes() {
        for size in [1, 2, 3, 7, 64, 4096] {
            let (fields, file, bytes) = read(KIND, FORM.as_bytes(), size).await.expect("well-formed");
            assert_eq!((fields.get("key"), fields.get("ACL")), (Some("a/${filename}"), Some("private")));
            assert_eq!(
                (file.name.as_str(), bytes.as_slice()),
                ("C:\\dir\\b.txt", &b"one\r\n--xy\r\ntwo"[..]),
                "{size}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_no_form_is_told() {
        let field = |value: &str| format!("--xyz\r\nContent-Disposition: form-data; name=\"k\"\r\n\r\n{value}\r\n");
        let file = "--xyz\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n";
        for (kind, body, expected) in [
            ("text/plain", String::new(), "PreconditionFailed"),
            ("multipart/form-data", String::new(), "PreconditionFailed"),
            (KIND, String::new(), "MalformedPOSTRequest"),
            (KIND, field("v"), "MalformedPOSTRequest"),
            (KIND, field("v") + "--xyz--\r\n", "InvalidArgument"),
            (KIND, field(&"v".repeat(20 << 10)) + file, "MaxPostPreDataLengthExceeded"),
            (KIND, "x".repeat(30 << 10), "MaxPostPreDataLengthExceeded"),
            (KIND, field("v") + file + "cut off", "MalformedPOSTRequest"),
            (KIND, "--xyz\r\nContent-Type: text/plain\r\n\r\nv\r\n--xyz--\r\n".into(), "MalformedPOSTRequest"),
            (KIND, field("v") + file + "\r\n--xyz--" + &"x".repeat(100 << 10), "MalformedPOSTRequest"),
        ] {
            let read = read(kind, body.as_bytes(), 512).await;
            assert_eq!(read.map(|(_, file, _)| file), Err(expected.to_owned()), "{kind} {}", body.len());
        }
    }

    #[test]
    fn parameters_are_read() {
        for (header, name, expected) in [
            ("form-data; name=\"a\"; filename=\"b;c\\\"d\"", "filename", Some("b;c\"d")),
            ("form-data; name=\"a\"; filename=\"b\"", "name", Some("a")),
            ("form-data; NAME = a ; filename=b", "name", Some("a")),
            ("form-data", "name", None),
            ("form-data; name=\"a", "name", None),
        ] {
            assert_eq!(parameter(header, name).as_deref(), expected, "{header}");
        }
    }

    #[test]
    fn damaged_forms_never_panic() {
        let random = Random::seeded(7);
        for _ in 0..3_000 {
            let mut form = FORM.as_bytes().to_vec();
            for _ in 0..=random.below(4) {
                let at = random.below(form.len() as u64) as usize;
                form[at] = random.below(256) as u8;
            }
            form.truncate(random.below(form.len() as u64 + 1) as usize);
            let mut bytes = KIND.as_bytes().to_vec();
            bytes.push(b'\n');
            bytes.extend(form);
            crate::fuzzing::form(&bytes);
        }
    }
}
