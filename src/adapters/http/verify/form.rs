//! A question as `multipart/form-data`, the form that curl's `-F` sends. The artifact is hashed as
//! it comes, and no more than [`BATCH`] of it is in memory at a time.

use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use futures_util::Stream;

use super::Limits;
use super::gate::Gate;
use super::question::{IdentityClaim, RawQuestion, RequestError};
use crate::adapters::http::multipart::{Multipart, MultipartError};
use crate::adapters::http::problem::Problem;
use crate::protocol::bundle::{Artifact, ArtifactHasher, NotADigest};
use crate::protocol::bytes::HashAlgorithm;

/// How much of an artifact is hashed in one turn, in bytes.
const BATCH: usize = 1 << 20;

/// The most parts that a form may have.
const MAX_PARTS: usize = 256;

/// Why a form is not understood.
#[derive(Debug, thiserror::Error)]
pub(super) enum FormError {
    /// Not multipart
    #[error(transparent)]
    Multipart(#[from] MultipartError),
    /// A name that means nothing here
    #[error(
        "there is no part {0:?}; there are bundle, artifact, digest, identity, issuer, policy, \
         policy-name and key"
    )]
    UnknownPart(String),
    /// A part that may stand once only
    #[error("the form has more than one {0}")]
    Repeated(&'static str),
    /// The artifact and its digest
    #[error("give either the artifact or its digest, not both")]
    ArtifactAndDigest,
    /// Not a digest
    #[error("digest: {0}")]
    Digest(#[from] NotADigest),
    /// Text in another encoding
    #[error("{0} is not UTF-8")]
    NotText(&'static str),
    /// A subject without its issuer, or the other way round
    #[error("every identity goes with an issuer: {identities} and {issuers} were given")]
    Unpaired {
        /// How many of the one
        identities: usize,
        /// How many of the other
        issuers: usize,
    },
    /// More than any question needs
    #[error("the form has more than {MAX_PARTS} parts")]
    TooManyParts,
    /// Too long
    #[error("the form is longer than limits.verify_body_bytes allows, {0} without the artifact")]
    TooLarge(usize),
    /// Too long
    #[error(
        "the artifact is longer than limits.verify_artifact_bytes allows, {0}; send its digest"
    )]
    ArtifactTooLarge(u64),
}

impl FormError {
    /// The form's error as the API says it.
    pub(super) fn to_problem(&self) -> Problem {
        let (status, slug) = match self {
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large"),
            Self::ArtifactTooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "artifact-too-large"),
            Self::Multipart(_)
            | Self::UnknownPart(_)
            | Self::Repeated(_)
            | Self::ArtifactAndDigest
            | Self::Digest(_)
            | Self::NotText(_)
            | Self::Unpaired { .. }
            | Self::TooManyParts => (StatusCode::BAD_REQUEST, "malformed-form"),
        };
        Problem::new(status, slug, self)
    }
}

impl From<FormError> for Problem {
    fn from(error: FormError) -> Self {
        RequestError::from(error).into()
    }
}

impl From<MultipartError> for Problem {
    fn from(error: MultipartError) -> Self {
        FormError::from(error).into()
    }
}

/// Reads a question, hashing the artifact in turns of the gate.
///
/// # Errors
/// What is not understood, what is too long, and what the gate says.
pub(super) async fn read<S>(
    mut form: Multipart<S>,
    gate: &Gate,
    limits: Limits,
) -> Result<RawQuestion, Problem>
where
    S: Stream<Item = Result<Bytes, PayloadError>>,
{
    let mut fields = Fields {
        left: limits.body_bytes,
        limits,
        ..Fields::default()
    };
    let mut parts: usize = 0;
    while let Some(name) = form.next_part().await? {
        parts = parts.saturating_add(1);
        if parts > MAX_PARTS {
            return Err(FormError::TooManyParts.into());
        }
        fields.take(&name, &mut form, gate).await?;
    }
    Ok(fields.finish()?)
}

/// What was read so far.
#[derive(Default)]
struct Fields {
    question: RawQuestion,
    digest: Option<Artifact>,
    identities: Vec<String>,
    issuers: Vec<String>,
    limits: Limits,
    /// Bytes that the parts besides the artifact may still have
    left: usize,
}

impl Fields {
    async fn take<S>(
        &mut self,
        name: &str,
        form: &mut Multipart<S>,
        gate: &Gate,
    ) -> Result<(), Problem>
    where
        S: Stream<Item = Result<Bytes, PayloadError>>,
    {
        match name {
            "bundle" => {
                let bundle = self.read_bytes(form).await?;
                self.question.bundles.push(bundle);
            }
            "artifact" => {
                let artifact = hash(form, gate, self.limits.artifact_bytes).await?;
                once(&mut self.question.artifact, artifact, "artifact")?;
            }
            "digest" => {
                let text = self.read_text(form, "digest").await?;
                let digest = text.parse().map_err(FormError::from)?;
                once(&mut self.digest, digest, "digest")?;
            }
            "identity" => {
                let subject = self.read_text(form, "identity").await?;
                self.identities.push(subject);
            }
            "issuer" => {
                let issuer = self.read_text(form, "issuer").await?;
                self.issuers.push(issuer);
            }
            "policy" => {
                let policy = self.read_text(form, "policy").await?;
                once(&mut self.question.policy, policy, "policy")?;
            }
            "policy-name" => {
                let policy = self.read_text(form, "policy-name").await?;
                once(&mut self.question.policy_name, policy, "policy-name")?;
            }
            "key" => {
                let key = self.read_text(form, "key").await?;
                once(&mut self.question.key, key, "key")?;
            }
            other => return Err(FormError::UnknownPart(other.chars().take(40).collect()).into()),
        }
        Ok(())
    }

    async fn read_bytes<S>(&mut self, form: &mut Multipart<S>) -> Result<Vec<u8>, FormError>
    where
        S: Stream<Item = Result<Bytes, PayloadError>>,
    {
        let mut content = Vec::new();
        while let Some(piece) = form.next_piece().await? {
            let too_large = FormError::TooLarge(self.limits.body_bytes);
            self.left = self.left.checked_sub(piece.len()).ok_or(too_large)?;
            content.extend_from_slice(&piece);
        }
        Ok(content)
    }

    async fn read_text<S>(
        &mut self,
        form: &mut Multipart<S>,
        name: &'static str,
    ) -> Result<String, FormError>
    where
        S: Stream<Item = Result<Bytes, PayloadError>>,
    {
        let bytes = self.read_bytes(form).await?;
        String::from_utf8(bytes).map_err(|_| FormError::NotText(name))
    }

    fn finish(self) -> Result<RawQuestion, FormError> {
        let (identities, issuers) = (self.identities.len(), self.issuers.len());
        if identities != issuers {
            return Err(FormError::Unpaired {
                identities,
                issuers,
            });
        }
        let mut question = self.question;
        if let Some(digest) = self.digest
            && question.artifact.replace(digest).is_some()
        {
            return Err(FormError::ArtifactAndDigest);
        }
        let pairs = self.identities.into_iter().zip(self.issuers);
        question.identities = pairs
            .map(|(subject, issuer)| IdentityClaim { issuer, subject })
            .collect();
        Ok(question)
    }
}

fn once<T>(slot: &mut Option<T>, value: T, name: &'static str) -> Result<(), FormError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(FormError::Repeated(name)),
    }
}

/// Hashes a part under every function: which ones the bundles need may be known only later.
async fn hash<S>(form: &mut Multipart<S>, gate: &Gate, limit: u64) -> Result<Artifact, Problem>
where
    S: Stream<Item = Result<Bytes, PayloadError>>,
{
    let mut hasher = ArtifactHasher::new([
        HashAlgorithm::Sha256,
        HashAlgorithm::Sha384,
        HashAlgorithm::Sha512,
    ]);
    let (mut batch, mut waiting) = (Vec::new(), 0_usize);
    let mut left = limit;
    while let Some(piece) = form.next_piece().await? {
        let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        left = left
            .checked_sub(length)
            .ok_or(FormError::ArtifactTooLarge(limit))?;
        waiting = waiting.saturating_add(piece.len());
        batch.push(piece);
        if waiting >= BATCH {
            hasher = update(hasher, std::mem::take(&mut batch), gate).await?;
            waiting = 0;
        }
    }
    Ok(update(hasher, batch, gate).await?.finish())
}

async fn update(
    mut hasher: ArtifactHasher,
    batch: Vec<Bytes>,
    gate: &Gate,
) -> Result<ArtifactHasher, Problem> {
    let work = move || {
        batch.iter().for_each(|piece| hasher.update(piece));
        hasher
    };
    gate.run(work).await
}
