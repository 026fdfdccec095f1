//! `multipart/form-data` (RFC 7578) as a stream of parts: what curl's `-F` sends. A part's content
//! is handed on in pieces as it comes; no more than a header block is ever kept.

use std::pin::Pin;

use actix_web::error::PayloadError;
use actix_web::http::header::{ContentDisposition, HeaderValue};
use actix_web::web::{Buf as _, Bytes, BytesMut};
use actix_web::{HttpMessage as _, HttpRequest};
use futures_util::{Stream, StreamExt as _};
use memchr::memmem::{self, Finder};

/// The largest header block of a part, and the most that may stand before the first part and after
/// the last, in bytes.
const MAX_BETWEEN: usize = 8 * 1024;

/// The longest boundary (RFC 2046 §5.1.1), in bytes.
const MAX_BOUNDARY: usize = 70;

/// Why a body is not read as a form.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MultipartError {
    /// The content type has no boundary that can be one
    #[error("the content type must have a boundary of 1 to {MAX_BOUNDARY} characters")]
    Boundary,
    /// A part without its name
    #[error("every part needs a content-disposition: form-data with a name")]
    Unnamed,
    /// Something between the parts that is too long
    #[error("what stands before, between or after the parts is longer than {MAX_BETWEEN} bytes")]
    HeaderTooLarge,
    /// A line that is no delimiter
    #[error("a part's delimiter is followed by neither a line break nor two hyphens")]
    Delimiter,
    /// The body ended before its last delimiter
    #[error("the form ends before its closing delimiter")]
    Incomplete,
    /// The body itself
    #[error("the body could not be read: {0}")]
    Body(#[from] PayloadError),
}

/// A form that is being read.
pub(crate) struct Multipart<S> {
    body: Pin<Box<S>>,
    splitter: Splitter,
}

/// The boundary of a request's form; none where the body is of another type.
///
/// # Errors
/// A form without a usable boundary.
pub(crate) fn boundary(request: &HttpRequest) -> Option<Result<String, MultipartError>> {
    let kind = request.mime_type().ok().flatten()?;
    if kind.essence_str() != "multipart/form-data" {
        return None;
    }
    let boundary = kind
        .get_param("boundary")
        .map(|name| name.as_str().to_owned());
    let usable = boundary.filter(|text| (1..=MAX_BOUNDARY).contains(&text.len()));
    Some(usable.ok_or(MultipartError::Boundary))
}

impl<S: Stream<Item = Result<Bytes, PayloadError>>> Multipart<S> {
    /// A form over a body.
    pub(crate) fn new(boundary: &str, body: S) -> Self {
        Self {
            body: Box::pin(body),
            splitter: Splitter::new(boundary),
        }
    }

    /// The next part's name, skipping what is unread of the last one; none after the last part.
    ///
    /// # Errors
    /// See [`MultipartError`].
    pub(crate) async fn next_part(&mut self) -> Result<Option<String>, MultipartError> {
        loop {
            match self.step().await? {
                Step::Part(name) => return Ok(Some(name)),
                Step::Piece(_) | Step::PartEnd => {}
                Step::End => {
                    self.finish().await?;
                    return Ok(None);
                }
            }
        }
    }

    /// The next piece of the part's content; none at its end.
    ///
    /// # Errors
    /// See [`MultipartError`].
    pub(crate) async fn next_piece(&mut self) -> Result<Option<Bytes>, MultipartError> {
        match self.step().await? {
            Step::Piece(piece) => Ok(Some(piece)),
            Step::PartEnd | Step::Part(_) | Step::End => Ok(None),
        }
    }

    async fn step(&mut self) -> Result<Step, MultipartError> {
        loop {
            if let Some(step) = self.splitter.step()? {
                return Ok(step);
            }
            let more = self.body.next().await.ok_or(MultipartError::Incomplete)?;
            self.splitter.buffer.extend_from_slice(&more?);
        }
    }

    /// Reads the epilogue, so that the connection can serve another request.
    async fn finish(&mut self) -> Result<(), MultipartError> {
        let mut length = self.splitter.buffer.len();
        while let Some(more) = self.body.next().await {
            length = length.saturating_add(more?.len());
            if length > MAX_BETWEEN {
                return Err(MultipartError::HeaderTooLarge);
            }
        }
        Ok(())
    }
}

/// What comes next in a form.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// A part begins
    Part(String),
    /// Some of its content
    Piece(Bytes),
    /// It ends
    PartEnd,
    /// There are no more parts
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before the first delimiter; so much was skipped
    Preamble(usize),
    /// Right behind a delimiter
    Delimiter,
    /// In a part's header block
    Header,
    /// In a part's content
    Content,
    /// Behind the last delimiter
    End,
}

/// Cuts bytes into parts, however they were cut when they came.
struct Splitter {
    /// CRLF, two hyphens and the boundary
    delimiter: Finder<'static>,
    buffer: BytesMut,
    place: Place,
}

impl Splitter {
    fn new(boundary: &str) -> Self {
        let delimiter = format!("\r\n--{boundary}");
        Self {
            delimiter: Finder::new(delimiter.as_bytes()).into_owned(),
            // The first delimiter need not stand behind a line break of its own.
            buffer: BytesMut::from(&b"\r\n"[..]),
            place: Place::Preamble(0),
        }
    }

    /// The next step, or none until there are more bytes.
    fn step(&mut self) -> Result<Option<Step>, MultipartError> {
        loop {
            let step = match self.place {
                Place::Preamble(skipped) => self.skip_preamble(skipped)?,
                Place::Delimiter => self.pass_delimiter()?,
                Place::Header => return self.take_header(),
                Place::Content => return Ok(self.take_content()),
                Place::End => return Ok(Some(Step::End)),
            };
            if let Wanted::More = step {
                return Ok(None);
            }
        }
    }

    fn skip_preamble(&mut self, skipped: usize) -> Result<Wanted, MultipartError> {
        let (before, found) = self.before_delimiter();
        let skipped = skipped.saturating_add(before);
        if skipped > MAX_BETWEEN {
            return Err(MultipartError::HeaderTooLarge);
        }
        self.buffer.advance(before);
        if found {
            self.enter_delimiter();
            return Ok(Wanted::Nothing);
        }
        self.place = Place::Preamble(skipped);
        Ok(Wanted::More)
    }

    fn enter_delimiter(&mut self) {
        self.buffer.advance(self.delimiter.needle().len());
        self.place = Place::Delimiter;
    }

    /// Two hyphens end the form; else the line may have padding and then ends (RFC 2046 §5.1.1).
    fn pass_delimiter(&mut self) -> Result<Wanted, MultipartError> {
        self.place = match self.buffer.get(..2) {
            None => return Ok(Wanted::More),
            Some(b"--") => {
                self.buffer.advance(2);
                Place::End
            }
            Some([b'\r', b'\n'] | [b' ' | b'\t', _]) => Place::Header,
            Some(_) => return Err(MultipartError::Delimiter),
        };
        Ok(Wanted::Nothing)
    }

    /// A header block, from the end of the delimiter's line to the empty line.
    fn take_header(&mut self) -> Result<Option<Step>, MultipartError> {
        let end = memmem::find(&self.buffer, HEADER_END);
        if end.unwrap_or(self.buffer.len()) > MAX_BETWEEN {
            return Err(MultipartError::HeaderTooLarge);
        }
        let Some(end) = end else {
            return Ok(None);
        };
        let header = self.buffer.split_to(end.saturating_add(HEADER_END.len()));
        self.place = Place::Content;
        part_name(&header).map(|name| Some(Step::Part(name)))
    }

    fn take_content(&mut self) -> Option<Step> {
        match self.before_delimiter() {
            (0, true) => {
                self.enter_delimiter();
                Some(Step::PartEnd)
            }
            (0, false) => None,
            (length, _) => Some(Step::Piece(self.buffer.split_to(length).freeze())),
        }
    }

    /// How many bytes are certainly before the next delimiter, and whether it follows them.
    fn before_delimiter(&self) -> (usize, bool) {
        match self.delimiter.find(&self.buffer) {
            Some(length) => (length, true),
            // The end might be the beginning of a delimiter.
            None => {
                let kept = self.delimiter.needle().len().saturating_sub(1);
                (self.buffer.len().saturating_sub(kept), false)
            }
        }
    }
}

const HEADER_END: &[u8] = b"\r\n\r\n";

/// What the splitter cannot go on without.
enum Wanted {
    Nothing,
    More,
}

fn part_name(header: &[u8]) -> Result<String, MultipartError> {
    const NAME: &[u8] = b"content-disposition:";
    let value = header.split(|byte| *byte == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked(NAME.len())?;
        name.eq_ignore_ascii_case(NAME)
            .then_some(value.trim_ascii())
    });
    let value = value.and_then(|value| HeaderValue::from_bytes(value).ok());
    value
        .and_then(|value| ContentDisposition::from_raw(&value).ok())
        .filter(ContentDisposition::is_form_data)
        .and_then(|disposition| disposition.get_name().map(str::to_owned))
        .ok_or(MultipartError::Unnamed)
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    const FORM: &[u8] = b"preamble\r\n--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\
        one\r\n--X\r\n\r\n--XX \r\nX-Other: 1\r\ncontent-disposition: form-data; name=\"b\"; \
        filename=\"c.json\"\r\n\r\n\r\n--XX--\r\nepilogue";

    async fn read(form: &[u8], cut: usize) -> Result<Vec<(String, Vec<u8>)>, MultipartError> {
        let pieces: Vec<_> = form
            .chunks(cut)
            .map(|piece| Ok(Bytes::copy_from_slice(piece)))
            .collect();
        let mut form = Multipart::new("XX", stream::iter(pieces));
        let mut parts = Vec::new();
        while let Some(name) = form.next_part().await? {
            let mut content = Vec::new();
            while let Some(piece) = form.next_piece().await? {
                content.extend_from_slice(&piece);
            }
            parts.push((name, content));
        }
        Ok(parts)
    }

    #[actix_web::test]
    async fn a_form_is_the_same_however_it_is_cut() {
        for cut in 1..=FORM.len() {
            let parts = read(FORM, cut).await.unwrap();

            let expected = [
                ("a".to_owned(), b"one\r\n--X\r\n".to_vec()),
                ("b".to_owned(), Vec::new()),
            ];
            assert_eq!(parts, expected, "cut every {cut}");
        }
    }

    #[actix_web::test]
    async fn a_part_that_nobody_reads_is_skipped() {
        let mut form = Multipart::new("XX", stream::iter([Ok(Bytes::from_static(FORM))]));

        assert_eq!(form.next_part().await.unwrap().as_deref(), Some("a"));
        assert_eq!(form.next_part().await.unwrap().as_deref(), Some("b"));
        assert_eq!(form.next_part().await.unwrap(), None);
    }

    #[actix_web::test]
    async fn a_form_that_ends_early_is_incomplete() {
        let end = FORM.len() - "--\r\nepilogue".len();
        for length in 0..=end {
            let error = read(&FORM[..length], 64).await.unwrap_err();
            assert!(
                matches!(error, MultipartError::Incomplete),
                "{length}: {error}"
            );
        }
    }

    #[actix_web::test]
    async fn what_has_no_end_is_refused_before_it_is_kept() {
        let long = "x".repeat(MAX_BETWEEN + 100);
        for form in [
            long.clone(),
            format!("--XX\r\n{long}"),
            format!("--XX\r\n{long}\r\n\r\n"),
            format!("--XX--{long}"),
        ] {
            let error = read(form.as_bytes(), 1000).await.unwrap_err();
            assert!(matches!(error, MultipartError::HeaderTooLarge), "{error}");
        }
    }

    #[actix_web::test]
    async fn parts_without_a_name_and_lines_that_are_no_delimiters_are_refused() {
        for header in [
            "",
            "x: y",
            "content-disposition: form-data",
            "content-disposition: file",
        ] {
            let form = format!("--XX\r\n{header}\r\n\r\n\r\n--XX--");
            let error = read(form.as_bytes(), 1000).await.unwrap_err();
            assert!(
                matches!(error, MultipartError::Unnamed),
                "{header}: {error}"
            );
        }
        let error = read(b"--XXY\r\n\r\n", 1000).await.unwrap_err();
        assert!(matches!(error, MultipartError::Delimiter), "{error}");
    }
}
