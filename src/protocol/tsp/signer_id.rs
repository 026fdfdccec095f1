//! Identifiers of the signer's certificate: SignerIdentifier (RFC 5652 §5.3), and ESSCertID or ESSCertIDv2
//! (RFC 5035 §4–5). A token must have both kinds, and all must identify one certificate.

use ring::digest;

use super::{accepted_hash, oid};
use crate::protocol::der::{self, DerReader, MalformedDer};
use crate::protocol::hash::HashAlgorithm;
use crate::protocol::x509::Certificate;

/// SignerIdentifier
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignerId<'a> {
    IssuerAndSerial(IssuerAndSerial<'a>),
    SubjectKeyId(&'a [u8]),
}

/// The issuer's DER Name and the content of the serial number's INTEGER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IssuerAndSerial<'a> {
    issuer: &'a [u8],
    serial: &'a [u8],
}

/// ESSCertID or ESSCertIDv2
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EssCertId<'a> {
    hash: CertHash<'a>,
    issuer_serial: Option<IssuerAndSerial<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CertHash<'a> {
    Sha1(&'a [u8]),
    Sha2(HashAlgorithm, &'a [u8]),
}

impl<'a> SignerId<'a> {
    pub(super) fn parse(fields: &mut DerReader<'a>) -> Result<Self, MalformedDer> {
        if let Some(id) = fields.optional(der::CONTEXT_0_PRIMITIVE)? {
            return Ok(Self::SubjectKeyId(id));
        }
        let mut names = DerReader::of(fields.take(der::SEQUENCE)?);
        let issuer = names.element(der::SEQUENCE)?.whole;
        let serial = names.integer()?;
        names.finish()?;
        Ok(Self::IssuerAndSerial(IssuerAndSerial { issuer, serial }))
    }

    pub(super) fn matches(&self, certificate: &Certificate) -> bool {
        match self {
            Self::IssuerAndSerial(name) => name.matches(certificate),
            Self::SubjectKeyId(id) => certificate.extensions().subject_key_id() == Some(id),
        }
    }
}

impl IssuerAndSerial<'_> {
    fn matches(&self, certificate: &Certificate) -> bool {
        self.issuer == certificate.issuer_name() && self.serial == certificate.serial()
    }
}

impl<'a> EssCertId<'a> {
    /// Parses a SigningCertificate, whose first ESSCertID is the signer's (RFC 2634 §5.4).
    pub(super) fn parse_v1(value: &'a [u8]) -> Result<Self, MalformedDer> {
        let mut fields = first_id(value)?;
        let hash = CertHash::Sha1(fields.take(der::OCTET_STRING)?);
        Self::parse_issuer_after(hash, fields)
    }

    /// Parses a SigningCertificateV2, whose first ESSCertIDv2 is the signer's (RFC 5035 §3).
    pub(super) fn parse_v2(value: &'a [u8]) -> Result<Self, MalformedDer> {
        let mut fields = first_id(value)?;
        let mut hash = fields.next()?;
        let mut algorithm = HashAlgorithm::Sha256;
        if hash.tag == der::SEQUENCE {
            let named = DerReader::of(hash.whole).plain_algorithm()?;
            algorithm = accepted_hash(named).ok_or(MalformedDer)?;
            hash = fields.next()?;
        }
        if hash.tag != der::OCTET_STRING {
            return Err(MalformedDer);
        }
        Self::parse_issuer_after(CertHash::Sha2(algorithm, hash.content), fields)
    }

    fn parse_issuer_after(
        hash: CertHash<'a>,
        mut rest: DerReader<'a>,
    ) -> Result<Self, MalformedDer> {
        let issuer_serial = match rest.optional(der::SEQUENCE)? {
            None => None,
            Some(content) => Some(parse_issuer_serial(content)?),
        };
        rest.finish()?;
        Ok(Self {
            hash,
            issuer_serial,
        })
    }

    pub(super) fn hash_matches(&self, der: &[u8]) -> bool {
        match self.hash {
            CertHash::Sha1(hash) => {
                digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, der).as_ref() == hash
            }
            CertHash::Sha2(algorithm, hash) => algorithm.digest(der).as_bytes() == hash,
        }
    }

    pub(super) fn matches(&self, certificate: &Certificate) -> bool {
        self.hash_matches(certificate.der())
            && self
                .issuer_serial
                .is_none_or(|name| name.matches(certificate))
    }
}

/// Parses `SEQUENCE { certs SEQUENCE OF id, policies SEQUENCE OPTIONAL }` and returns the fields of the
/// first id.
fn first_id(value: &[u8]) -> Result<DerReader<'_>, MalformedDer> {
    let mut outer = DerReader::inside(value, der::SEQUENCE)?;
    let mut ids = DerReader::of(outer.take(der::SEQUENCE)?);
    outer.optional(der::SEQUENCE)?;
    outer.finish()?;
    Ok(DerReader::of(ids.take(der::SEQUENCE)?))
}

/// Parses an IssuerSerial whose GeneralNames is one directoryName (RFC 5035 §4).
fn parse_issuer_serial(content: &[u8]) -> Result<IssuerAndSerial<'_>, MalformedDer> {
    let mut fields = DerReader::of(content);
    let mut names = DerReader::of(fields.take(der::SEQUENCE)?);
    let mut name = DerReader::of(names.take(der::CONTEXT_4)?);
    names.finish()?;
    let issuer = name.element(der::SEQUENCE)?.whole;
    name.finish()?;
    let serial = fields.integer()?;
    fields.finish()?;
    Ok(IssuerAndSerial { issuer, serial })
}

/// The signing-certificate attributes. A token may have both versions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SigningCertificates<'a> {
    v1: Option<EssCertId<'a>>,
    v2: Option<EssCertId<'a>>,
}

impl<'a> SigningCertificates<'a> {
    /// Parses the value if the attribute is one of the two; ignores other attributes.
    pub(super) fn read(
        &mut self,
        id: const_oid::ObjectIdentifier,
        value: &'a [u8],
    ) -> Result<(), MalformedDer> {
        match id {
            oid::SIGNING_CERTIFICATE => self.v1 = Some(EssCertId::parse_v1(value)?),
            oid::SIGNING_CERTIFICATE_V2 => self.v2 = Some(EssCertId::parse_v2(value)?),
            _ => {}
        }
        Ok(())
    }

    /// RFC 3161 §2.4.2 and RFC 5816 §2.2.1 require at least one.
    pub(super) const fn is_empty(&self) -> bool {
        self.v1.is_none() && self.v2.is_none()
    }

    /// Whether every hash matches this DER certificate.
    pub(super) fn hashes_match(&self, der: &[u8]) -> bool {
        self.all(|id| id.hash_matches(der))
    }

    /// Whether every attribute identifies this certificate.
    pub(super) fn match_certificate(&self, certificate: &Certificate) -> bool {
        self.all(|id| id.matches(certificate))
    }

    fn all(&self, matches: impl Fn(&EssCertId<'a>) -> bool) -> bool {
        !self.is_empty() && self.v1.iter().chain(&self.v2).all(matches)
    }
}
