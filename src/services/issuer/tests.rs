use super::*;
use crate::doubles::{FixedClock, MemoryLedger, NoKeySource, SYSTEM_RNG, keys};
use crate::protocol::identity::EmailAddress;
use crate::protocol::time::UnixTime;
use crate::services::ledger::Ledger;
use crate::services::oidc::{IdentityVerifier, KeyPolicy, KeySource, RawToken, TokenError};

const NOW: UnixTime = UnixTime::from_millis(1_800_000_000_250);

fn issuer() -> (EmbeddedIssuer, Arc<Accounts>) {
    let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::default());
    let clock = Arc::new(FixedClock(NOW));
    let accounts = Accounts::load(ledger, Arc::<FixedClock>::clone(&clock), SYSTEM_RNG).unwrap();
    let accounts = Arc::new(accounts);
    let key = SigningKey::from_pkcs8(&generate_key().unwrap()).unwrap();
    let url = IssuerUrl::new("http://localhost:8477").unwrap();
    let issuer = EmbeddedIssuer::new(url, key, Arc::clone(&accounts), clock, SYSTEM_RNG).unwrap();
    (issuer, accounts)
}

/// An issuer with an account for `ci@example.com`, and its credentials.
fn issuer_with_account() -> (EmbeddedIssuer, String, ClientSecret) {
    let (issuer, accounts) = issuer();
    let email = EmailAddress::new("ci@example.com").unwrap();
    let added = accounts.add_service(email).unwrap();
    (issuer, added.client_id, added.client_secret)
}

fn verifier(issuer: &EmbeddedIssuer, now: UnixTime) -> IdentityVerifier {
    let source: Arc<dyn KeySource> = Arc::new(NoKeySource);
    IdentityVerifier::new(
        [issuer.as_trusted().unwrap()],
        KeyPolicy::default(),
        &source,
        Arc::new(FixedClock(now)),
    )
}

#[tokio::test]
async fn a_granted_token_names_its_account_until_it_expires() {
    let (issuer, client_id, secret) = issuer_with_account();

    let token = issuer
        .grant_client_credentials(&client_id, secret, Some("sigstore"))
        .await
        .unwrap();

    let raw = RawToken::new(token.jwt.as_str()).unwrap();
    let identity = verifier(&issuer, NOW).verify(&raw).await.unwrap();
    assert_eq!(identity.issuer().as_str(), "http://localhost:8477");
    assert_eq!(identity.subject().as_str(), "ci@example.com");
    assert_eq!(identity.token_subject(), client_id);
    assert_eq!(identity.expires().millis(), 1_800_000_300_000);
    let late = UnixTime::from_millis(1_800_000_300_000);
    let late = verifier(&issuer, late).verify(&raw).await;
    assert_eq!(late.unwrap_err(), TokenError::Expired);
}

#[tokio::test]
async fn a_changed_token_or_another_issuers_token_does_not_verify() {
    let (issuer, ..) = issuer_with_account();
    let account = issuer.accounts.list().remove(0);
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
    let (other_issuer, _) = self::issuer();
    let other = other_issuer.issue(&account).unwrap();
    let refused = verifier
        .verify(&RawToken::new(other.jwt.as_str()).unwrap())
        .await;
    assert_eq!(refused.unwrap_err(), TokenError::UnknownKey);
}

#[tokio::test]
async fn a_token_for_another_audience_is_refused() {
    let (issuer, client_id, secret) = issuer_with_account();

    let refused = issuer
        .grant_client_credentials(&client_id, secret, Some("other"))
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

    let clock = issuer.clock;
    let refused = EmbeddedIssuer::new(issuer.url, keys::p256(), accounts, clock, SYSTEM_RNG).err();

    assert_eq!(refused, Some(IssuerKeyError::NotRsa));
}
