//! This verifier and another one, `sigstore-verify`, on thousands of bundles that were changed in one
//! place: neither may accept a change of meaning, and they must agree. If they do not, [`DIFFERENCES`]
//! says why this one is right.

mod differences;

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;
use signet::testing::{
    Artifact, Authentic, Bundle, Clock, Expectation, IdentityMatcher, Policy, PublicKey,
    SystemClock, TrustedRoot, Verified,
};
use signet::verify::verify;
use sigstore_verify::trust_root::TrustedRoot as TheirTrustedRoot;
use sigstore_verify::types::{Bundle as TheirBundle, DerPublicKey};
use sigstore_verify::{PublicKeyVerificationPolicy, VerificationPolicy, Verifier};

use differences::{DIFFERENCES, Difference};

use crate::conformance::{Case, Signer, cases};
use crate::support::account::EMAIL;
use crate::support::mutate::{Mutation, Mutator};
use crate::support::server::TestServer;
use crate::support::signing;

/// A valid bundle, and what both verifiers need to verify it.
struct Subject {
    name: String,
    document: Value,
    artifact: Vec<u8>,
    ours: (TrustedRoot, Expectation),
    theirs: (Verifier, Policies),
}

enum Policies {
    Identity(VerificationPolicy),
    Key(PublicKeyVerificationPolicy),
}

impl Subject {
    fn new(name: &str, bundle: &[u8], artifact: Vec<u8>, trust: &[u8], signer: &Signer) -> Self {
        let trust_text = std::str::from_utf8(trust).unwrap();
        let theirs = TheirTrustedRoot::from_json(trust_text).unwrap();
        let (expectation, policy) = match signer {
            Signer::Identity { issuer, subject } => {
                let matcher = IdentityMatcher::exact(issuer, subject).unwrap();
                (
                    Expectation::Identity(Policy::any_of([matcher]).unwrap()),
                    Policies::Identity(VerificationPolicy::new(subject, issuer)),
                )
            }
            Signer::Key(pem) => {
                let key = DerPublicKey::from_pem(pem).unwrap();
                (
                    Expectation::Key(PublicKey::from_pem(pem).unwrap()),
                    Policies::Key(PublicKeyVerificationPolicy::new(key)),
                )
            }
        };
        Self {
            name: name.to_owned(),
            document: serde_json::from_slice(bundle).unwrap(),
            artifact,
            ours: (TrustedRoot::from_json(trust).unwrap(), expectation),
            theirs: (Verifier::new(&theirs).unwrap(), policy),
        }
    }

    fn our_verdict(&self, json: &str) -> Result<Verified, String> {
        let bundle =
            Bundle::from_json(json.as_bytes()).map_err(|error| format!("form: {error}"))?;
        let (trust, expectation) = &self.ours;
        let artifact = Artifact::from_bytes(&self.artifact);
        verify(&bundle, &artifact, expectation, trust, SystemClock.now())
            .map_err(|refused| format!("{}: {refused}", refused.reason.code()))
    }

    fn their_verdict(&self, json: &str) -> Result<(), String> {
        let bundle = TheirBundle::from_json(json).map_err(|error| format!("form: {error}"))?;
        let (verifier, policy) = &self.theirs;
        let artifact = self.artifact.as_slice();
        match policy {
            Policies::Identity(policy) => verifier.verify(artifact, &bundle, policy),
            Policies::Key(policy) => verifier.verify(artifact, &bundle, policy),
        }
        .map(drop)
        .map_err(|error| error.to_string())
    }
}

/// What a verified bundle means, without its evidence: signer, artifact, statement.
fn meaning(verified: &Verified) -> String {
    let EvidenceSet { statement, .. } = EvidenceSet::of(verified.authentic());
    format!(
        "{:?} {:?} {statement:?}",
        verified.signer(),
        verified.authentic().evidence().artifact
    )
}

/// The evidence that a change may remove but neither alter nor add.
struct EvidenceSet {
    statement: Option<(String, Option<String>)>,
    evidence: HashSet<String>,
}

impl EvidenceSet {
    fn of(authentic: &Authentic) -> Self {
        let evidence = authentic.evidence();
        let statement = evidence.statement.as_ref().map(|statement| {
            (
                statement.predicate_type().to_owned(),
                statement.predicate().map(str::to_owned),
            )
        });
        let times = evidence.times.iter().map(|time| format!("{time:?}"));
        // With a promise only, the entry is proved in no tree, which is less evidence.
        let entries = evidence.entries.iter().map(|entry| {
            let mut entry = entry.clone();
            entry.tree_size = None;
            format!("{entry:?}")
        });
        let trees = evidence
            .entries
            .iter()
            .filter_map(|entry| Some(format!("{} in {}", entry.index, entry.tree_size?)));
        Self {
            statement,
            evidence: times.chain(entries).chain(trees).collect(),
        }
    }
}

/// The number of changes that were tried, and that were accepted.
#[derive(Default)]
struct Tally {
    tried: AtomicUsize,
    accepted: AtomicUsize,
}

/// Compares the verdicts on one change. Returns the difference that explains a disagreement, or an error if
/// none does.
fn judge(
    subject: &Subject,
    good: &Verified,
    change: &Mutation,
    tally: &Tally,
) -> Result<Option<&'static str>, String> {
    tally.tried.fetch_add(1, Ordering::Relaxed);
    let ours = subject.our_verdict(&change.json);
    if let Ok(verified) = &ours {
        tally.accepted.fetch_add(1, Ordering::Relaxed);
        let (was, is) = (
            EvidenceSet::of(good.authentic()),
            EvidenceSet::of(verified.authentic()),
        );
        // Without the promise, the entry's only index is the one in its proof.
        let same =
            is.evidence.is_subset(&was.evidence) || change.place.ends_with("/inclusionPromise");
        if meaning(verified) != meaning(good) || !same {
            return Err("accepted with another meaning".to_owned());
        }
    }
    let ours = ours.map(drop);
    let theirs = subject.their_verdict(&change.json);
    if ours.is_ok() == theirs.is_ok() {
        return Ok(None);
    }
    let explained = DIFFERENCES
        .iter()
        .find(|difference| difference.explains(change, &ours, &theirs));
    match explained {
        Some(difference) => Ok(Some(difference.name)),
        None => Err(format!("this one: {ours:?}, the other one: {theirs:?}")),
    }
}

fn public_subjects() -> Vec<Subject> {
    cases()
        .into_iter()
        .filter(Case::must_pass)
        .filter_map(|case| {
            let name = case.name.clone();
            let trust = case.trust_json();
            let text = std::str::from_utf8(&trust).unwrap();
            let readable = TheirTrustedRoot::from_json(text)
                .map_err(|error| error.to_string())
                .and_then(|root| Verifier::new(&root).map_err(|error| error.to_string()));
            if let Err(error) = readable {
                println!("{name}: the other verifier refuses the trusted root: {error}");
                return None;
            }
            let signer = case.signer();
            Some(Subject::new(
                &name,
                &case.bundle(),
                case.artifact(),
                &trust,
                &signer,
            ))
        })
        .collect()
}

/// Bundles of this server: a certificate, a Rekor v2 entry and a timestamp.
fn own_subjects() -> Vec<Subject> {
    let server = TestServer::start();
    let token = server.new_token(EMAIL);
    let trust = server.get("/trust/trusted_root.json").body;
    // Earlier entries make the inclusion proofs non-empty.
    for number in 0..6_u8 {
        signing::sign(&server, &token, EMAIL, &[number]);
    }
    let signer = Signer::Identity {
        issuer: server.url().to_owned(),
        subject: EMAIL.to_owned(),
    };
    let subjects = [b"one".as_slice(), b"two"].map(|content| {
        let bundle = signing::sign(&server, &token, EMAIL, content).to_json();
        let name = format!("own {}", String::from_utf8_lossy(content));
        Subject::new(&name, bundle.as_bytes(), content.to_vec(), &trust, &signer)
    });
    drop(server.stop());
    subjects.into()
}

/// The changes with a wrong verdict, and how often each difference occurred.
#[derive(Default)]
struct Findings {
    wrong: Vec<String>,
    met: BTreeMap<&'static str, usize>,
}

impl Findings {
    /// Tries every change of one subject.
    fn examine(&mut self, subject: &Subject, other: &Subject, seed: u64, tally: &Tally) {
        let unchanged = subject.document.to_string();
        let good = subject
            .our_verdict(&unchanged)
            .unwrap_or_else(|error| panic!("{}: {error}", subject.name));
        if let Err(error) = subject.their_verdict(&unchanged) {
            self.wrong
                .push(format!("{}: unchanged: {error}", subject.name));
            return;
        }
        for change in Mutator::new(&subject.document, &other.document, seed).run() {
            match judge(subject, &good, &change, tally) {
                Ok(None) => {}
                Ok(Some(name)) => *self.met.entry(name).or_default() += 1,
                Err(verdicts) => {
                    let Mutation { place, what, .. } = &change;
                    let line = format!("{}: {place}: {what}: {verdicts}", subject.name);
                    self.wrong.push(line);
                }
            }
        }
    }

    fn add(&mut self, other: Self) {
        self.wrong.extend(other.wrong);
        for (name, count) in other.met {
            *self.met.entry(name).or_default() += count;
        }
    }
}

/// Examines subjects until none is left.
fn work(subjects: &[Subject], next: &AtomicUsize, tally: &Tally) -> Findings {
    let mut findings = Findings::default();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let Some(subject) = subjects.get(number) else {
            return findings;
        };
        let other = &subjects[(number + 1) % subjects.len()];
        let seed = 0x5165_7400 + u64::try_from(number).unwrap();
        findings.examine(subject, other, seed, tally);
    }
}

#[test]
fn two_verifiers_agree_on_thousands_of_changed_bundles() {
    let mut subjects = own_subjects();
    subjects.extend(public_subjects());
    let tally = Tally::default();
    let next = AtomicUsize::new(0);
    let mut findings = Findings::default();

    thread::scope(|scope| {
        let work = || work(&subjects, &next, &tally);
        for thread in [scope.spawn(work), scope.spawn(work)] {
            findings.add(thread.join().unwrap());
        }
    });

    let Findings { wrong, met } = findings;
    let (tried, accepted) = (tally.tried.into_inner(), tally.accepted.into_inner());
    println!("{tried} changes, {accepted} of them harmless; the verifiers differ on: {met:#?}");
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(tried >= 1500 * subjects.len(), "only {tried} changes");
    // Without the public suite there are only the server's own two subjects.
    if subjects.len() > 2 {
        assert!(tried >= 5000, "only {tried} changes");
        for Difference { name, .. } in DIFFERENCES {
            assert!(
                met.contains_key(name),
                "no change shows the difference {name:?} any more"
            );
        }
    }
}
