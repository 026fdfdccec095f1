//! Certificates before they are signed. A signing leaf is signed twice: with the poison extension for the
//! certificate log, and with the log's SCT list for the client.

use const_oid::ObjectIdentifier;
use der::asn1::{AnyRef, BitStringRef, OctetStringRef};
use der::{Decode, Encode};

use super::super::extensions::{POISON, SCT_LIST};
use super::super::sct::{SignedCertificateTimestamp, encode_sct_list};
use super::super::tbs::{self, RawCertificate, RawExtension};
use super::super::{Certificate, SignatureAlgorithm};
use super::{ProfileError, encoding};
use crate::protocol::keys::SigningKey;

/// A certificate without its signature.
#[derive(Clone, Debug)]
pub struct UnsignedCertificate {
    pub(super) tbs: Vec<u8>,
    pub(super) algorithm: SignatureAlgorithm,
}

impl UnsignedCertificate {
    /// The TBSCertificate in DER, without poison or SCT list.
    pub fn tbs(&self) -> &[u8] {
        &self.tbs
    }

    /// Adds the precertificate poison as the last extension (RFC 6962 §3.1).
    ///
    /// # Errors
    /// [`ProfileError::Encoding`]
    pub fn with_poison(&self) -> Result<Self, ProfileError> {
        const NULL: &[u8] = &[5, 0];
        self.with_extension(POISON, true, NULL)
    }

    /// Adds the SCT list as the last extension (RFC 6962 §3.3).
    ///
    /// # Errors
    /// The list is too long, or [`ProfileError::Encoding`].
    pub fn with_scts(&self, scts: &[SignedCertificateTimestamp]) -> Result<Self, ProfileError> {
        self.with_extension(SCT_LIST, false, &encode_sct_list(scts)?)
    }

    fn with_extension(
        &self,
        id: ObjectIdentifier,
        critical: bool,
        value: &[u8],
    ) -> Result<Self, ProfileError> {
        let value = OctetStringRef::new(value).map_err(encoding)?;
        let extension = RawExtension {
            id,
            critical,
            value,
        };
        Ok(Self {
            tbs: tbs::with_extension(&self.tbs, &extension).map_err(encoding)?,
            algorithm: self.algorithm,
        })
    }

    /// Signs with the issuer's key. Returns the DER certificate.
    ///
    /// # Errors
    /// The key is of another kind than the issuer's, or the randomness failed.
    pub fn sign(&self, key: &SigningKey) -> Result<Vec<u8>, ProfileError> {
        if SignatureAlgorithm::of_key(key.public_key().algorithm()) != self.algorithm {
            return Err(ProfileError::OtherKey);
        }
        let signature = key.sign(&self.tbs)?;
        let algorithm = self.algorithm.to_der().map_err(encoding)?;
        RawCertificate {
            tbs: AnyRef::from_der(&self.tbs).map_err(encoding)?,
            signature_algorithm: AnyRef::from_der(&algorithm).map_err(encoding)?,
            signature: BitStringRef::from_bytes(&signature).map_err(encoding)?,
        }
        .to_der()
        .map_err(encoding)
    }

    /// Signs with the issuer's key and parses the result.
    ///
    /// # Errors
    /// As [`Self::sign`]; also a result that Signet's own parser refuses.
    pub fn sign_certificate(&self, key: &SigningKey) -> Result<Certificate, ProfileError> {
        Ok(Certificate::from_der(&self.sign(key)?)?)
    }
}
