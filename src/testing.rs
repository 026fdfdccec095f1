//! Items for integration tests, benchmarks, examples and fuzz targets, in addition to [`crate::verify`].
//! The `testing` feature compiles it; nothing in here is stable.

pub use crate::adapters::http::server::Bound;
pub use crate::adapters::outbound::oidc::{EndpointSettings, FetchLimits, HttpKeySource};
pub use crate::adapters::storage::{Options as StorageOptions, open as open_storage};
pub use crate::adapters::system::SystemClock;
pub use crate::app::{App, StartError, StopReason};
pub use crate::config::{Flags, Settings, Sources, load as load_settings};
pub use crate::protocol::attestation::dsse::{Envelope, pre_authentication_encoding};
pub use crate::protocol::attestation::statement::{MAX_SUBJECTS, Statement};
pub use crate::protocol::bundle::trusted_root::wire::TrustedRoot as WireTrustedRoot;
pub use crate::protocol::bundle::{
    Artifact, Authentic, Bundle, Content, Expectation, TrustedRoot, Verified,
};
pub use crate::protocol::bytes::{from_base64, from_base64url, to_base64, to_base64url};
pub use crate::protocol::entry::v1::{AdmittedEntry, ProposedEntry};
pub use crate::protocol::entry::v2::CreateEntryRequest;
pub use crate::protocol::entry::{
    MAX_BODY, MAX_TERMS, RawVerifier, SearchTerm, UnverifiedEntry, UnverifiedHashedRekord,
};
pub use crate::protocol::evidence::{
    CertificateEvidence, EntryEvidence, Evidence, KeyEvidence, PathEvidence, TimeEvidence,
    TimeSource,
};
pub use crate::protocol::hash::{Digest, HashAlgorithm, Sha256};
pub use crate::protocol::identity::{
    CertificateIdentity, EmailAddress, IssuerKind, IssuerUrl, SubjectName,
};
pub use crate::protocol::keys::{EphemeralKey, KeyAlgorithm, KeyDetails, PublicKey, SigningKey};
pub use crate::protocol::merkle::proof::verify_consistency;
pub use crate::protocol::merkle::{
    Frontier, LeafIndex, NodeId, TILE_WIDTH, TileId, TileSpan, TreeSize, inclusion_proof,
    leaf_hash, node_hash, root_from_inclusion,
};
pub use crate::protocol::note::signed::{MAX_NOTE_BYTES, MAX_SIGNATURES};
pub use crate::protocol::note::{Checkpoint, TreeHeadKey, UnverifiedNote};
pub use crate::protocol::policy::{IdentityMatcher, MAX_BUNDLES, Policy, PolicyDocument};
pub use crate::protocol::time::{Clock, UnixTime, Validity};
pub use crate::protocol::tsp::request::{MAX_DER_REQUEST, MAX_JSON_REQUEST};
pub use crate::protocol::tsp::{
    Serial, TimestampRequest, TokenSigner, TrustedTsa, verify_reply, verify_response,
};
pub use crate::protocol::tuf::trusted_set::{TrustedSet, UpdateError};
pub use crate::protocol::tuf::{Metadata, Role, Root, Signed};
pub use crate::protocol::x509::profile::{
    CertificateIssuer, Principal, SerialNumber, signing_certificate,
};
pub use crate::protocol::x509::request::{verify_challenge, verify_request};
pub use crate::protocol::x509::sct::{
    PrecertEntry, SignedCertificateTimestamp, encode_sct_list, parse_sct_list,
};
pub use crate::protocol::x509::{Certificate, VerifiedSct, verify_path, verify_scts};
pub use crate::services::authority::Authority;
pub use crate::services::issuer::generate_key;
pub use crate::services::ledger::Table;
pub use crate::services::oidc::{
    FetchError, IdentityVerifier, IssuerKeys, KeyPolicy, KeySource, MAX_TOKEN_LENGTH, RawToken,
    TokenError, TrustedIssuer, VerifiedIdentity,
};
pub use crate::services::roster::AuthorityRole;
pub use crate::services::trust::RepositoryHealth;
pub use crate::services::trust::ceremony::RootSigningRequest;
pub use crate::services::trust::renewal::MetadataRenewer;
