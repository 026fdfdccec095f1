//! Signing an artifact with a short-lived certificate: from an identity token to a verified bundle.

use std::error::Error;
use std::sync::Arc;

use serde::Deserialize;

use super::oidc::RawToken;
use super::random::{NoRandomness, Rng};
use super::verify::{Report, VerificationService};
use crate::protocol::bundle::{Artifact, Bundle, BundleError, Expectation, TrustedRoot};
use crate::protocol::bytes::from_base64url;
use crate::protocol::entry::{RawVerifier, UnverifiedHashedRekord};
use crate::protocol::hash::{HashAlgorithm, Sha256};
use crate::protocol::keys::{EphemeralKey, KeyDetails, PublicKey, SigningFailed};
use crate::protocol::policy::{IdentityMatcher, Policy};
use crate::protocol::time::Clock;
use crate::protocol::tsp::{TimestampError, TimestampRequest, verify_reply};
use crate::protocol::x509::{Certificate, CertificateError};

/// Port to the server that issues certificates and timestamps and logs entries.
pub(crate) trait SigningServer {
    type Error: Error + Send + Sync + 'static;

    /// A certificate for `key`, as PEM: the leaf first, the root last. `proof` is the key's signature
    /// over the token's subject.
    async fn request_certificate(
        &self,
        token: &RawToken,
        key: &PublicKey,
        proof: &[u8],
    ) -> Result<Vec<String>, Self::Error>;

    /// DER TimeStampReq in, DER TimeStampResp out (RFC 3161).
    async fn request_timestamp(&self, request: Vec<u8>) -> Result<Vec<u8>, Self::Error>;

    /// The log's `TransparencyLogEntry` for the entry, as JSON.
    async fn append_entry(&self, entry: &UnverifiedHashedRekord) -> Result<Vec<u8>, Self::Error>;
}

/// Signs with one server.
pub(crate) struct Signer<S> {
    pub server: S,
    /// The roots that verify what the server returns
    pub trust: Arc<TrustedRoot>,
    pub clock: Arc<dyn Clock>,
    pub rng: Rng,
}

/// A new bundle, and the report of its verification.
pub(crate) struct Signed {
    pub bundle: Bundle,
    pub report: Report,
}

/// The steps of signing, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    KeyGenerated,
    CertificateIssued,
    ArtifactSigned,
    TimestampIssued,
    EntryLogged,
    BundleVerified,
}

/// Error signing an artifact. `E` is the server's error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignError<E: Error + 'static> {
    #[error("the identity token is not a JWT with the claims iss and sub")]
    Token,
    #[error("the artifact has no SHA-256 digest")]
    NoDigest,
    #[error(transparent)]
    Key(#[from] SigningFailed),
    #[error(transparent)]
    Nonce(#[from] NoRandomness),
    #[error(transparent)]
    Server(E),
    #[error("the server sent an empty certificate chain")]
    NoCertificate,
    #[error("the server's certificate cannot be parsed")]
    Certificate(#[source] CertificateError),
    #[error("the server's certificate is for another key")]
    OtherKey,
    #[error("the server's timestamp does not verify")]
    Timestamp(#[source] TimestampError),
    #[error("the log's reply is not a log entry")]
    Entry(#[source] BundleError),
    #[error("the new bundle does not verify: {0}")]
    NotVerified(String),
}

impl<S: SigningServer> Signer<S> {
    /// Signs an artifact and verifies the bundle. The key exists only during this call, and its memory
    /// is overwritten. Calls `done` after each step.
    ///
    /// # Errors
    /// See [`SignError`].
    pub(crate) async fn sign(
        &self,
        token: &RawToken,
        artifact: &Artifact,
        mut done: impl FnMut(Step),
    ) -> Result<Signed, SignError<S::Error>> {
        let claims = UnverifiedClaims::parse(token).ok_or(SignError::Token)?;
        let expectation = claims.expectation().ok_or(SignError::Token)?;
        let digest = artifact
            .digest(HashAlgorithm::Sha256)
            .ok_or(SignError::NoDigest)?;
        let sha256 = Sha256::try_from(digest.as_bytes()).map_err(|_| SignError::NoDigest)?;

        let key = EphemeralKey::generate()?;
        done(Step::KeyGenerated);

        let leaf = self.request_certificate(token, &claims, &key).await?;
        done(Step::CertificateIssued);

        let signature = key.sign_digest(&sha256)?;
        drop(key);
        done(Step::ArtifactSigned);

        let timestamp = self.request_timestamp(&signature).await?;
        done(Step::TimestampIssued);

        let entry = UnverifiedHashedRekord::new(
            digest.as_bytes().to_vec(),
            signature.clone(),
            RawVerifier::Certificate(leaf.der().to_vec()),
            KeyDetails::EcdsaP256Sha256,
        )
        .expect("the digest is SHA-256, as the key details say");
        let entry = self.server.append_entry(&entry).await;
        let entry = entry.map_err(SignError::Server)?;
        done(Step::EntryLogged);

        let bundle = Bundle::for_message(&leaf, digest.clone(), signature, &entry, timestamp)
            .map_err(SignError::Entry)?;
        let service = VerificationService::new(Arc::clone(&self.trust), Arc::clone(&self.clock));
        let report = service.verify_bundle(&bundle, artifact, &expectation);
        if !report.verified {
            return Err(SignError::NotVerified(report.reason.unwrap_or_default()));
        }
        done(Step::BundleVerified);
        Ok(Signed { bundle, report })
    }

    async fn request_certificate(
        &self,
        token: &RawToken,
        claims: &UnverifiedClaims,
        key: &EphemeralKey,
    ) -> Result<Certificate, SignError<S::Error>> {
        let proof = key.sign(claims.challenge().as_bytes())?;
        let chain = self
            .server
            .request_certificate(token, key.public_key(), &proof)
            .await
            .map_err(SignError::Server)?;
        let leaf = chain.first().ok_or(SignError::NoCertificate)?;
        let leaf = Certificate::from_pem(leaf).map_err(SignError::Certificate)?;
        if leaf.public_key() != key.public_key() {
            return Err(SignError::OtherKey);
        }
        Ok(leaf)
    }

    async fn request_timestamp(&self, signature: &[u8]) -> Result<Vec<u8>, SignError<S::Error>> {
        let nonce = u64::from_be_bytes(self.rng.bytes()?);
        let imprint = HashAlgorithm::Sha256.digest(signature);
        let request = TimestampRequest::new(imprint, Some(nonce), true);
        let response = self.server.request_timestamp(request.to_der()).await;
        let response = response.map_err(SignError::Server)?;
        verify_reply(&response, &request, &self.trust.timestamp_authorities)
            .map_err(SignError::Timestamp)?;
        Ok(response)
    }
}

/// Claims of the token, not verified: the server verifies it, and the signer only needs to know what
/// to ask for and what to expect.
#[derive(Deserialize)]
struct UnverifiedClaims {
    iss: String,
    sub: String,
    email: Option<String>,
}

impl UnverifiedClaims {
    fn parse(token: &RawToken) -> Option<Self> {
        let payload = token.expose().split('.').nth(1)?;
        serde_json::from_slice(&from_base64url(payload).ok()?).ok()
    }

    /// The text over which the proof of possession is made.
    fn challenge(&self) -> &str {
        self.email.as_deref().unwrap_or(&self.sub)
    }

    /// Exactly the identity that the token names, so that the server cannot return a certificate and
    /// an entry of another signer. None if a claim is empty.
    fn expectation(&self) -> Option<Expectation> {
        let names = self.email.iter().chain([&self.sub]);
        let matchers: Result<Vec<_>, _> = names
            .map(|name| IdentityMatcher::exact(self.iss.as_str(), name.as_str()))
            .collect();
        let policy = Policy::any_of(matchers.ok()?).ok()?;
        Some(Expectation::Identity(policy))
    }
}

#[cfg(test)]
mod tests;
