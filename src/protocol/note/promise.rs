//! The inclusion promise of a Rekor v1 log: the signed entry timestamp (SET).

use crate::protocol::bytes::to_base64;
use crate::protocol::hash::Sha256;
use crate::protocol::keys::{
    PublicKey, SignatureInvalid, SignatureValid, SigningFailed, SigningKey,
};

/// The content of a promise that an entry is in the log. Its signature is the SET.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryPromise<'a> {
    /// The entry's canonical body.
    pub body: &'a [u8],
    /// When the log accepted the entry, in seconds since 1970.
    pub integrated_time: u64,
    /// The log's ID: SHA-256 of its key's SubjectPublicKeyInfo.
    pub log_id: &'a Sha256,
    /// The entry's position in the log.
    pub log_index: u64,
}

impl EntryPromise<'_> {
    /// # Errors
    /// The random number generator failed.
    pub(crate) fn sign(&self, key: &SigningKey) -> Result<Vec<u8>, SigningFailed> {
        key.sign(self.to_be_signed().as_bytes())
    }

    /// # Errors
    /// The SET does not verify over this promise with this key.
    pub(crate) fn verify_set(
        &self,
        key: &PublicKey,
        set: &[u8],
    ) -> Result<SignatureValid, SignatureInvalid> {
        key.verify_message(self.to_be_signed().as_bytes(), set)
    }

    /// The canonical JSON (RFC 8785) that is signed. Base64 and hexadecimal need no escapes.
    fn to_be_signed(self) -> String {
        format!(
            r#"{{"body":"{}","integratedTime":{},"logID":"{}","logIndex":{}}}"#,
            to_base64(self.body),
            self.integrated_time,
            self.log_id.to_hex(),
            self.log_index
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::keys::KeyAlgorithm;

    #[test]
    fn what_is_signed_is_canonical_json() {
        let log_id = Sha256::from_bytes([0xab; 32]);
        let promise = EntryPromise {
            body: b"{}",
            integrated_time: 1_700_000_000,
            log_id: &log_id,
            log_index: 7,
        };

        let signed = promise.to_be_signed();

        let expected = format!(
            r#"{{"body":"e30=","integratedTime":1700000000,"logID":"{}","logIndex":7}}"#,
            "ab".repeat(32)
        );
        assert_eq!(signed, expected);
        let value: serde_json::Value = serde_json::from_str(&signed).unwrap();
        let canonical = serde_json_canonicalizer::to_string(&value).unwrap();
        assert_eq!(signed, canonical);
    }

    #[test]
    fn a_promise_covers_each_of_its_parts() {
        let (key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
        let (log_id, other) = (Sha256::of(b"log"), Sha256::of(b"other"));
        let promise = EntryPromise {
            body: b"body",
            integrated_time: 1,
            log_id: &log_id,
            log_index: 2,
        };
        let set = promise.sign(&key).unwrap();
        let holds = |promise: EntryPromise<'_>| promise.verify_set(key.public_key(), &set).is_ok();

        assert!(holds(promise));
        for changed in [
            EntryPromise {
                body: b"bodY",
                ..promise
            },
            EntryPromise {
                integrated_time: 2,
                ..promise
            },
            EntryPromise {
                log_id: &other,
                ..promise
            },
            EntryPromise {
                log_index: 1,
                ..promise
            },
        ] {
            assert!(!holds(changed), "{changed:?}");
        }
    }
}
