//! Benchmarks of the operations within a request, without a server.
//!
//! ```text
//! cargo bench --bench protocol            # all benchmarks
//! cargo bench --bench protocol -- merkle  # benchmarks with `merkle` in their name
//! ```

use std::convert::Infallible;
use std::hint::black_box;
use std::time::Duration;

use anyhow::{Context as _, Result};
use criterion::{BatchSize, Criterion, Throughput};
use signet::testing::{
    Artifact, Authority, AuthorityRole, Bundle, Certificate, CertificateIssuer, Clock as _,
    Content, Digest, EmailAddress, EphemeralKey, Expectation, Frontier, HashAlgorithm,
    IdentityMatcher, IssuerUrl, KeyAlgorithm, KeyDetails, LeafIndex, NodeId, Policy, PrecertEntry,
    Principal, RawVerifier, Serial, SerialNumber, Sha256, SignedCertificateTimestamp, SigningKey,
    SubjectName, SystemClock, TimestampRequest, TokenSigner, TreeSize, TrustedRoot,
    UnverifiedHashedRekord, Validity, inclusion_proof, leaf_hash, node_hash, root_from_inclusion,
    signing_certificate,
};
use signet::verify::verify;

const BUNDLE: &[u8] = include_bytes!("../tests/vectors/bundle/hello.bundle.json");
const TRUST: &[u8] = include_bytes!("../tests/vectors/bundle/trusted_root.json");
const CONTENT: &[u8] = include_bytes!("../tests/vectors/bundle/hello.txt");
const IDENTITY: &str = "build@example.com";

fn main() -> Result<()> {
    let signed = Signed::load()?;
    let mut criterion = Criterion::default()
        .measurement_time(Duration::from_secs(2))
        .warm_up_time(Duration::from_millis(500))
        .configure_from_args();
    merkle(&mut criterion, &signed)?;
    canonicalisation(&mut criterion, &signed)?;
    signatures(&mut criterion)?;
    certificates(&mut criterion, &signed)?;
    timestamps(&mut criterion)?;
    bundles(&mut criterion, &signed);
    criterion.final_summary();
    Ok(())
}

/// A bundle created by `signet sign`, with the inputs for its verification.
struct Signed {
    bundle: Bundle,
    leaf: Vec<u8>,
    entry: UnverifiedHashedRekord,
    expectation: Expectation,
    trust: TrustedRoot,
}

impl Signed {
    fn load() -> Result<Self> {
        let bundle = Bundle::from_json(BUNDLE)?;
        let leaf = bundle.material().certificate();
        let leaf = leaf.context("no certificate")?.to_vec();
        let Content::Message { signature, .. } = bundle.content() else {
            anyhow::bail!("no signature over a message");
        };
        let matcher = IdentityMatcher::exact("http://localhost:18477", IDENTITY)?;
        Ok(Self {
            entry: UnverifiedHashedRekord::new(
                Sha256::of(CONTENT).as_bytes().to_vec(),
                signature.clone(),
                RawVerifier::Certificate(leaf.clone()),
                KeyDetails::EcdsaP256Sha256,
            )?,
            expectation: Expectation::Identity(Policy::any_of([matcher])?),
            trust: TrustedRoot::from_json(TRUST)?,
            bundle,
            leaf,
        })
    }
}

/// The nodes of a tree of a million leaves, by level.
struct Tree {
    levels: Vec<Vec<Sha256>>,
    frontier: Frontier,
}

const LEAVES: u64 = 1_000_000;

impl Tree {
    fn grow() -> Self {
        let mut levels: Vec<Vec<Sha256>> = Vec::new();
        let mut frontier = Frontier::empty();
        for leaf in 0..LEAVES {
            frontier.push(leaf_hash(&leaf.to_be_bytes()), |node, hash| {
                let level = usize::from(node.level);
                levels.resize_with(levels.len().max(level + 1), Vec::new);
                if let Some(level) = levels.get_mut(level) {
                    level.push(hash);
                }
            });
        }
        Self { levels, frontier }
    }

    fn node(&self, node: NodeId) -> Sha256 {
        let level = self.levels.get(usize::from(node.level));
        let index = usize::try_from(node.index).unwrap_or(usize::MAX);
        *level
            .and_then(|level| level.get(index))
            .expect("a proof asks for complete nodes only")
    }
}

fn merkle(criterion: &mut Criterion, signed: &Signed) -> Result<()> {
    let tree = Tree::grow();
    let body = signed.entry.canonical_body();
    let hashes: Vec<Sha256> = (0..1024_u64).map(|i| leaf_hash(&i.to_be_bytes())).collect();
    let (left, right) = (leaf_hash(b"left"), leaf_hash(b"right"));
    let mut group = criterion.benchmark_group("merkle");
    group.bench_function("leaf hash of a hashedrekord body", |b| {
        b.iter(|| leaf_hash(black_box(&body)));
    });
    group.bench_function("node hash", |b| {
        b.iter(|| node_hash(black_box(&left), black_box(&right)));
    });

    let leaf = TreeSize::new(LEAVES).locate(LeafIndex::new(654_321))?;
    let read = |node| Ok::<_, Infallible>(tree.node(node));
    let proof = inclusion_proof(leaf, read)?;
    let leaf_hash = tree.node(NodeId::leaf(654_321));
    group.bench_function("inclusion proof in a million leaves", |b| {
        b.iter(|| inclusion_proof(black_box(leaf), read));
    });
    group.bench_function("inclusion proof in a million leaves, verified", |b| {
        b.iter(|| root_from_inclusion(leaf, &leaf_hash, black_box(&proof)));
    });

    group.throughput(Throughput::Elements(1024));
    group.bench_function("1024 leaves pushed onto a million", |b| {
        b.iter_batched(
            || tree.frontier.clone(),
            |mut frontier| {
                for hash in &hashes {
                    frontier.push(*hash, |node, hash| {
                        black_box((node, hash));
                    });
                }
                frontier.root()
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
    Ok(())
}

fn canonicalisation(criterion: &mut Criterion, signed: &Signed) -> Result<()> {
    let body = signed.entry.canonical_body();
    let value: serde_json::Value = serde_json::from_slice(&body)?;
    anyhow::ensure!(
        serde_json_canonicalizer::to_vec(&value)? == body,
        "the two canonical forms differ"
    );
    let mut group = criterion.benchmark_group("canonical hashedrekord body");
    group.bench_function("written directly", |b| {
        b.iter(|| black_box(&signed.entry).canonical_body());
    });
    group.bench_function("by serde_json_canonicalizer", |b| {
        b.iter(|| serde_json_canonicalizer::to_vec(black_box(&value)));
    });
    group.bench_function("parsed and compared", |b| {
        b.iter(|| UnverifiedHashedRekord::parse_body(black_box(&body)));
    });
    group.finish();
    Ok(())
}

fn signatures(criterion: &mut Criterion) -> Result<()> {
    let message = [7; 32];
    let rsa = signet::testing::generate_key()?;
    let keys = [
        ("P-256", SigningKey::generate(KeyAlgorithm::P256)?.0),
        ("P-384", SigningKey::generate(KeyAlgorithm::P384)?.0),
        ("Ed25519", SigningKey::generate(KeyAlgorithm::Ed25519)?.0),
        ("RSA-2048", SigningKey::from_pkcs8(&rsa)?),
    ];
    let mut group = criterion.benchmark_group("signature");
    for (name, key) in &keys {
        let signature = key.sign(&message)?;
        let public = key.public_key();
        group.bench_function(format!("{name}, signed"), |b| {
            b.iter(|| key.sign(black_box(&message)));
        });
        group.bench_function(format!("{name}, verified over the message"), |b| {
            b.iter(|| public.verify_message(black_box(&message), &signature));
        });
        let hash = public.algorithm().hash();
        if *name != "Ed25519" {
            let digest = hash.digest(&message);
            group.bench_function(format!("{name}, verified over the digest"), |b| {
                b.iter(|| public.verify_digest(black_box(&digest), &signature));
            });
        }
    }
    group.bench_function("P-256, key generated", |b| b.iter(EphemeralKey::generate));
    group.finish();
    Ok(())
}

fn certificates(criterion: &mut Criterion, signed: &Signed) -> Result<()> {
    let now = SystemClock.now();
    let serial = |byte| SerialNumber::from_random([byte; 20]);
    let role = AuthorityRole::Certificates;
    let ca = Authority::generate(role, "Bench", "bench", now, [serial(1), serial(2)])?;
    let key = SigningKey::from_pkcs8(&ca.key)?;
    let issuer = CertificateIssuer::of(ca.chain.first().context("no certificate")?)?;
    let (log_key, _) = SigningKey::generate(KeyAlgorithm::P256)?;
    let signer = EphemeralKey::generate()?;
    let subject = SubjectName::Email(EmailAddress::new(IDENTITY)?);
    let idp = IssuerUrl::new("https://login.example.com")?;
    let principal = Principal::new(&idp, &subject, IDENTITY)?;
    let validity = Validity {
        start: now,
        end: Some(now.after(Duration::from_secs(600))),
    };
    // The three signatures of a certificate: on its precertificate, its SCT and itself.
    let issue = || -> Result<Certificate> {
        let key_id = signer.public_key();
        let unsigned = signing_certificate(principal, key_id, &issuer, serial(3), validity)?;
        black_box(unsigned.with_poison()?.sign(&key)?);
        let entry = PrecertEntry {
            issuer_key_hash: key.public_key().fingerprint(),
            tbs: unsigned.tbs().to_vec(),
        };
        let sct = SignedCertificateTimestamp::sign(&log_key, &entry, now)?;
        Ok(unsigned.with_scts(&[sct])?.sign_certificate(&key)?)
    };
    issue()?;
    let mut group = criterion.benchmark_group("certificate");
    group.bench_function("parsed", |b| {
        b.iter(|| Certificate::from_der(black_box(&signed.leaf)));
    });
    group.bench_function("issued, with precertificate and SCT", |b| {
        b.iter(|| issue().is_ok());
    });
    group.finish();
    Ok(())
}

fn timestamps(criterion: &mut Criterion) -> Result<()> {
    let now = SystemClock.now();
    let serial = |byte| SerialNumber::from_random([byte; 20]);
    let role = AuthorityRole::Timestamps;
    let tsa = Authority::generate(role, "Bench", "bench", now, [serial(1), serial(2)])?;
    let leaf = tsa.chain.first().context("no leaf")?;
    let signer = TokenSigner::new(SigningKey::from_pkcs8(&tsa.key)?, leaf)?;
    let imprint: Digest = HashAlgorithm::Sha256.digest(CONTENT);
    let request = TimestampRequest::new(imprint, Some(1 << 63), true);
    let der = request.to_der();
    let mut group = criterion.benchmark_group("timestamp");
    group.bench_function("request parsed", |b| {
        b.iter(|| TimestampRequest::from_der(black_box(&der)));
    });
    group.bench_function("token granted", |b| {
        b.iter(|| signer.grant(black_box(&request), Serial::from_random([9; 20]), now));
    });
    group.finish();
    Ok(())
}

fn bundles(criterion: &mut Criterion, signed: &Signed) {
    let (artifact, now) = (Artifact::from_bytes(CONTENT), SystemClock.now());
    let verified = || {
        let bundle = black_box(&signed.bundle);
        verify(bundle, &artifact, &signed.expectation, &signed.trust, now)
    };
    assert!(verified().is_ok(), "the fixture is refused");
    let mut group = criterion.benchmark_group("bundle");
    group.bench_function("parsed", |b| {
        b.iter(|| Bundle::from_json(black_box(BUNDLE)));
    });
    group.bench_function("verified", |b| b.iter(|| verified().is_ok()));
    group.finish();
}
