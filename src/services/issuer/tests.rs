use futures_util::future::BoxFuture;

use super::*;
use crate::protocol::identity::EmailAddress;
use crate::protocol::keys::KeyAlgorithm;
use crate::protocol::time::UnixTime;
use crate::services::account::tests::{MemoryLedger, random};
use crate::services::ledger::Ledger;
use crate::services::oidc::{
    FetchError, IdentityVerifier, KeyPolicy, KeySource, RawToken, TokenError,
};

struct At(u64);

impl Clock for At {
    fn now(&self) -> UnixTime {
        UnixTime::from_millis(self.0)
    }
}

/// A source that must not be asked: the embedded issuer's keys are handed over.
struct NoSource;

impl KeySource for NoSource {
    fn fetch<'a>(&'a self, _: &'a IssuerUrl) -> BoxFuture<'a, Result<IssuerKeys, FetchError>> {
        Box::pin(async { Err(FetchError::NotConfigured) })
    }
}

const NOW: u64 = 1_800_000_000_250;

fn issuer() -> (EmbeddedIssuer, Arc<Accounts>) {
    let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::default());
    let accounts = Arc::new(Accounts::load(ledger, Arc::new(At(NOW)), random).unwrap());
    let key = SigningKey::from_pkcs8(&generate_key().unwrap()).unwrap();
    let url = IssuerUrl::new("http://localhost:8477").unwrap();
    let issuer =
        EmbeddedIssuer::new(url, key, Arc::clone(&accounts), Arc::new(At(NOW)), random).unwrap();
    (issuer, accounts)
}

fn verifier(issuer: &EmbeddedIssuer, millis: u64) -> IdentityVerifier {
    let source: Arc<dyn KeySource> = Arc::new(NoSource);
    IdentityVerifier::new(
        [issuer.as_trusted().unwrap()],
        KeyPolicy::default(),
        &source,
        Arc::new(At(millis)),
    )
}

#[tokio::test]
async fn a_granted_token_names_its_account_until_it_expires() {
    let (issuer, accounts) = issuer();
    let made = accounts
        .add_service(EmailAddress::new("ci@example.com").unwrap())
        .unwrap();
    let secret = ClientSecret::presented(made.client_secret.reveal()).unwrap();

    let token = issuer
        .grant_client_credentials(&made.client_id, secret, Some("sigstore"))
        .await
        .unwrap();

    let raw = RawToken::new(token.jwt.as_str()).unwrap();
    let identity = verifier(&issuer, NOW).verify(&raw).await.unwrap();
    assert_eq!(identity.issuer().as_str(), "http://localhost:8477");
    assert_eq!(identity.subject().as_str(), "ci@example.com");
    assert_eq!(identity.token_subject(), made.client_id);
    assert_eq!(identity.expires().millis(), 1_800_000_300_000);
    let late = verifier(&issuer, 1_800_000_300_000).verify(&raw).await;
    assert_eq!(late.unwrap_err(), TokenError::Expired);
}

#[tokio::test]
async fn a_changed_token_or_another_issuers_token_does_not_verify() {
    let (issuer, accounts) = issuer();
    accounts
        .add_service(EmailAddress::new("ci@example.com").unwrap())
        .unwrap();
    let account = accounts.list().remove(0);
    let token = issuer.issue(&account).unwrap();
    let (signed, signature) = token.jwt.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    let claims = crate::protocol::bytes::from_base64url(payload).unwrap();
    let claims = String::from_utf8(claims)
        .unwrap()
        .replace("ci@example.com", "me@example.com");
    let forged = format!("{header}.{}.{signature}", to_base64url(claims.as_bytes()));
    let zeros = format!("{signed}.{}", to_base64url(&[0; 256]));
    let verifier = verifier(&issuer, NOW);

    for text in [forged, zeros] {
        let refused = verifier.verify(&RawToken::new(text).unwrap()).await;
        assert_eq!(refused.unwrap_err(), TokenError::Signature);
    }
    let (stranger, _) = self::issuer();
    let other = stranger.issue(&account).unwrap();
    let refused = verifier
        .verify(&RawToken::new(other.jwt.as_str()).unwrap())
        .await;
    assert_eq!(refused.unwrap_err(), TokenError::UnknownKey);
}

#[tokio::test]
async fn a_token_for_another_audience_is_not_given() {
    let (issuer, accounts) = issuer();
    let made = accounts
        .add_service(EmailAddress::new("ci@example.com").unwrap())
        .unwrap();
    let secret = ClientSecret::presented(made.client_secret.reveal()).unwrap();

    let refused = issuer
        .grant_client_credentials(&made.client_id, secret, Some("other"))
        .await;

    assert_eq!(refused.err(), Some(GrantError::Audience));
}

#[test]
fn the_discovery_document_names_the_issuer_byte_by_byte() {
    let (issuer, _) = issuer();

    let document = issuer.discovery();

    assert_eq!(document["issuer"], "http://localhost:8477");
    assert_eq!(document["jwks_uri"], "http://localhost:8477/oauth2/jwks");
    assert_eq!(
        document["token_endpoint"],
        "http://localhost:8477/oauth2/token"
    );
    assert!(document.get("authorization_endpoint").is_none());
}

#[test]
fn a_key_that_is_not_rsa_is_refused() {
    let (issuer, accounts) = issuer();
    let (key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();

    let refused = EmbeddedIssuer::new(issuer.url, key, accounts, Arc::new(At(NOW)), random).err();

    assert_eq!(refused, Some(IssuerKeyError::NotRsa));
}
