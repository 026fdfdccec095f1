//! A verification request as `multipart/form-data` (RFC 7578), as curl's `-F` sends it. The artifact is
//! hashed as it arrives; at most [`BATCH`] bytes of it are in memory at a time.

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use futures_util::StreamExt as _;

use super::VerifyLimits;
use super::request::{RawVerifyRequest, VerifyRequestError};
use crate::adapters::http::blocking::WorkLimit;
use crate::adapters::http::refusal::Refusal;
use crate::protocol::bundle::{Artifact, ArtifactHasher, InvalidDigest};
use crate::protocol::hash::HashAlgorithm;

/// Number of bytes that are hashed at a time, with one permit of the work limit.
const BATCH: usize = 1 << 20;

/// Maximum number of parts in a form.
const MAX_PARTS: usize = 256;

/// Error reading a form.
#[derive(Debug, thiserror::Error)]
pub(super) enum FormError {
    #[error("the form cannot be read: {0}")]
    Multipart(String),
    #[error("every part needs a content-disposition: form-data with a name")]
    Unnamed,
    #[error(
        "unknown part {0:?}; the parts are bundle, artifact, digest, identity, issuer, policy, \
         policy-name and key"
    )]
    UnknownPart(String),
    #[error("the form has more than one {0}")]
    Repeated(&'static str),
    #[error("give either the artifact or its digest, not both")]
    ArtifactAndDigest,
    #[error("digest: {0}")]
    Digest(#[from] InvalidDigest),
    #[error("{0} is not UTF-8")]
    NotText(&'static str),
    #[error("the form has more than {MAX_PARTS} parts")]
    TooManyParts,
    #[error("the form without the artifact exceeds limits.verify_body_bytes, {0}")]
    TooLarge(usize),
    #[error("the artifact exceeds limits.verify_artifact_bytes, {0}; send its digest instead")]
    ArtifactTooLarge(u64),
}

/// Includes the cause, which the library's own messages omit.
fn describe(error: &MultipartError) -> String {
    match error {
        MultipartError::Payload(PayloadError::Overflow) => {
            "a part's header or a line between parts is longer than 64 KiB".to_owned()
        }
        MultipartError::Payload(cause) => cause.to_string(),
        MultipartError::Parse(cause) => format!("a part's header is malformed: {cause}"),
        error => error.to_string(),
    }
}

impl From<MultipartError> for FormError {
    fn from(error: MultipartError) -> Self {
        match error {
            MultipartError::ContentDispositionMissing
            | MultipartError::ContentDispositionNameMissing => Self::Unnamed,
            error => Self::Multipart(describe(&error)),
        }
    }
}

impl From<FormError> for Refusal {
    fn from(error: FormError) -> Self {
        let (status, code) = match error {
            FormError::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large"),
            FormError::ArtifactTooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "artifact-too-large"),
            FormError::Multipart(_)
            | FormError::Unnamed
            | FormError::UnknownPart(_)
            | FormError::Repeated(_)
            | FormError::ArtifactAndDigest
            | FormError::Digest(_)
            | FormError::NotText(_)
            | FormError::TooManyParts => (StatusCode::BAD_REQUEST, "malformed-form"),
        };
        Self::new(status, code, error)
    }
}

/// Reads a form, hashing the artifact within the work limit.
///
/// # Errors
/// A malformed form, one that exceeds a limit, or a busy server.
pub(super) async fn read(
    mut form: Multipart,
    work: &WorkLimit,
    limits: VerifyLimits,
) -> Result<RawVerifyRequest, Refusal> {
    let mut reader = FormReader {
        left: limits.body_bytes,
        limits,
        ..FormReader::default()
    };
    let mut parts = 0;
    while let Some(part) = form.next().await {
        let part = part.map_err(FormError::from)?;
        parts += 1;
        if parts > MAX_PARTS {
            return Err(FormError::TooManyParts.into());
        }
        reader.take(part, work).await?;
    }
    reader.finish()
}

#[derive(Default)]
struct FormReader {
    request: RawVerifyRequest,
    digest: Option<Artifact>,
    identities: Vec<String>,
    issuers: Vec<String>,
    limits: VerifyLimits,
    /// Remaining bytes for all parts other than the artifact
    left: usize,
}

impl FormReader {
    async fn take(&mut self, part: Field, work: &WorkLimit) -> Result<(), Refusal> {
        let name = part.name().ok_or(FormError::Unnamed)?.to_owned();
        match name.as_str() {
            "bundle" => {
                let bundle = self.read_bytes(part).await?;
                self.request.bundles.push(bundle);
            }
            "artifact" => {
                let artifact = hash(part, work, self.limits.artifact_bytes).await?;
                once(&mut self.request.artifact, artifact, "artifact")?;
            }
            "digest" => {
                let text = self.read_text(part, "digest").await?;
                let digest = text.parse().map_err(FormError::from)?;
                once(&mut self.digest, digest, "digest")?;
            }
            "identity" => {
                let subject = self.read_text(part, "identity").await?;
                self.identities.push(subject);
            }
            "issuer" => {
                let issuer = self.read_text(part, "issuer").await?;
                self.issuers.push(issuer);
            }
            "policy" => {
                let policy = self.read_text(part, "policy").await?;
                once(&mut self.request.requirement.policy, policy, "policy")?;
            }
            "policy-name" => {
                let policy = self.read_text(part, "policy-name").await?;
                once(
                    &mut self.request.requirement.policy_name,
                    policy,
                    "policy-name",
                )?;
            }
            "key" => {
                let key = self.read_text(part, "key").await?;
                once(&mut self.request.requirement.key, key, "key")?;
            }
            other => return Err(FormError::UnknownPart(other.chars().take(40).collect()).into()),
        }
        Ok(())
    }

    async fn read_bytes(&mut self, mut part: Field) -> Result<Vec<u8>, FormError> {
        let mut content = Vec::new();
        while let Some(piece) = part.next().await {
            let piece = piece?;
            let too_large = FormError::TooLarge(self.limits.body_bytes);
            self.left = self.left.checked_sub(piece.len()).ok_or(too_large)?;
            content.extend_from_slice(&piece);
        }
        Ok(content)
    }

    async fn read_text(&mut self, part: Field, name: &'static str) -> Result<String, FormError> {
        let bytes = self.read_bytes(part).await?;
        String::from_utf8(bytes).map_err(|_| FormError::NotText(name))
    }

    fn finish(self) -> Result<RawVerifyRequest, Refusal> {
        let mut request = self.request;
        request
            .requirement
            .pair_identities(self.identities, self.issuers)
            .map_err(VerifyRequestError::from)?;
        if let Some(digest) = self.digest
            && request.artifact.replace(digest).is_some()
        {
            return Err(FormError::ArtifactAndDigest.into());
        }
        Ok(request)
    }
}

fn once<T>(slot: &mut Option<T>, value: T, name: &'static str) -> Result<(), FormError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(FormError::Repeated(name)),
    }
}

/// Hashes a part with every algorithm, because the bundles that determine the algorithm may follow it.
async fn hash(mut part: Field, work: &WorkLimit, limit: u64) -> Result<Artifact, Refusal> {
    let mut hasher = ArtifactHasher::new(HashAlgorithm::ALL);
    let (mut batch, mut waiting) = (Vec::new(), 0);
    let mut left = limit;
    while let Some(piece) = part.next().await {
        let piece = piece.map_err(FormError::from)?;
        left = left
            .checked_sub(piece.len() as u64)
            .ok_or(FormError::ArtifactTooLarge(limit))?;
        waiting += piece.len();
        batch.push(piece);
        if waiting >= BATCH {
            hasher = update(hasher, std::mem::take(&mut batch), work).await?;
            waiting = 0;
        }
    }
    Ok(update(hasher, batch, work).await?.finish())
}

async fn update(
    mut hasher: ArtifactHasher,
    batch: Vec<Bytes>,
    work: &WorkLimit,
) -> Result<ArtifactHasher, Refusal> {
    let update = move || {
        batch.iter().for_each(|piece| hasher.update(piece));
        hasher
    };
    work.run(update).await
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
    use futures_util::stream;

    use super::*;

    const FORM: &[u8] =
        b"preamble\r\n--XX\r\nContent-Disposition: form-data; name=\"policy\"\r\n\r\n\
        one\r\n--X\r\n\r\n--XX\r\nX-Other: 1\r\ncontent-disposition: form-data; name=\"key\"; \
        filename=\"c.json\"\r\n\r\n\r\n--XX--\r\nepilogue";

    async fn read_form(form: &[u8], cut: usize) -> Result<RawVerifyRequest, Refusal> {
        let mut headers = HeaderMap::new();
        let kind = HeaderValue::from_static("multipart/form-data; boundary=XX");
        headers.insert(CONTENT_TYPE, kind);
        let pieces: Vec<_> = form
            .chunks(cut)
            .map(|piece| Ok(Bytes::copy_from_slice(piece)))
            .collect();
        let limits = VerifyLimits {
            body_bytes: 1 << 20,
            artifact_bytes: 1 << 20,
        };
        let form = Multipart::new(&headers, stream::iter(pieces));
        read(form, &WorkLimit::new(1), limits).await
    }

    #[actix_web::test]
    async fn a_form_is_parsed_from_chunks_of_any_size() {
        for cut in 1..=FORM.len() {
            let request = read_form(FORM, cut).await.unwrap();

            assert_eq!(
                request.requirement.policy.as_deref(),
                Some("one\r\n--X\r\n"),
                "cut every {cut}"
            );
            assert_eq!(
                request.requirement.key.as_deref(),
                Some(""),
                "cut every {cut}"
            );
        }
    }

    #[actix_web::test]
    async fn a_truncated_form_is_refused() {
        let end = FORM.len() - "--\r\nepilogue".len();
        for length in 0..=end {
            let refused = read_form(&FORM[..length], 64).await.map(drop).unwrap_err();
            assert_eq!(
                refused.status(),
                StatusCode::BAD_REQUEST,
                "{length}: {refused}"
            );
        }
    }

    #[actix_web::test]
    async fn an_endless_part_header_is_refused() {
        let long = "x".repeat(100_000);
        for form in [
            long.clone(),
            format!("--XX\r\n{long}"),
            format!("--XX\r\n{long}\r\n\r\n"),
        ] {
            let refused = read_form(form.as_bytes(), 1000)
                .await
                .map(drop)
                .unwrap_err();
            assert!(refused.detail().contains("longer than 64 KiB"), "{refused}");
        }
    }

    #[actix_web::test]
    async fn parts_without_a_name_and_malformed_delimiters_are_refused() {
        for header in [
            "",
            "x: y",
            "content-disposition: form-data",
            "content-disposition: file",
        ] {
            let form = format!("--XX\r\n{header}\r\n\r\n\r\n--XX--\r\n");
            let refused = read_form(form.as_bytes(), 1000)
                .await
                .map(drop)
                .unwrap_err();
            assert_eq!(
                refused.status(),
                StatusCode::BAD_REQUEST,
                "{header}: {refused}"
            );
        }
        assert!(read_form(b"--XXY\r\n\r\n", 1000).await.is_err());
    }
}
