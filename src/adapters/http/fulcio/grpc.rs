//! The gRPC service `dev.sigstore.fulcio.v2.CA`, which sigstore-java uses. Field numbers are those of
//! Fulcio's `fulcio.proto`.

use std::sync::Arc;

use prost::{Message, Oneof};

use super::certify::{OfferedKey, certify, key_request};
use super::{ConfiguredIssuer, FulcioConfiguration};
use crate::adapters::http::grpc::{Method, unreadable};
use crate::adapters::http::refusal::Refusal;
use crate::services::ca::{CertificateAuthority, KeyRequest};
use crate::services::oidc::IdentityVerifier;

/// Path of the issuing method.
pub(crate) const CREATE_SIGNING_CERTIFICATE: &str =
    "/dev.sigstore.fulcio.v2.CA/CreateSigningCertificate";

const GET_TRUST_BUNDLE: &str = "/dev.sigstore.fulcio.v2.CA/GetTrustBundle";
const GET_CONFIGURATION: &str = "/dev.sigstore.fulcio.v2.CA/GetConfiguration";

/// The methods of the service.
pub(crate) fn methods(
    identities: &Arc<IdentityVerifier>,
    authority: &Arc<CertificateAuthority>,
    configuration: &FulcioConfiguration,
) -> Vec<Method> {
    let (identities, issuing) = (Arc::clone(identities), Arc::clone(authority));
    let trust_bundle = TrustBundle {
        chains: vec![CertificateChain {
            certificates: authority.chain_pem().to_vec(),
        }],
    };
    let trust_bundle = trust_bundle.encode_to_vec();
    let configuration = Configuration::from(configuration).encode_to_vec();
    vec![
        Method::new(CREATE_SIGNING_CERTIFICATE, move |message| {
            let (identities, authority) = (Arc::clone(&identities), Arc::clone(&issuing));
            Box::pin(
                async move { create_signing_certificate(&message, &identities, &authority).await },
            )
        }),
        constant(GET_TRUST_BUNDLE, trust_bundle),
        constant(GET_CONFIGURATION, configuration),
    ]
}

/// A method without parameters whose reply is constant.
fn constant(path: &'static str, reply: Vec<u8>) -> Method {
    Method::new(path, move |message| {
        let read = Nothing::decode(message).map_err(|error| unreadable(&error));
        let reply = read.map(|Nothing {}| reply.clone());
        Box::pin(std::future::ready(reply))
    })
}

async fn create_signing_certificate(
    message: &[u8],
    identities: &IdentityVerifier,
    authority: &CertificateAuthority,
) -> Result<Vec<u8>, Refusal> {
    let wire =
        CreateSigningCertificateRequest::decode(message).map_err(|error| unreadable(&error))?;
    let token = wire
        .credentials
        .map(|credentials| credentials.oidc_identity_token);
    let key = || key_of(wire.key);
    let certificates = certify(identities, authority, token.unwrap_or_default(), key).await?;
    let certificate = SigningCertificate {
        embedded: Some(EmbeddedSct {
            chain: Some(CertificateChain { certificates }),
        }),
    };
    Ok(certificate.encode_to_vec())
}

fn key_of(key: Option<Key>) -> Result<KeyRequest, Refusal> {
    match key {
        Some(Key::SigningRequest(pem)) => key_request(Some(pem), None),
        Some(Key::PublicKey(request)) => {
            let offered = OfferedKey {
                content: request
                    .public_key
                    .map(|key| key.content)
                    .unwrap_or_default(),
                proof: request.proof_of_possession,
            };
            key_request(None, Some(offered))
        }
        None => key_request(None, None),
    }
}

// Requests do not implement Debug, because they contain a token.

#[derive(Message)]
#[prost(skip_debug)]
struct Nothing {}

#[derive(Message)]
#[prost(skip_debug)]
struct CreateSigningCertificateRequest {
    #[prost(message, optional, tag = "1")]
    credentials: Option<Credentials>,
    #[prost(oneof = "Key", tags = "2, 3")]
    key: Option<Key>,
}

#[derive(Message)]
#[prost(skip_debug)]
struct Credentials {
    #[prost(string, tag = "1")]
    oidc_identity_token: String,
}

#[derive(Oneof)]
#[prost(skip_debug)]
enum Key {
    #[prost(message, tag = "2")]
    PublicKey(PublicKeyRequest),
    /// PEM
    #[prost(bytes, tag = "3")]
    SigningRequest(Vec<u8>),
}

#[derive(Message)]
#[prost(skip_debug)]
struct PublicKeyRequest {
    #[prost(message, optional, tag = "1")]
    public_key: Option<PublicKey>,
    #[prost(bytes, tag = "2")]
    proof_of_possession: Vec<u8>,
}

/// Field 1, the algorithm, is ignored: the key itself contains it.
#[derive(Message)]
#[prost(skip_debug)]
struct PublicKey {
    #[prost(string, tag = "2")]
    content: String,
}

/// Field 1 is for authorities that do not embed the SCT.
#[derive(Message)]
struct SigningCertificate {
    #[prost(message, optional, tag = "2")]
    embedded: Option<EmbeddedSct>,
}

#[derive(Message)]
struct EmbeddedSct {
    #[prost(message, optional, tag = "1")]
    chain: Option<CertificateChain>,
}

#[derive(Message)]
struct CertificateChain {
    #[prost(string, repeated, tag = "1")]
    certificates: Vec<String>,
}

#[derive(Message)]
struct TrustBundle {
    #[prost(message, repeated, tag = "1")]
    chains: Vec<CertificateChain>,
}

#[derive(Message)]
struct Configuration {
    #[prost(message, repeated, tag = "1")]
    issuers: Vec<OidcIssuer>,
}

#[derive(Message)]
struct OidcIssuer {
    /// Always present: wildcard issuers, field 2, are not supported.
    #[prost(string, optional, tag = "1")]
    issuer_url: Option<String>,
    #[prost(string, tag = "3")]
    audience: String,
    #[prost(string, tag = "4")]
    challenge_claim: String,
    #[prost(string, tag = "5")]
    spiffe_trust_domain: String,
    #[prost(string, tag = "6")]
    issuer_type: String,
    #[prost(string, tag = "7")]
    subject_domain: String,
    #[prost(bool, tag = "8")]
    skip_email_verification: bool,
}

impl From<&FulcioConfiguration> for Configuration {
    fn from(configuration: &FulcioConfiguration) -> Self {
        Self {
            issuers: configuration.issuers.iter().map(OidcIssuer::from).collect(),
        }
    }
}

impl From<&ConfiguredIssuer> for OidcIssuer {
    fn from(issuer: &ConfiguredIssuer) -> Self {
        Self {
            issuer_url: Some(issuer.issuer_url.clone()),
            audience: issuer.audience.clone(),
            challenge_claim: issuer.challenge_claim.to_owned(),
            spiffe_trust_domain: issuer.spiffe_trust_domain.clone(),
            issuer_type: issuer.issuer_type.to_owned(),
            subject_domain: issuer.subject_domain.clone(),
            skip_email_verification: issuer.skip_email_verification,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An encoded request: a token, a key with algorithm 2 (ECDSA), and a proof.
    const BY_KEY: &[u8] =
        b"\x0a\x05\x0a\x03jwt\x12\x0e\x0a\x07\x08\x02\x12\x03pem\x12\x03\x01\x02\x03";

    fn read(message: &[u8]) -> Result<CreateSigningCertificateRequest, prost::DecodeError> {
        CreateSigningCertificateRequest::decode(message)
    }

    #[test]
    fn both_kinds_of_key_are_parsed_and_the_last_member_of_a_oneof_wins() {
        let request = read(BY_KEY).unwrap();
        assert_eq!(request.credentials.unwrap().oidc_identity_token, "jwt");
        let Ok(KeyRequest::PublicKey { key, proof }) = key_of(request.key) else {
            panic!("not read as a public key");
        };
        assert_eq!((key.as_str(), proof.as_slice()), ("pem", &[1, 2, 3][..]));

        // Protocol Buffers, Oneof: the last member on the wire is kept.
        let request = read(&[BY_KEY, b"\x1a\x03csr"].concat()).unwrap();
        let Ok(KeyRequest::SigningRequest { pem }) = key_of(request.key) else {
            panic!("not read as a signing request");
        };
        assert_eq!(pem, "csr");
        assert!(key_of(read(b"").unwrap().key).is_err());
    }

    proptest! {
        #[test]
        fn every_message_is_read_or_refused(
            place in 0..BY_KEY.len(),
            piece in prop::collection::vec(any::<u8>(), 0..8),
        ) {
            let (before, after) = BY_KEY.split_at(place);
            let message = [before, &piece, after].concat();
            if let Ok(request) = read(&message) {
                let again = read(&request.encode_to_vec()).unwrap();
                prop_assert_eq!(again.encode_to_vec(), request.encode_to_vec());
            }
        }
    }
}
