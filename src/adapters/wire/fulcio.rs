//! Bodies of Fulcio's `CreateSigningCertificate` in proto3 JSON (`dev.sigstore.fulcio.v2`).

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::protocol::bytes::ProtoBytes;

/// Path of `CreateSigningCertificate`.
pub(crate) const SIGNING_CERT_PATH: &str = "/api/v2/signingCert";

// Requests do not implement Debug, because they contain a token.

/// Contains either a public key or a certificate signing request. The server rejects anything else.
#[derive(Deserialize, Serialize)]
pub(crate) struct CreateSigningCertificateRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
    #[serde(
        rename = "publicKeyRequest",
        alias = "public_key_request",
        skip_serializing_if = "Option::is_none"
    )]
    pub public_key_request: Option<PublicKeyRequest>,
    /// PEM
    #[serde(
        rename = "certificateSigningRequest",
        alias = "certificate_signing_request",
        skip_serializing_if = "Option::is_none"
    )]
    pub certificate_signing_request: Option<ProtoBytes>,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Credentials {
    #[serde(rename = "oidcIdentityToken", alias = "oidc_identity_token")]
    pub oidc_identity_token: Option<String>,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct PublicKeyRequest {
    #[serde(rename = "publicKey", alias = "public_key")]
    pub public_key: Option<RequestedKey>,
    #[serde(rename = "proofOfPossession", alias = "proof_of_possession")]
    pub proof_of_possession: Option<ProtoBytes>,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct RequestedKey {
    /// Ignored: the key itself contains the algorithm, and clients send different names
    #[serde(rename = "algorithm", skip_serializing)]
    _algorithm: Option<IgnoredAny>,
    /// PEM, or DER in base64
    pub content: Option<String>,
}

impl RequestedKey {
    pub(crate) const fn pem(content: String) -> Self {
        Self {
            _algorithm: None,
            content: Some(content),
        }
    }
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SigningCertificateReply {
    signed_certificate_embedded_sct: EmbeddedSct,
}

#[derive(Deserialize, Serialize)]
struct EmbeddedSct {
    chain: CertificateChain,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct CertificateChain {
    /// PEM, the leaf first
    pub certificates: Vec<String>,
}

impl SigningCertificateReply {
    pub(crate) const fn new(certificates: Vec<String>) -> Self {
        Self {
            signed_certificate_embedded_sct: EmbeddedSct {
                chain: CertificateChain { certificates },
            },
        }
    }

    pub(crate) fn into_certificates(self) -> Vec<String> {
        self.signed_certificate_embedded_sct.chain.certificates
    }
}
