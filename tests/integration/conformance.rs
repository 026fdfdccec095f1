//! The verification cases of the public conformance suite, with the artifact and with its SHA-256 digest.
//!
//! The suite is not part of this repository. It is read from the folder that `SIGNET_CONFORMANCE` names,
//! by default `../shared/conformance`. If that folder does not exist, the tests print so and pass, unless
//! the variable is set.

use std::fs;
use std::path::{Path, PathBuf};

use signet::testing::{
    Artifact, Bundle, Clock, Expectation, IdentityMatcher, Policy, PublicKey, Sha256, SystemClock,
    TrustedRoot, Verified,
};
use signet::verify::verify;

const DEFAULT_IDENTITY: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const DEFAULT_ISSUER: &str = "https://token.actions.githubusercontent.com";

/// The required signer of a case.
pub enum Signer {
    /// The identity in a certificate
    Identity { issuer: String, subject: String },
    /// A public key, in PEM
    Key(String),
}

/// One case: a folder of the suite.
pub struct Case {
    pub name: String,
    folder: PathBuf,
    suite: PathBuf,
}

impl Case {
    fn read(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.folder.join(name)).ok()
    }

    fn read_line(&self, name: &str, default: &str) -> String {
        let text = self
            .read(name)
            .map(|bytes| String::from_utf8(bytes).unwrap());
        text.map_or_else(|| default.to_owned(), |text| text.trim().to_owned())
    }

    pub fn must_pass(&self) -> bool {
        !self.name.ends_with("_fail")
    }

    pub fn bundle(&self) -> Vec<u8> {
        self.read("bundle.sigstore.json").unwrap()
    }

    pub fn artifact(&self) -> Vec<u8> {
        self.read("artifact")
            .unwrap_or_else(|| fs::read(self.suite.join("bundle-verify/a.txt")).unwrap())
    }

    pub fn trust_json(&self) -> Vec<u8> {
        self.read("trusted_root.json")
            .unwrap_or_else(|| fs::read(self.suite.join("public-good.trusted_root.json")).unwrap())
    }

    pub fn signer(&self) -> Signer {
        if let Some(pem) = self.read("key.pub") {
            return Signer::Key(String::from_utf8(pem).unwrap());
        }
        Signer::Identity {
            issuer: self.read_line("issuer", DEFAULT_ISSUER),
            subject: self.read_line("identity", DEFAULT_IDENTITY),
        }
    }

    fn expectation(&self) -> Result<Expectation, String> {
        match self.signer() {
            Signer::Key(pem) => PublicKey::from_pem(&pem)
                .map(Expectation::Key)
                .map_err(|error| format!("not a key: {error}")),
            Signer::Identity { issuer, subject } => {
                let matcher = IdentityMatcher::exact(issuer, subject).unwrap();
                Ok(Expectation::Identity(Policy::any_of([matcher]).unwrap()))
            }
        }
    }

    /// Verifies a bundle; an error contains the reason.
    pub fn verdict(&self, bundle: &[u8], artifact: &Artifact) -> Result<Verified, String> {
        let bundle = Bundle::from_json(bundle).map_err(|error| format!("not a bundle: {error}"))?;
        verify(
            &bundle,
            artifact,
            &self.expectation()?,
            &TrustedRoot::from_json(&self.trust_json()).unwrap(),
            SystemClock.now(),
        )
        .map_err(|refused| format!("{}: {refused}", refused.reason.code()))
    }
}

/// The cases, ordered by name; none if the suite is absent.
pub fn cases() -> Vec<Case> {
    let named = std::env::var_os("SIGNET_CONFORMANCE").map(PathBuf::from);
    let suite = named
        .clone()
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance"));
    let Ok(folders) = fs::read_dir(suite.join("bundle-verify")) else {
        assert!(named.is_none(), "SIGNET_CONFORMANCE does not name a suite");
        println!("the conformance suite is absent: nothing was checked");
        return Vec::new();
    };
    let mut cases: Vec<Case> = folders
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|folder| Case {
            name: folder.file_name().unwrap().to_str().unwrap().to_owned(),
            folder,
            suite: suite.clone(),
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(!cases.is_empty(), "the conformance suite is empty");
    cases
}

#[test]
fn every_public_case_has_the_expected_verdict_by_artifact_and_by_digest() {
    let mut wrong = Vec::new();
    for case in cases() {
        let content = case.artifact();
        let forms = [
            ("path", Artifact::from_bytes(&content)),
            ("digest", Artifact::from(bytes_digest(&content))),
        ];
        for (form, artifact) in forms {
            let verdict = case.verdict(&case.bundle(), &artifact).map(drop);
            println!("{} ({form}): {verdict:?}", case.name);
            if verdict.is_ok() != case.must_pass() {
                wrong.push(format!("{} ({form}): {verdict:?}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "wrong verdicts:\n{}", wrong.join("\n"));
}

fn bytes_digest(content: &[u8]) -> signet::testing::Digest {
    Sha256::of(content).into()
}
