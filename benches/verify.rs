//! Verification of whole bundles on one core, compared with the raw rate of the signature checks in it.
//!
//! The bundle was created by `signet sign`: one certificate chain, one SCT, one timestamp and one log
//! entry. Each verification checks five signatures: the artifact's, the certificate's, the SCT's and the
//! timestamp's, which are ECDSA P-256, and the checkpoint's, which is Ed25519. Signatures of
//! certificates within the trusted root are checked once and cached.

use anyhow::{Context as _, Result};
use criterion::{Criterion, Throughput};
use signet::testing::{KeyAlgorithm, SigningKey};
use signet::verify::{
    Artifact, Bundle, Expectation, IdentityMatcher, Policy, TrustedRoot, UnixTime, verify,
};

const BUNDLE: &[u8] = include_bytes!("../tests/vectors/bundle/hello.bundle.json");
const TRUST: &[u8] = include_bytes!("../tests/vectors/bundle/trusted_root.json");
const ARTIFACT: &[u8] = include_bytes!("../tests/vectors/bundle/hello.txt");

fn main() -> Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    bundles(&mut criterion)?;
    signatures(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}

fn bundles(criterion: &mut Criterion) -> Result<()> {
    let trust = TrustedRoot::from_json(TRUST)?;
    let artifact = Artifact::from_bytes(ARTIFACT);
    let signer = IdentityMatcher::exact("http://localhost:18477", "build@example.com")?;
    let expectation = Expectation::Identity(Policy::any_of([signer])?);
    let now = UnixTime::from_rfc3339("2027-01-01T00:00:00Z").context("a moment")?;
    let bundle = Bundle::from_json(BUNDLE)?;
    verify(&bundle, &artifact, &expectation, &trust, now)?;

    let mut group = criterion.benchmark_group("verify");
    group.throughput(Throughput::Elements(1));
    group.bench_function("parse and verify a bundle", |bench| {
        bench.iter(|| {
            let bundle = Bundle::from_json(BUNDLE);
            bundle.map(|bundle| verify(&bundle, &artifact, &expectation, &trust, now))
        });
    });
    group.bench_function("verify a parsed bundle", |bench| {
        bench.iter(|| verify(&bundle, &artifact, &expectation, &trust, now));
    });
    group.finish();
    Ok(())
}

fn signatures(criterion: &mut Criterion) -> Result<()> {
    let mut group = criterion.benchmark_group("raw");
    group.throughput(Throughput::Elements(1));
    for algorithm in [KeyAlgorithm::P256, KeyAlgorithm::Ed25519] {
        let (key, _) = SigningKey::generate(algorithm)?;
        let signature = key.sign(ARTIFACT)?;
        group.bench_function(format!("one {} signature", algorithm.name()), |bench| {
            bench.iter(|| key.public_key().verify_message(ARTIFACT, &signature));
        });
    }
    group.finish();
    Ok(())
}
