//! Shared fixtures of the targets: a server's trusted root and a signature made with that server (`seeds/`).
//! With them every target can assert that no other input verifies.

use std::sync::LazyLock;

use signet::testing::Certificate;
use signet::testing::UnixTime;
use signet::testing::{Artifact, Bundle, Content, Expectation, TrustedRoot};
use signet::testing::{IdentityMatcher, Policy};

/// The signed file.
pub const ARTIFACT: &[u8] = include_bytes!("../seeds/artifact");
/// The server's trusted root.
pub const TRUST: &[u8] = include_bytes!("../seeds/trusted_root/signet.json");
/// The bundle over the file.
pub const BUNDLE: &[u8] = include_bytes!("../seeds/bundle/message.json");

/// The only signature that verifies, with the inputs for its verification.
pub struct World {
    /// The parsed [`TRUST`].
    pub trust: TrustedRoot,
    /// The bundle over [`ARTIFACT`].
    pub bundle: Bundle,
    /// The signing certificate.
    pub leaf: Certificate,
    /// The signature.
    pub signature: Vec<u8>,
    /// The signer.
    pub expectation: Expectation,
    /// The end of the certificate's validity.
    pub now: UnixTime,
}

/// The parsed seeds.
pub static WORLD: LazyLock<World> = LazyLock::new(|| {
    let bundle = Bundle::from_json(BUNDLE).expect("the seed is a bundle");
    let der = bundle
        .material()
        .certificate()
        .expect("the seed has a certificate");
    let leaf = Certificate::from_der(der).expect("the seed's certificate is valid DER");
    let Content::Message { signature, .. } = bundle.content() else {
        panic!("the seed is a message signature");
    };
    let issuer = leaf
        .oidc_issuer()
        .expect("the seed's certificate names an issuer");
    let subject = leaf
        .subject_name()
        .expect("the seed's certificate names a subject");
    let matcher =
        IdentityMatcher::exact(issuer, subject.as_str()).expect("issuer and subject are not empty");
    let policy = Policy::any_of([matcher]).expect("the policy has a matcher");
    World {
        trust: TrustedRoot::from_json(TRUST).expect("the seed is a trusted root"),
        signature: signature.clone(),
        expectation: Expectation::Identity(policy),
        now: leaf.validity().end.expect("certificates expire"),
        bundle,
        leaf,
    }
});

/// [`ARTIFACT`] with its digests.
pub static SIGNED: LazyLock<Artifact> = LazyLock::new(|| Artifact::from_bytes(ARTIFACT));
