//! Verification over a digest, and the P-521 curve. ring has neither, so this file uses aws-lc-rs for
//! both, and ed25519-dalek for Ed25519ph (docs/adr/0003). Everything else verifies with ring.

use aws_lc_rs::digest as lc_digest;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P256_SHA512_ASN1, ECDSA_P384_SHA256_ASN1,
    ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA512_ASN1, ECDSA_P521_SHA256_ASN1, ECDSA_P521_SHA384_ASN1,
    ECDSA_P521_SHA512_ASN1, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RsaParameters, RsaPssSaltLength, VerificationAlgorithm,
};
use digest::consts::U64;
use digest::{FixedOutput, HashMarker, Output, OutputSizeUser, Update};

use super::KeyAlgorithm;
use crate::protocol::hash::{Digest, HashAlgorithm};

/// A key whose point is on its curve and not of small order.
#[derive(Clone, Debug)]
pub(super) enum CheckedKey {
    /// ECDSA and RSA keys
    Lc(ParsedPublicKey),
    /// Ed25519 keys
    Ed25519(ed25519_dalek::VerifyingKey),
}

/// Checks a key's numbers; none if the key is malformed or weak.
pub(super) fn check_key(algorithm: KeyAlgorithm, key: &[u8]) -> Option<CheckedKey> {
    let Some(lc_algorithm) = lc_algorithm(algorithm, algorithm.hash()) else {
        let key = ed25519_dalek::VerifyingKey::from_bytes(key.try_into().ok()?).ok()?;
        return (!key.is_weak()).then_some(CheckedKey::Ed25519(key));
    };
    ParsedPublicKey::new(lc_algorithm, key)
        .ok()
        .map(CheckedKey::Lc)
}

/// The algorithm of this kind of key over a digest under this hash; none for Ed25519.
fn lc_algorithm(
    algorithm: KeyAlgorithm,
    hash: HashAlgorithm,
) -> Option<&'static dyn VerificationAlgorithm> {
    use HashAlgorithm::{Sha256, Sha384, Sha512};
    match (algorithm, hash) {
        (KeyAlgorithm::P256, Sha256) => Some(&ECDSA_P256_SHA256_ASN1),
        (KeyAlgorithm::P256, Sha384) => Some(&ECDSA_P256_SHA384_ASN1),
        (KeyAlgorithm::P256, Sha512) => Some(&ECDSA_P256_SHA512_ASN1),
        (KeyAlgorithm::P384, Sha256) => Some(&ECDSA_P384_SHA256_ASN1),
        (KeyAlgorithm::P384, Sha384) => Some(&ECDSA_P384_SHA384_ASN1),
        (KeyAlgorithm::P384, Sha512) => Some(&ECDSA_P384_SHA512_ASN1),
        (KeyAlgorithm::P521, Sha256) => Some(&ECDSA_P521_SHA256_ASN1),
        (KeyAlgorithm::P521, Sha384) => Some(&ECDSA_P521_SHA384_ASN1),
        (KeyAlgorithm::P521, Sha512) => Some(&ECDSA_P521_SHA512_ASN1),
        (KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096, hash) => {
            Some(match hash {
                Sha256 => &RSA_PKCS1_2048_8192_SHA256,
                Sha384 => &RSA_PKCS1_2048_8192_SHA384,
                Sha512 => &RSA_PKCS1_2048_8192_SHA512,
            })
        }
        (KeyAlgorithm::Ed25519, _) => None,
    }
}

/// Whether the signature verifies over the digest; for Ed25519 that is Ed25519ph with an empty context.
pub(super) fn digest_signature_holds(key: &CheckedKey, digest: &Digest, signature: &[u8]) -> bool {
    match key {
        CheckedKey::Lc(key) => lc_digest(digest)
            .is_some_and(|digest| key.verify_digest_sig(&digest, signature).is_ok()),
        CheckedKey::Ed25519(key) => ed25519ph_holds(key, digest, signature),
    }
}

/// Whether the signature verifies over a digest under any of the three hashes: certificates may name
/// one that their key does not imply. Never for Ed25519, which does not sign digests.
pub(super) fn prehashed_signature_holds(
    algorithm: KeyAlgorithm,
    key: &CheckedKey,
    digest: &Digest,
    signature: &[u8],
) -> bool {
    let CheckedKey::Lc(key) = key else {
        return false;
    };
    let (Some(verifier), Some(digest)) = (
        lc_algorithm(algorithm, digest.algorithm()),
        lc_digest(digest),
    ) else {
        return false;
    };
    verifier
        .verify_digest_sig(key.as_ref(), &digest, signature)
        .is_ok()
}

/// RSA PSS with a salt as long as the hash (RFC 8017 §9.1 note 4), and with the longest salt that fits
/// the key, which is the default of Go's library.
static PSS: [RsaParameters; 2] = [
    RSA_PSS_2048_8192_SHA256.with_pss_salt_length(RsaPssSaltLength::Digest),
    RSA_PSS_2048_8192_SHA256.with_pss_salt_length(RsaPssSaltLength::Max),
];

/// Whether the signature verifies as RSA PSS over a SHA-256 digest.
pub(super) fn pss_signature_holds(key: &CheckedKey, digest: &Digest, signature: &[u8]) -> bool {
    let (CheckedKey::Lc(key), HashAlgorithm::Sha256) = (key, digest.algorithm()) else {
        return false;
    };
    let Some(digest) = lc_digest(digest) else {
        return false;
    };
    PSS.iter().any(|parameters| {
        parameters
            .verify_digest_sig(key.as_ref(), &digest, signature)
            .is_ok()
    })
}

fn lc_digest(digest: &Digest) -> Option<lc_digest::Digest> {
    let algorithm = match digest.algorithm() {
        HashAlgorithm::Sha256 => &lc_digest::SHA256,
        HashAlgorithm::Sha384 => &lc_digest::SHA384,
        HashAlgorithm::Sha512 => &lc_digest::SHA512,
    };
    lc_digest::Digest::import_less_safe(digest.as_bytes(), algorithm).ok()
}

/// Whether the signature verifies over the message, for P-521, which ring lacks.
pub(super) fn p521_signature_holds(key: &CheckedKey, message: &[u8], signature: &[u8]) -> bool {
    match key {
        CheckedKey::Lc(key) => key.verify_sig(message, signature).is_ok(),
        CheckedKey::Ed25519(_) => false,
    }
}

fn ed25519ph_holds(key: &ed25519_dalek::VerifyingKey, digest: &Digest, signature: &[u8]) -> bool {
    let (Ok(digest), Ok(signature)) = (
        digest.as_bytes().try_into(),
        ed25519_dalek::Signature::from_slice(signature),
    ) else {
        return false;
    };
    key.verify_prehashed_strict(FinishedSha512(digest), None, &signature)
        .is_ok()
}

/// A SHA-512 state whose digest is known: dalek takes a state and only finalizes it.
#[derive(Clone)]
struct FinishedSha512([u8; 64]);

impl Default for FinishedSha512 {
    fn default() -> Self {
        Self([0; 64])
    }
}

impl HashMarker for FinishedSha512 {}

impl OutputSizeUser for FinishedSha512 {
    type OutputSize = U64;
}

impl Update for FinishedSha512 {
    fn update(&mut self, _: &[u8]) {
        unreachable!("verify_prehashed_strict only finalizes the state")
    }
}

impl FixedOutput for FinishedSha512 {
    fn finalize_into(self, out: &mut Output<Self>) {
        out.copy_from_slice(&self.0);
    }
}
