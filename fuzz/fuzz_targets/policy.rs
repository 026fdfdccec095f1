//! A policy is equivalent in TOML and JSON; missing, reordered or repeated evidence never permits anything.
#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use signet::testing::{
    Artifact, CertificateEvidence, CertificateIdentity, EntryEvidence, Evidence, KeyDetails,
    KeyEvidence, MAX_BUNDLES, PathEvidence, PolicyDocument, Sha256, Statement, TimeEvidence,
    TimeSource, UnixTime, VerifiedSct,
};

static EVIDENCE: LazyLock<[Evidence; 2]> = LazyLock::new(|| {
    // The CEL interpreter's panics are caught by its caller, so they are not findings.
    std::panic::set_hook(Box::new(|panic| {
        let here = panic
            .location()
            .is_some_and(|place| !place.file().contains("/registry/"));
        if here {
            eprintln!("{panic}");
        }
    }));
    ["ada@example.com", "bob@example.com"].map(signed_by)
});

fuzz_target!(|text: &str| {
    let [ada, bob] = &*EVIDENCE;
    let Ok(document) = PolicyDocument::parse(text) else {
        return;
    };
    let written = serde_json::to_string(&document).expect("a document has text keys");
    let again = PolicyDocument::parse(&written).expect("a serialized document parses");
    assert_eq!(serde_json::to_string(&again).ok(), Some(written));
    let policy = document.check();
    assert_eq!(again.check(), policy);
    let Ok(policy) = policy else {
        return;
    };
    let accepts = |evidence: &[&Evidence]| policy.decide(evidence.iter().copied()).is_ok();
    assert!(!accepts(&[]), "accepted without evidence");
    assert_eq!(
        accepts(&[ada, bob]),
        accepts(&[bob, ada]),
        "the order of the evidence matters"
    );
    assert_eq!(
        accepts(&[ada, ada]),
        accepts(&[ada]),
        "repeated evidence counts twice"
    );
    assert!(!accepts(&vec![ada; MAX_BUNDLES + 1]));
});

fn signed_by(subject: &str) -> Evidence {
    let own = Sha256::of(subject.as_bytes());
    let authority = "https://tsa.example".to_owned();
    let log = "https://log.example".to_owned();
    let time = UnixTime::from_seconds(1_795_177_800);
    let statement = serde_json::json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": Sha256::of(b"artifact").to_hex()}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {"builder": {"id": "x"}, "list": [1, 2.5, null, true]},
    });
    let statement = Statement::parse(statement.to_string().as_bytes());
    Evidence {
        certificate: Some(CertificateEvidence {
            identity: CertificateIdentity {
                issuer: "https://idp.example".to_owned(),
                subject: subject.to_owned(),
            },
            serial: own.as_bytes()[..16].to_vec(),
            path: PathEvidence {
                authority: "https://ca.example".to_owned(),
                anchor: Sha256::of(b"authority"),
                certificate: Sha256::of_parts(&[b"certificate", subject.as_bytes()]),
            },
            claims: BTreeMap::from([("source_repository_ref", "refs/heads/main".to_owned())]),
            scts: vec![VerifiedSct {
                log_id: own,
                log: log.clone(),
                time,
            }],
        }),
        key: KeyEvidence {
            fingerprint: own,
            details: KeyDetails::EcdsaP256Sha256,
        },
        artifact: Artifact::from_bytes(b"artifact"),
        times: vec![TimeEvidence {
            time,
            source: TimeSource::Timestamp,
            authority,
            key: own,
        }],
        entries: vec![EntryEvidence {
            log_id: Sha256::of(log.as_bytes()),
            key: Sha256::of(log.as_bytes()),
            log,
            index: subject.bytes().map(u64::from).sum(),
            tree_size: None,
            kind: "hashedrekord".to_owned(),
            version: "0.0.1".to_owned(),
            key_details: None,
        }],
        statement: Some(statement.expect("a statement of the framework's form")),
    }
}
