use crate::services::ca::material::GeneratedCa;
use crate::services::ctlog::submit::PromiseFuture;
use std::sync::Mutex;

use super::*;
use crate::log::AppendError;
use crate::protocol::identity::{EmailAddress, IssuerUrl, SubjectName};
use crate::protocol::keys::{KeyAlgorithm, PublicKey, SigningKey};
use crate::protocol::time::Validity;
use crate::protocol::x509::extensions::POISON;
use crate::protocol::x509::sct::SignedCertificateTimestamp;
use crate::protocol::x509::{
    TrustedAuthority, TrustedCtLog, VerifiedSct, verify_path, verify_scts,
};

const NOW: UnixTime = UnixTime::from_seconds(1_767_225_600);
const TEN_MINUTES: Duration = Duration::from_secs(600);

struct FixedClock(UnixTime);

impl Clock for FixedClock {
    fn now(&self) -> UnixTime {
        self.0
    }
}

/// Keeps what it is given and promises it, or refuses.
struct MemoryLog {
    key: SigningKey,
    entries: Mutex<Vec<Vec<u8>>>,
    refuses: Option<AppendError>,
}

impl MemoryLog {
    fn new(refuses: Option<AppendError>) -> Arc<Self> {
        let (key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
        Arc::new(Self {
            key,
            entries: Mutex::default(),
            refuses,
        })
    }

    fn trusted(&self) -> TrustedCtLog {
        TrustedCtLog {
            base_url: "https://ct.example".to_owned(),
            key: self.key.public_key().clone(),
            validity: Validity {
                start: NOW,
                end: None,
            },
        }
    }
}

impl PrecertificateLog for MemoryLog {
    fn add_precertificate<'a>(&'a self, precertificate: Precertificate<'a>) -> PromiseFuture<'a> {
        Box::pin(async move {
            if let Some(refusal) = self.refuses.clone() {
                return Err(refusal.into());
            }
            let mut entries = self.entries.lock().unwrap();
            entries.push(precertificate.der.to_vec());
            Ok(Promise {
                sct: SignedCertificateTimestamp::sign(&self.key, precertificate.entry, NOW)?,
                leaf_index: entries.len() as u64 - 1,
            })
        })
    }
}

fn generated() -> GeneratedCa {
    let serials = [1, 2].map(|byte| SerialNumber::from_random([byte; 20]));
    CaMaterial::generate("Example", "Example root", NOW, serials).unwrap()
}

fn material(generated: &GeneratedCa) -> CaMaterial {
    let key = SigningKey::from_pkcs8(&generated.key).unwrap();
    CaMaterial::new(generated.chain(), key).unwrap()
}

fn authority(log: &Arc<MemoryLog>, now: UnixTime, lifetime: Duration) -> CertificateAuthority {
    CertificateAuthority::new(
        material(&generated()),
        Arc::clone(log) as Arc<dyn PrecertificateLog>,
        Arc::new(FixedClock(now)),
        || Some([7; 20]),
        lifetime,
    )
}

fn alice() -> Principal {
    let email = EmailAddress::new("alice@example.com").unwrap();
    Principal::new(
        IssuerUrl::new("https://idp.example").unwrap(),
        SubjectName::Email(email),
        "user-1".to_owned(),
    )
    .unwrap()
}

fn proven_key() -> ProvenKey {
    let (key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
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

fn verify(ca: &CertificateAuthority, log: &MemoryLog, issued: &Issued) -> Vec<VerifiedSct> {
    let trusted = TrustedAuthority {
        uri: "https://ca.example".to_owned(),
        chain: ca.chain().to_vec(),
        validity: Validity {
            start: NOW,
            end: None,
        },
    };
    let path = verify_path(&issued.certificate, &trusted, NOW).unwrap();
    verify_scts(&issued.certificate, &path, &[log.trusted()]).unwrap()
}

#[tokio::test]
async fn a_certificate_that_is_issued_verifies_and_is_in_the_log() {
    let log = MemoryLog::new(None);
    let ca = authority(&log, UnixTime::from_millis(NOW.millis() + 999), TEN_MINUTES);

    let issued = ca.certify(&alice(), &proven_key()).await.unwrap();

    assert_eq!(verify(&ca, &log, &issued).len(), 1);
    let expected = Validity {
        start: NOW,
        end: Some(NOW.after(TEN_MINUTES)),
    };
    assert_eq!(issued.certificate.validity(), expected);
    let entries = log.entries.lock().unwrap();
    let logged = Certificate::from_der(&entries[0]).unwrap();
    assert_eq!(logged.serial(), issued.certificate.serial());
    assert_eq!(logged.extensions().all().last().unwrap().id, POISON);
    assert!(logged.extensions().all().last().unwrap().critical);
}

#[tokio::test]
async fn without_the_logs_promise_no_certificate_leaves() {
    for refusal in [
        AppendError::Overloaded,
        AppendError::Stopped,
        AppendError::ReadOnly { missing: 1 },
    ] {
        let log = MemoryLog::new(Some(refusal.clone()));

        let refused = authority(&log, NOW, TEN_MINUTES)
            .certify(&alice(), &proven_key())
            .await
            .unwrap_err();

        let IssueError::Log(CtError::Append(cause)) = refused else {
            panic!("refused for another reason: {refused}");
        };
        assert_eq!(cause, refusal);
    }
}

#[tokio::test]
async fn a_certificate_begins_before_the_earliest_moment_of_its_first_timestamp() {
    let log = MemoryLog::new(None);
    // A timestamp of the second of issuing may mean the second before: its accuracy is one second.
    for (age, head_start) in [(0, 0), (1, 1), (2, 2), (3, 2), (3600, 2)] {
        let now = NOW.after(Duration::from_secs(age));
        let ca = authority(&log, now, TEN_MINUTES);

        let issued = ca.certify(&alice(), &proven_key()).await.unwrap();

        let expected = Validity {
            start: now.before(Duration::from_secs(head_start)),
            end: Some(now.after(TEN_MINUTES)),
        };
        assert_eq!(issued.certificate.validity(), expected);
    }
}

#[tokio::test]
async fn a_certificate_never_outlives_its_authority() {
    let ten_years = Duration::from_secs(315_576_000);
    let end = NOW.after(ten_years);
    let log = MemoryLog::new(None);
    let last = end.before(TEN_MINUTES);

    for (now, allowed) in [
        (NOW, true),
        (NOW.before(Duration::from_secs(1)), false),
        (last, true),
        (last.after(Duration::from_secs(1)), false),
        (end.after(TEN_MINUTES), false),
    ] {
        let ca = authority(&log, now, TEN_MINUTES);
        let result = ca.certify(&alice(), &proven_key()).await;

        assert_eq!(result.is_ok(), allowed, "{now}");
        assert_eq!(ca.check_validity(now).is_ok(), allowed);
        if let Err(error) = result {
            assert!(matches!(error, IssueError::OutsideAuthority(_)));
        }
    }
}

#[tokio::test]
async fn without_randomness_there_is_no_certificate() {
    let log = MemoryLog::new(None);
    let mut ca = authority(&log, NOW, TEN_MINUTES);
    ca.random_serial = || None;

    let refused = ca.certify(&alice(), &proven_key()).await.unwrap_err();

    assert!(matches!(refused, IssueError::NoRandomness));
    assert!(log.entries.lock().unwrap().is_empty());
}

#[test]
fn a_generated_authority_has_the_certificates_of_the_contract() {
    let generated = generated();
    let material = material(&generated);
    let (root, intermediate) = (&generated.root, &generated.intermediate);

    assert_eq!(root.public_key().algorithm(), KeyAlgorithm::P384);
    assert_eq!(intermediate.public_key().algorithm(), KeyAlgorithm::P256);
    assert!(root.is_self_issued());
    assert_eq!(root.extensions().extended_key_usage(), None);
    assert_eq!(intermediate.extensions().path_length(), Some(0));
    assert_eq!(root.validity(), intermediate.validity());
    assert_eq!(material.chain(), [intermediate.clone(), root.clone()]);
    for certificate in material.chain() {
        let usage = certificate.extensions().key_usage().unwrap();
        assert!(usage.key_cert_sign() && usage.crl_sign());
    }
}

#[test]
fn certificates_and_keys_that_do_not_belong_together_are_refused() {
    let one = generated();
    let other = generated();
    let key = || SigningKey::from_pkcs8(&one.key).unwrap();
    let refusal = |chain, key| CaMaterial::new(chain, key).unwrap_err();

    assert!(matches!(
        refusal(Vec::new(), key()),
        MaterialError::NoCertificate
    ));
    assert!(matches!(
        refusal(other.chain(), key()),
        MaterialError::KeyMismatch
    ));
    let mixed = vec![one.intermediate.clone(), other.root.clone()];
    assert!(matches!(
        refusal(mixed, key()),
        MaterialError::BrokenChain(0)
    ));
    let rootless = vec![one.intermediate.clone()];
    assert!(matches!(
        refusal(rootless, key()),
        MaterialError::BrokenChain(0)
    ));
    let below_itself = vec![one.intermediate.clone(), one.intermediate.clone()];
    assert!(CaMaterial::new(below_itself, key()).is_err());
    let root_key = SigningKey::from_pkcs8(&one.root_key).unwrap();
    assert!(CaMaterial::new(vec![one.root.clone()], root_key).is_ok());
}

#[test]
fn an_authority_with_an_ed25519_key_is_refused() {
    use crate::protocol::x509::profile::{AuthorityName, AuthorityProfile, authority_certificate};
    let (key, _) = SigningKey::generate(KeyAlgorithm::Ed25519).unwrap();
    let root = authority_certificate(&AuthorityProfile {
        subject: &AuthorityName::new("Example", "Root").unwrap(),
        key: key.public_key(),
        issuer: None,
        purpose: None,
        path_length: None,
        serial: SerialNumber::from_random([1; 20]),
        lifetime: Lifetime {
            not_before: NOW,
            not_after: NOW.after(TEN_MINUTES),
        },
    })
    .unwrap()
    .sign_certificate(&key)
    .unwrap();

    let refused = CaMaterial::new(vec![root], key).unwrap_err();

    assert!(matches!(
        refused,
        MaterialError::KeyKind(KeyAlgorithm::Ed25519)
    ));
}

#[test]
fn a_leaf_cannot_stand_in_for_an_authority() {
    let generated = generated();
    let (key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let leaf = signing_certificate(
        &alice(),
        key.public_key(),
        material(&generated).issuer(),
        SerialNumber::from_random([1; 20]),
        Lifetime {
            not_before: NOW,
            not_after: NOW.after(TEN_MINUTES),
        },
    )
    .unwrap()
    .sign_certificate(&SigningKey::from_pkcs8(&generated.key).unwrap())
    .unwrap();
    let chain = vec![leaf, generated.intermediate, generated.root];

    let refused = CaMaterial::new(chain, key).unwrap_err();

    assert!(matches!(refused, MaterialError::NotAnAuthority(0, _)));
}

#[test]
fn a_key_is_read_from_pem_however_it_is_wrapped_and_from_der() {
    let (key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
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
fn what_is_wrong_with_a_key_is_told_apart() {
    let (key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let refuse = |request: KeyRequest| request.verify(&["alice@example.com"]).unwrap_err();
    let with_key = |key: &str| KeyRequest::PublicKey {
        key: key.to_owned(),
        proof: vec![1],
    };
    // secp256k1, which no one here accepts.
    let foreign = "MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEeb5mfvncu6xVoGKVzocLBwKb/NstzijZ\
                   WfKBWxb4F5hIOtp3JqPEZV2k+/wOEQio/Re0SKaFVBmcR9CP+xDUuA==";

    assert_eq!(
        refuse(by_challenge(&key, "mallory@example.com")),
        RequestError::Proof
    );
    assert_eq!(refuse(with_key("x?")), RequestError::PublicKey);
    assert_eq!(
        refuse(with_key(&"A".repeat(100_000))),
        RequestError::PublicKey
    );
    assert_eq!(
        refuse(with_key(foreign)),
        RequestError::Insecure(crate::protocol::keys::KeyError::Unsupported)
    );
    assert_eq!(
        refuse(KeyRequest::SigningRequest {
            pem: "x".to_owned()
        }),
        RequestError::SigningRequest
    );
    assert!(PublicKey::from_pem(&key.public_key().to_pem()).is_ok());
}
