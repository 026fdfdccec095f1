//! The roster of an instance that was never started.

use super::*;
use crate::protocol::keys::{KeyAlgorithm, SigningKey};
use crate::protocol::note::NoteKey;
use crate::protocol::x509::testing::TestAuthority;

/// A roster with two certificates of the CA, three of the TSA, and two issuers.
pub(crate) fn roster() -> Roster {
    let ca = TestAuthority::new("CA");
    let tsa = TestAuthority::new("TSA");
    let url = Origin::parse("https://sign.example:8477").unwrap();
    let validity = Validity {
        start: UnixTime::from_rfc3339("2026-01-01T00:00:00Z").unwrap(),
        end: None,
    };
    let log = |id, role, path: &str, algorithm, document| {
        let key = SigningKey::generate(algorithm).unwrap().0;
        let key = key.public_key().clone();
        let note_key = NoteKey::new("sign.example", key.clone()).unwrap();
        LogDescription {
            id,
            role,
            state: LogState::Active,
            url: url.join(path),
            origin: "sign.example".to_owned(),
            log_id: match role {
                LogRole::Ct => key.fingerprint(),
                LogRole::RekorV1 | LogRole::RekorV2 => *note_key.hash(),
            },
            key,
            validity,
            document,
        }
    };
    let authority = |name, role, path: &str, chain, document| AuthorityDescription {
        name,
        role,
        url: url.join(path),
        chain,
        validity,
        document,
    };
    let (p256, ed25519) = (KeyAlgorithm::P256, KeyAlgorithm::Ed25519);
    Roster {
        operator: "example".to_owned(),
        issuers: vec![
            "https://login.example".to_owned(),
            "https://sign.example:8477".to_owned(),
        ],
        logs: vec![
            log(LogId::CT, LogRole::Ct, "/ct", p256, "ctlog.pem"),
            log(LogId::REKOR_V1, LogRole::RekorV1, "", p256, "rekor-v1.pem"),
            log(
                LogId::REKOR_V2,
                LogRole::RekorV2,
                "",
                ed25519,
                "rekor-v2.pem",
            ),
        ],
        authorities: vec![
            authority(
                "certificate-authority",
                AuthorityRole::Certificates,
                "",
                vec![ca.intermediate, ca.root],
                "fulcio-chain.pem",
            ),
            authority(
                "timestamp-authority",
                AuthorityRole::Timestamps,
                "/api/v1/timestamp",
                vec![tsa.signed_leaf(), tsa.intermediate, tsa.root],
                "tsa-chain.pem",
            ),
        ],
        public_url: url,
    }
}

/// The same with the logs of a role frozen.
pub(crate) fn frozen(role: LogRole) -> Roster {
    let mut roster = roster();
    let frozen = roster.logs.iter_mut().filter(|log| log.role == role);
    frozen.for_each(|log| log.state = LogState::Frozen);
    roster
}
