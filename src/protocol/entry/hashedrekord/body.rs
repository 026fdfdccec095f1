//! The canonical body as JSON, every member named and no other allowed.

use serde::Deserialize;

use super::{BodyError, RawVerifier, UnverifiedHashedRekord};
use crate::protocol::bytes::{Base64, Digest, HashAlgorithm};
use crate::protocol::keys::KeyDetails;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Body {
    api_version: ApiVersion,
    kind: Kind,
    spec: Spec,
}

#[derive(Deserialize)]
enum ApiVersion {
    #[serde(rename = "0.0.2")]
    V002,
}

#[derive(Deserialize)]
enum Kind {
    #[serde(rename = "hashedrekord")]
    HashedRekord,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    #[serde(rename = "hashedRekordV002")]
    entry: EntryBody,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryBody {
    data: DataBody,
    signature: SignatureBody,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DataBody {
    algorithm: HashAlgorithm,
    digest: Base64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureBody {
    content: Base64,
    verifier: VerifierBody,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VerifierBody {
    key_details: KeyDetails,
    public_key: Option<RawBytes>,
    x509_certificate: Option<RawBytes>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawBytes {
    raw_bytes: Base64,
}

impl TryFrom<Body> for UnverifiedHashedRekord {
    type Error = BodyError;

    fn try_from(body: Body) -> Result<Self, BodyError> {
        let Body {
            api_version: ApiVersion::V002,
            kind: Kind::HashedRekord,
            spec: Spec { entry },
        } = body;
        let verifier = entry.signature.verifier;
        if verifier.key_details.hash() != Some(entry.data.algorithm) {
            return Err(BodyError::Algorithm);
        }
        let key_details = verifier.key_details;
        let verifier = match (verifier.public_key, verifier.x509_certificate) {
            (None, Some(certificate)) => RawVerifier::Certificate(certificate.raw_bytes.0),
            (Some(key), None) => RawVerifier::PublicKey(key.raw_bytes.0),
            (None, None) | (Some(_), Some(_)) => return Err(BodyError::Malformed),
        };
        Ok(Self {
            digest: Digest::new(entry.data.algorithm, entry.data.digest.0)?,
            signature: entry.signature.content.0,
            verifier,
            key_details,
        })
    }
}
