//! What the targets share: one server's trust root and one signature made with it (`seeds/`), so
//! that every target can demand that nothing else verifies.

use std::sync::LazyLock;

use signet::testing::Certificate;
use signet::testing::UnixTime;
use signet::testing::{Artifact, Bundle, Content, Expectation, TrustedRoot};
use signet::testing::{IdentityMatcher, Policy};

/// The file that was signed.
pub const ARTIFACT: &[u8] = include_bytes!("../seeds/artifact");
/// The server's trust root.
pub const TRUST: &[u8] = include_bytes!("../seeds/trusted_root/signet.json");
/// The bundle over the file.
pub const BUNDLE: &[u8] = include_bytes!("../seeds/bundle/message.json");

/// The one signature that verifies, and everything that it verifies with.
pub struct World {
    /// Whom to believe.
    pub trust: TrustedRoot,
    /// The bundle over [`ARTIFACT`].
    pub bundle: Bundle,
    /// The signing certificate.
    pub leaf: Certificate,
    /// The signature.
    pub signature: Vec<u8>,
    /// The signer.
    pub expectation: Expectation,
    /// A second within the certificate's ten minutes.
    pub now: UnixTime,
}

/// Read once for each process.
pub static WORLD: LazyLock<World> = LazyLock::new(|| {
    let bundle = Bundle::from_json(BUNDLE).expect("the seed is a bundle");
    let der = bundle
        .material()
        .certificate()
        .expect("the seed has a certificate");
    let leaf = Certificate::from_der(der).expect("the seed's certificate is one");
    let Content::Message { signature, .. } = bundle.content() else {
        panic!("the seed is a message signature");
    };
    let issuer = leaf
        .oidc_issuer()
        .expect("the seed's certificate names an issuer");
    let subject = leaf
        .subject_name()
        .expect("the seed's certificate names a subject");
    let matcher = IdentityMatcher::exact(issuer, subject.as_str()).expect("neither is empty");
    let policy = Policy::any_of([matcher]).expect("there is one");
    World {
        trust: TrustedRoot::from_json(TRUST).expect("the seed is a trust root"),
        signature: signature.clone(),
        expectation: Expectation::Identity(policy),
        now: leaf.validity().end.expect("certificates end"),
        bundle,
        leaf,
    }
});

/// The file that was signed, under every hash.
pub static SIGNED: LazyLock<Artifact> = LazyLock::new(|| Artifact::from_bytes(ARTIFACT));
