use super::*;
use crate::doubles::{FixedClock, NO_RNG, SYSTEM_RNG, keys};
use crate::log::{AppendError, Limits};
use crate::protocol::keys::{PublicKey, SigningKey};
use crate::protocol::time::Validity;
use crate::protocol::x509::extensions::POISON;
use crate::protocol::x509::sct::PrecertChain;
use crate::protocol::x509::testing::{NOW, alice};
use crate::protocol::x509::{
    TrustedAuthority, TrustedCtLog, VerifiedSct, verify_path, verify_scts,
};
use crate::services::authority::NewAuthority;
use crate::services::ctlog::tests::log_of;
use crate::services::roster::AuthorityRole;

const TEN_MINUTES: Duration = Duration::from_secs(600);

fn generated() -> NewAuthority {
    let serials = [1, 2].map(|byte| SerialNumber::from_random([byte; 20]));
    let role = AuthorityRole::Certificates;
    Authority::generate(role, "Example", "Example root", NOW, serials).unwrap()
}

/// A log with a fixed clock.
fn log_at(now: UnixTime, limits: Limits) -> Arc<CtLog> {
    Arc::new(log_of(Arc::new(FixedClock(now)), Vec::new(), limits))
}

fn authority(log: &Arc<CtLog>, now: UnixTime, lifetime: Duration) -> CertificateAuthority {
    let generated = generated();
    let key = SigningKey::from_pkcs8(&generated.key).unwrap();
    CertificateAuthority::new(
        Authority::new(AuthorityRole::Certificates, generated.chain, key).unwrap(),
        Arc::clone(log),
        Arc::new(FixedClock(now)),
        SYSTEM_RNG,
        lifetime,
    )
    .unwrap()
}

fn proven_key() -> ProvenKey {
    let key = keys::p256();
    by_challenge(&key, "alice@example.com")
        .verify(&["alice@example.com"])
        .unwrap()
}

fn by_challenge(key: &SigningKey, challenge: &str) -> KeyRequest {
    KeyRequest::PublicKey {
        key: key.public_key().to_pem(),
        proof: key.sign(challenge.as_bytes()).unwrap(),
    }
}

fn verify(ca: &CertificateAuthority, log: &CtLog, issued: &Issued) -> Vec<VerifiedSct> {
    let trusted = TrustedAuthority {
        uri: "https://ca.example".to_owned(),
        chain: ca.chain().to_vec(),
        validity: Validity {
            start: NOW,
            end: None,
        },
    };
    let trusted_log = TrustedCtLog {
        base_url: "https://ct.example".to_owned(),
        key: log.key().clone(),
        validity: trusted.validity,
    };
    let path = verify_path(&issued.certificate, &trusted, NOW).unwrap();
    verify_scts(&issued.certificate, &path, &[trusted_log]).unwrap()
}

#[tokio::test]
async fn a_certificate_that_is_issued_verifies_and_is_in_the_log() {
    let log = log_at(NOW, Limits::default());
    let ca = authority(&log, UnixTime::from_millis(NOW.millis() + 999), TEN_MINUTES);

    let issued = ca.certify(alice(), &proven_key()).await.unwrap();

    assert_eq!(verify(&ca, &log, &issued).len(), 1);
    let expected = Validity {
        start: NOW,
        end: Some(NOW.after(TEN_MINUTES)),
    };
    assert_eq!(issued.certificate.validity(), expected);
    let entries = log.entries(0, 0).unwrap();
    let logged = PrecertChain::parse(&entries[0].extra_data).unwrap();
    let logged = Certificate::from_der(logged.precertificate).unwrap();
    assert_eq!(logged.serial(), issued.certificate.serial());
    assert_eq!(logged.extensions().all().last().unwrap().id, POISON);
    assert!(logged.extensions().all().last().unwrap().critical);
}

#[tokio::test]
async fn no_certificate_is_issued_without_an_sct() {
    let full = log_at(
        NOW,
        Limits {
            pool_entries: 0,
            ..Limits::default()
        },
    );
    let stopped = log_at(NOW, Limits::default());
    stopped.log().drain().await;
    for (log, refusal) in [
        (full, AppendError::Overloaded),
        (stopped, AppendError::Stopped),
    ] {
        let refused = authority(&log, NOW, TEN_MINUTES)
            .certify(alice(), &proven_key())
            .await
            .unwrap_err();

        let IssueError::Log(CtSubmitError::Append(cause)) = refused else {
            panic!("refused for another reason: {refused}");
        };
        assert_eq!(cause, refusal);
    }
}

#[tokio::test]
async fn a_certificate_is_valid_at_the_earliest_time_of_a_timestamp_of_the_same_second() {
    let log = log_at(NOW, Limits::default());
    // A timestamp has an accuracy of one second, so its earliest time is a second before issuance.
    for (age, head_start) in [(0, 0), (1, 1), (2, 2), (3, 2), (3600, 2)] {
        let now = NOW.after(Duration::from_secs(age));
        let ca = authority(&log, now, TEN_MINUTES);

        let issued = ca.certify(alice(), &proven_key()).await.unwrap();

        let expected = Validity {
            start: now.before(Duration::from_secs(head_start)),
            end: Some(now.after(TEN_MINUTES)),
        };
        assert_eq!(issued.certificate.validity(), expected);
    }
}

#[tokio::test]
async fn a_certificate_never_exceeds_the_validity_of_its_authority() {
    let ten_years = Duration::from_secs(315_576_000);
    let end = NOW.after(ten_years);
    let log = log_at(NOW, Limits::default());
    let last = end.before(TEN_MINUTES);

    for (now, allowed) in [
        (NOW, true),
        (NOW.before(Duration::from_secs(1)), false),
        (last, true),
        (last.after(Duration::from_secs(1)), false),
        (end.after(TEN_MINUTES), false),
    ] {
        let ca = authority(&log, now, TEN_MINUTES);
        let result = ca.certify(alice(), &proven_key()).await;

        assert_eq!(result.is_ok(), allowed, "{now}");
        assert_eq!(ca.check_validity(now).is_ok(), allowed);
        if let Err(error) = result {
            assert!(matches!(error, IssueError::OutsideAuthority(_)));
        }
    }
}

#[tokio::test]
async fn no_certificate_is_issued_without_randomness() {
    let log = log_at(NOW, Limits::default());
    let mut ca = authority(&log, NOW, TEN_MINUTES);
    ca.rng = NO_RNG;

    let refused = ca.certify(alice(), &proven_key()).await.unwrap_err();

    assert!(matches!(refused, IssueError::Random(_)));
    assert_eq!(log.log().head().size.get(), 0);
}

#[test]
fn a_key_is_read_from_der_and_from_pem_with_any_line_length() {
    let key = keys::p256();
    let der = crate::protocol::bytes::to_base64(key.public_key().spki_der());
    let unwrapped = format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----");
    for text in [key.public_key().to_pem(), der, unwrapped] {
        let request = KeyRequest::PublicKey {
            key: text,
            proof: key.sign(b"user-1").unwrap(),
        };
        let proven = request.verify(&["alice@example.com", "user-1"]).unwrap();
        assert_eq!(proven.public_key(), key.public_key());
    }
}

#[test]
fn each_fault_of_a_key_has_its_own_error() {
    let key = keys::p256();
    let refuse = |request: KeyRequest| request.verify(&["alice@example.com"]).unwrap_err();
    let with_key = |key: &str| KeyRequest::PublicKey {
        key: key.to_owned(),
        proof: vec![1],
    };
    // secp256k1, which is not accepted.
    let foreign = "MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEeb5mfvncu6xVoGKVzocLBwKb/NstzijZ\
                   WfKBWxb4F5hIOtp3JqPEZV2k+/wOEQio/Re0SKaFVBmcR9CP+xDUuA==";

    assert_eq!(
        refuse(by_challenge(&key, "mallory@example.com")),
        KeyRequestError::Proof
    );
    assert_eq!(refuse(with_key("x?")), KeyRequestError::PublicKey);
    assert_eq!(
        refuse(with_key(&"A".repeat(100_000))),
        KeyRequestError::PublicKey
    );
    assert_eq!(
        refuse(with_key(foreign)),
        KeyRequestError::Insecure(crate::protocol::keys::KeyError::Unsupported)
    );
    assert_eq!(
        refuse(KeyRequest::SigningRequest {
            pem: "x".to_owned()
        }),
        KeyRequestError::SigningRequest
    );
    assert!(PublicKey::from_pem(&key.public_key().to_pem()).is_ok());
}
