//! Whole bundles verified on one core, beside the raw rate of the signature checks that are in one.
//!
//! The bundle is what this server's own signer makes: one certificate chain, one SCT, one timestamp
//! and one log entry. Seven signatures are checked in it: the artifact's, the certificate's by its
//! issuer and the issuer's by the root, the SCT's, the timestamp's, the timestamp certificate's by
//! its root, and the checkpoint's. All but the checkpoint's are ECDSA, and they bound the rate.

#[path = "../tests/support/mod.rs"]
#[expect(dead_code, reason = "journeys need more of it")]
mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use signet::adapters::system::SystemClock;
use signet::protocol::bundle::{Artifact, Bundle, Expectation, TrustedRoot, verify};
use signet::protocol::keys::EphemeralKey;
use signet::protocol::policy::{IdentityMatcher, Policy};
use signet::protocol::time::Clock as _;
use support::server::TestServer;
use support::signing::sign;

const EMAIL: &str = "build@example.com";
const CONTENT: &[u8] = b"what is released";

fn bundles(criterion: &mut Criterion) {
    let server = TestServer::start();
    let token = server.token(&server.account(EMAIL));
    let json = sign(&server, &token, EMAIL, CONTENT).to_json();
    let trust = TrustedRoot::from_json(&server.get("/trust/trusted_root.json").body).unwrap();
    let matcher = IdentityMatcher::exact(server.url(), EMAIL).unwrap();
    let expectation = Expectation::Identity(Policy::any_of([matcher]).unwrap());
    drop(server.stop());
    let artifact = Artifact::from_bytes(CONTENT);
    let bundle = Bundle::from_json(json.as_bytes()).unwrap();

    let mut group = criterion.benchmark_group("verify");
    group.throughput(Throughput::Elements(1));
    group.bench_function("read a bundle and verify it", |bench| {
        bench.iter(|| {
            let bundle = Bundle::from_json(json.as_bytes()).unwrap();
            verify(&bundle, &artifact, &expectation, &trust, SystemClock.now()).unwrap()
        });
    });
    group.bench_function("verify a bundle that was read", |bench| {
        bench.iter(|| verify(&bundle, &artifact, &expectation, &trust, SystemClock.now()).unwrap());
    });
    group.finish();
}

fn signatures(criterion: &mut Criterion) {
    let key = EphemeralKey::generate().unwrap();
    let signature = key.sign(CONTENT).unwrap();
    let public = key.public_key();

    let mut group = criterion.benchmark_group("raw");
    group.throughput(Throughput::Elements(1));
    group.bench_function("one ECDSA P-256 signature", |bench| {
        bench.iter(|| public.verify_message(CONTENT, &signature).unwrap());
    });
    group.finish();
}

criterion_group!(benches, bundles, signatures);
criterion_main!(benches);
