use std::sync::Mutex;

use super::*;
use crate::doubles::{FixedClock, SYSTEM_RNG, keys};
use crate::protocol::bytes::to_base64url;
use crate::protocol::x509::testing::{NOW, TestAuthority};

#[derive(Debug, thiserror::Error)]
#[error("refused")]
struct Refused;

/// How the server answers a request for a certificate.
enum Certify {
    Key,
    OtherKey,
    Nothing,
}

/// Issues certificates, and answers timestamp requests with fixed bytes, if at all.
struct FakeServer {
    certify: Certify,
    timestamp: Option<&'static [u8]>,
    proofs: Mutex<Vec<(PublicKey, Vec<u8>)>>,
}

impl SigningServer for FakeServer {
    type Error = Refused;

    async fn request_certificate(
        &self,
        _: &RawToken,
        key: &PublicKey,
        proof: &[u8],
    ) -> Result<Vec<String>, Refused> {
        let proofs = &mut self.proofs.lock().unwrap();
        proofs.push((key.clone(), proof.to_vec()));
        let other = keys::p256();
        let key = match self.certify {
            Certify::Key => key,
            Certify::OtherKey => other.public_key(),
            Certify::Nothing => return Ok(Vec::new()),
        };
        let authority = TestAuthority::new("CA");
        let leaf = authority.leaf(key).sign_certificate(&authority.key);
        Ok(vec![leaf.unwrap().to_pem()])
    }

    async fn request_timestamp(&self, _: Vec<u8>) -> Result<Vec<u8>, Refused> {
        self.timestamp.map(<[u8]>::to_vec).ok_or(Refused)
    }

    async fn append_entry(&self, _: &UnverifiedHashedRekord) -> Result<Vec<u8>, Refused> {
        Err(Refused)
    }
}

fn signer(certify: Certify, timestamp: Option<&'static [u8]>) -> Signer<FakeServer> {
    Signer {
        server: FakeServer {
            certify,
            timestamp,
            proofs: Mutex::default(),
        },
        trust: Arc::new(TrustedRoot {
            logs: Vec::new(),
            authorities: Vec::new(),
            ct_logs: Vec::new(),
            timestamp_authorities: Vec::new(),
            unsupported_logs: Vec::new(),
        }),
        clock: Arc::new(FixedClock(NOW)),
        rng: SYSTEM_RNG,
    }
}

fn token(claims: &str) -> RawToken {
    RawToken::new(format!("e30.{}.AA", to_base64url(claims.as_bytes()))).unwrap()
}

async fn sign(
    signer: &Signer<FakeServer>,
    claims: &str,
) -> (Vec<Step>, Result<Signed, SignError<Refused>>) {
    let artifact = Artifact::from_bytes(b"artifact");
    let mut steps = Vec::new();
    let result = signer
        .sign(&token(claims), &artifact, |step| steps.push(step))
        .await;
    (steps, result)
}

const ALICE: &str = r#"{"iss":"https://a.example","sub":"1","email":"alice@example.com"}"#;
const JOB: &str = r#"{"iss":"https://a.example","sub":"https://a.example/job"}"#;

#[tokio::test]
async fn a_token_without_the_needed_claims_is_refused_before_the_server_is_asked() {
    let signer = signer(Certify::Key, None);
    for claims in [
        "not JSON",
        "{}",
        r#"{"iss":"https://a.example"}"#,
        r#"{"iss":"","sub":"1"}"#,
    ] {
        let (steps, result) = sign(&signer, claims).await;

        assert!(matches!(result, Err(SignError::Token)), "{claims}");
        assert!(steps.is_empty());
    }
    assert!(signer.server.proofs.lock().unwrap().is_empty());
}

#[tokio::test]
async fn possession_is_proved_over_the_email_address_or_else_over_the_subject() {
    for (claims, challenge) in [(ALICE, "alice@example.com"), (JOB, "https://a.example/job")] {
        let signer = signer(Certify::Key, None);

        let _ = sign(&signer, claims).await;

        let proofs = signer.server.proofs.lock().unwrap();
        let (key, proof) = proofs.first().unwrap();
        assert!(key.verify_message(challenge.as_bytes(), proof).is_ok());
    }
}

#[tokio::test]
async fn an_empty_chain_and_a_certificate_for_another_key_are_refused() {
    let (_, nothing) = sign(&signer(Certify::Nothing, None), ALICE).await;
    let (steps, other) = sign(&signer(Certify::OtherKey, None), ALICE).await;

    assert!(matches!(nothing, Err(SignError::NoCertificate)));
    assert!(matches!(other, Err(SignError::OtherKey)));
    assert_eq!(steps, [Step::KeyGenerated]);
}

#[tokio::test]
async fn signing_ends_with_the_first_refusal_of_the_server_and_with_a_bad_timestamp() {
    let (steps, refused) = sign(&signer(Certify::Key, None), ALICE).await;
    let (_, bad) = sign(&signer(Certify::Key, Some(b"not a token")), ALICE).await;

    assert!(matches!(refused, Err(SignError::Server(Refused))));
    assert_eq!(
        steps,
        [
            Step::KeyGenerated,
            Step::CertificateIssued,
            Step::ArtifactSigned
        ]
    );
    assert!(matches!(bad, Err(SignError::Timestamp(_))));
}
