//! The journey of one signature, from an identity token to a verified bundle, over a server's API.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;

use crate::adapters::outbound::instance::{CertificateRequest, InstanceClient};
use crate::adapters::system::{SystemClock, random_bytes};
use crate::protocol::bundle::{Artifact, Bundle, Expectation, TrustedRoot};
use crate::protocol::bytes::{Digest, HashAlgorithm, Sha256, from_base64url};
use crate::protocol::entry::v2::CreateEntryRequest;
use crate::protocol::entry::{RawVerifier, UnverifiedHashedRekord};
use crate::protocol::keys::{EphemeralKey, KeyDetails};
use crate::protocol::policy::{IdentityMatcher, Policy};
use crate::protocol::tsp::{TimestampRequest, verify_reply};
use crate::protocol::x509::Certificate;
use crate::services::oidc::RawToken;
use crate::services::verify::{Report, VerificationService};

/// A server to sign with and an identity to sign as.
pub(super) struct Signer<'a> {
    /// The server.
    pub server: &'a InstanceClient,
    /// What the server's signatures are verified with.
    pub trust: Arc<TrustedRoot>,
    /// Who signs.
    pub token: &'a RawToken,
}

/// A bundle that was verified after it was made.
pub(super) struct Signed {
    /// The bundle
    pub bundle: Bundle,
    /// What its verification found
    pub report: Report,
}

/// A step of the journey that is done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// What was done, in a few words
    pub name: &'static str,
    /// How long it took
    pub took: Duration,
}

impl Signer<'_> {
    /// Signs an artifact and verifies what came of it. The key exists only in here, and its memory
    /// is overwritten at the end.
    ///
    /// # Errors
    /// The server refuses or cannot be reached, or the bundle does not verify.
    pub(super) async fn sign(
        &self,
        artifact: &Artifact,
        mut done: impl FnMut(Step),
    ) -> anyhow::Result<Signed> {
        let mut watch = Stopwatch::start(&mut done);
        let claims = UnverifiedClaims::of(self.token)?;
        let digest = artifact
            .digest(HashAlgorithm::Sha256)
            .context("no SHA-256 digest")?
            .clone();
        let key = EphemeralKey::generate()?;
        watch.lap("made a key for this signature alone");

        let leaf = self.request_certificate(&key, &claims).await?;
        watch.lap("got a certificate, which is in the certificate log");

        let signature = key.sign_digest(&Sha256::try_from(digest.as_bytes())?)?;
        drop(key);
        watch.lap("signed, and threw the key away");

        let timestamp = self.request_timestamp(&signature).await?;
        watch.lap("got a timestamp over the signature");

        let entry = self.append_entry(&digest, &signature, &leaf).await?;
        watch.lap("wrote the signature into the log");

        let bundle = Bundle::for_message(&leaf, digest, signature, &entry, timestamp)
            .context("the log's reply is no entry")?;
        let report = self.verify(&bundle, artifact, &claims)?;
        watch.lap("verified the bundle");
        Ok(Signed { bundle, report })
    }

    async fn request_certificate(
        &self,
        key: &EphemeralKey,
        claims: &UnverifiedClaims,
    ) -> anyhow::Result<Certificate> {
        let pem = key.public_key().to_pem();
        let proof = key.sign(claims.challenge().as_bytes())?;
        let request = CertificateRequest {
            pem: &pem,
            proof: &proof,
        };
        let chain = self
            .server
            .request_certificate(self.token.expose(), &request)
            .await?;
        let leaf = chain.first().context("the server sent no certificate")?;
        let leaf =
            Certificate::from_pem(leaf).context("the server's certificate cannot be read")?;
        ensure!(
            leaf.public_key() == key.public_key(),
            "the certificate is for another key"
        );
        Ok(leaf)
    }

    async fn request_timestamp(&self, signature: &[u8]) -> anyhow::Result<Vec<u8>> {
        let nonce = u64::from_be_bytes(random_bytes()?);
        let imprint = HashAlgorithm::Sha256.digest(signature);
        let request = TimestampRequest::new(imprint, Some(nonce), true);
        let response = self.server.request_timestamp(request.to_der()).await?;
        verify_reply(&response, &request, &self.trust.timestamp_authorities)
            .context("the server's timestamp is refused")?;
        Ok(response)
    }

    async fn append_entry(
        &self,
        digest: &Digest,
        signature: &[u8],
        leaf: &Certificate,
    ) -> anyhow::Result<Vec<u8>> {
        let entry = UnverifiedHashedRekord::new(
            digest.as_bytes().to_vec(),
            signature.to_vec(),
            RawVerifier::Certificate(leaf.der().to_vec()),
            KeyDetails::EcdsaP256Sha256,
        )?;
        Ok(self
            .server
            .append_entry(&CreateEntryRequest::from(&entry))
            .await?)
    }

    /// Expects exactly whom the token names: a server cannot answer with somebody else's entry.
    fn verify(
        &self,
        bundle: &Bundle,
        artifact: &Artifact,
        claims: &UnverifiedClaims,
    ) -> anyhow::Result<Report> {
        let names = claims.email.iter().chain([&claims.sub]);
        let matchers: Result<Vec<_>, _> = names
            .map(|name| IdentityMatcher::exact(claims.iss.as_str(), name.as_str()))
            .collect();
        let expectation = Expectation::Identity(Policy::any_of(matchers?)?);
        let service = VerificationService::new(Arc::clone(&self.trust), Arc::new(SystemClock));
        let report = service.verify_bundle(bundle, artifact, &expectation);
        if !report.verified {
            bail!(
                "what was signed does not verify: {}",
                report.reason.unwrap_or_default()
            );
        }
        Ok(report)
    }
}

/// What a token says of itself. The server verifies it; here it only tells what to ask for.
#[derive(Deserialize)]
struct UnverifiedClaims {
    iss: String,
    sub: String,
    email: Option<String>,
}

impl UnverifiedClaims {
    fn of(token: &RawToken) -> anyhow::Result<Self> {
        let payload = token.expose().split('.').nth(1).unwrap_or_default();
        let payload = from_base64url(payload).context("the identity token is no JWT")?;
        serde_json::from_slice(&payload).context("the identity token has no iss and sub")
    }

    /// What the proof of possession is made over.
    fn challenge(&self) -> &str {
        self.email.as_deref().unwrap_or(&self.sub)
    }
}

struct Stopwatch<'a> {
    since: Instant,
    done: &'a mut dyn FnMut(Step),
}

impl<'a> Stopwatch<'a> {
    fn start(done: &'a mut dyn FnMut(Step)) -> Self {
        Self {
            since: Instant::now(),
            done,
        }
    }

    fn lap(&mut self, name: &'static str) {
        let took = self.since.elapsed();
        self.since = Instant::now();
        (self.done)(Step { name, took });
    }
}
