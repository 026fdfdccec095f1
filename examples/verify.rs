//! Verifies a bundle offline with the library.
//!
//! ```console
//! $ cargo run --example verify -- tests/vectors/bundle/hello.txt tests/vectors/bundle/hello.bundle.json \
//!       tests/vectors/bundle/trusted_root.json http://localhost:18477 build@example.com
//! ```
#![expect(clippy::print_stdout, reason = "examples print their result")]

use std::error::Error;
use std::fs;

use signet::testing::{Clock, SystemClock};
use signet::verify::{Artifact, Bundle, Expectation, IdentityMatcher, Policy, TrustedRoot, verify};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [artifact, bundle, trust, issuer, subject] = arguments.as_slice() else {
        return Err("usage: verify ARTIFACT BUNDLE TRUSTED_ROOT ISSUER SUBJECT".into());
    };
    let artifact = Artifact::from_bytes(&fs::read(artifact)?);
    let bundle = Bundle::from_json(&fs::read(bundle)?)?;
    let trust = TrustedRoot::from_json(&fs::read(trust)?)?;
    let signer = IdentityMatcher::exact(issuer, subject)?;
    let expectation = Expectation::Identity(Policy::any_of([signer])?);

    let verified = verify(&bundle, &artifact, &expectation, &trust, SystemClock.now())?;

    for check in verified.checks() {
        println!("{:<24} {}", check.name.as_str(), check.detail);
    }
    Ok(())
}
