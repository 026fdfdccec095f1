//! How a token names its signer's certificate: SignerIdentifier (RFC 5652 §5.3) and ESSCertID or
//! ESSCertIDv2 (RFC 5035 §4–5). A token must name it in both ways.

use ring::digest;

use super::{known_hash, oid};
use crate::protocol::der::{self as der_form, DerReader as Fields, MalformedDer as Malformed};
use crate::protocol::hash::HashAlgorithm;
use crate::protocol::x509::Certificate;

/// issuerAndSerialNumber or subjectKeyIdentifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignerId<'a> {
    IssuerAndSerial(IssuerAndSerial<'a>),
    SubjectKeyId(&'a [u8]),
}

/// An issuer's Name in DER, and a serial number's INTEGER content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IssuerAndSerial<'a> {
    issuer: &'a [u8],
    serial: &'a [u8],
}

/// The hash of the signer's certificate, and whose certificate it is.
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
    /// Reads the next field of a SignerInfo.
    pub(super) fn take(fields: &mut Fields<'a>) -> Result<Self, Malformed> {
        if let Some(id) = fields.optional(der_form::CONTEXT_0_PRIMITIVE)? {
            return Ok(Self::SubjectKeyId(id));
        }
        let mut names = Fields::of(fields.take(der_form::SEQUENCE)?);
        let issuer = names.element(der_form::SEQUENCE)?.whole;
        let serial = names.integer()?;
        names.finish()?;
        Ok(Self::IssuerAndSerial(IssuerAndSerial { issuer, serial }))
    }

    /// Whether this is the certificate that is named.
    pub(super) fn names(&self, certificate: &Certificate) -> bool {
        match self {
            Self::IssuerAndSerial(name) => name.names(certificate),
            Self::SubjectKeyId(id) => certificate.extensions().subject_key_id() == Some(id),
        }
    }
}

impl IssuerAndSerial<'_> {
    fn names(&self, certificate: &Certificate) -> bool {
        self.issuer == certificate.issuer_name() && self.serial == certificate.serial()
    }
}

impl<'a> EssCertId<'a> {
    /// Reads a SigningCertificate: the first ESSCertID is the signer's (RFC 2634 §5.4).
    pub(super) fn parse_v1(value: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = first_id(value)?;
        let hash = CertHash::Sha1(fields.take(der_form::OCTET_STRING)?);
        Self::with(hash, fields)
    }

    /// Reads a SigningCertificateV2: the first ESSCertIDv2 is the signer's (RFC 5035 §3).
    pub(super) fn parse_v2(value: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = first_id(value)?;
        let mut hash = fields.next()?;
        let mut algorithm = HashAlgorithm::Sha256;
        if hash.tag == der_form::SEQUENCE {
            let named = Fields::of(hash.whole).plain_algorithm()?;
            algorithm = known_hash(named).ok_or(Malformed)?;
            hash = fields.next()?;
        }
        if hash.tag != der_form::OCTET_STRING {
            return Err(Malformed);
        }
        Self::with(CertHash::Sha2(algorithm, hash.content), fields)
    }

    fn with(hash: CertHash<'a>, mut rest: Fields<'a>) -> Result<Self, Malformed> {
        let issuer_serial = match rest.optional(der_form::SEQUENCE)? {
            None => None,
            Some(content) => Some(parse_issuer_serial(content)?),
        };
        rest.finish()?;
        Ok(Self {
            hash,
            issuer_serial,
        })
    }

    /// Whether these DER bytes hash as named.
    pub(super) fn fits_bytes(&self, der: &[u8]) -> bool {
        match self.hash {
            CertHash::Sha1(hash) => {
                digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, der).as_ref() == hash
            }
            CertHash::Sha2(algorithm, hash) => algorithm.digest(der).as_bytes() == hash,
        }
    }

    /// Whether this is the certificate that is named.
    pub(super) fn names(&self, certificate: &Certificate) -> bool {
        self.fits_bytes(certificate.der())
            && self
                .issuer_serial
                .is_none_or(|name| name.names(certificate))
    }
}

/// `SEQUENCE { certs SEQUENCE OF id, policies SEQUENCE OPTIONAL }`: the fields of the first id.
fn first_id(value: &[u8]) -> Result<Fields<'_>, Malformed> {
    let mut outer = Fields::inside(value, der_form::SEQUENCE)?;
    let mut ids = Fields::of(outer.take(der_form::SEQUENCE)?);
    outer.optional(der_form::SEQUENCE)?;
    outer.finish()?;
    Ok(Fields::of(ids.take(der_form::SEQUENCE)?))
}

/// IssuerSerial, its GeneralNames holding one directoryName (RFC 5035 §4).
fn parse_issuer_serial(content: &[u8]) -> Result<IssuerAndSerial<'_>, Malformed> {
    let mut fields = Fields::of(content);
    let mut names = Fields::of(fields.take(der_form::SEQUENCE)?);
    let mut name = Fields::of(names.take(der_form::CONTEXT_4)?);
    names.finish()?;
    let issuer = name.element(der_form::SEQUENCE)?.whole;
    name.finish()?;
    let serial = fields.integer()?;
    fields.finish()?;
    Ok(IssuerAndSerial { issuer, serial })
}

/// The attributes that name the signer's certificate; both are read where both are there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SigningCertificates<'a> {
    v1: Option<EssCertId<'a>>,
    v2: Option<EssCertId<'a>>,
}

impl<'a> SigningCertificates<'a> {
    /// Takes an attribute's value if it is one of the two.
    pub(super) fn read(
        &mut self,
        id: const_oid::ObjectIdentifier,
        value: &'a [u8],
    ) -> Result<(), Malformed> {
        match id {
            oid::SIGNING_CERTIFICATE => self.v1 = Some(EssCertId::parse_v1(value)?),
            oid::SIGNING_CERTIFICATE_V2 => self.v2 = Some(EssCertId::parse_v2(value)?),
            _ => {}
        }
        Ok(())
    }

    /// Whether there is one at all (RFC 3161 §2.4.1, RFC 5816 §2.2.1 require it).
    pub(super) const fn is_empty(&self) -> bool {
        self.v1.is_none() && self.v2.is_none()
    }

    /// Whether these DER bytes hash as every attribute says.
    pub(super) fn fit_bytes(&self, der: &[u8]) -> bool {
        self.all(|id| id.fits_bytes(der))
    }

    /// Whether this is the certificate that every attribute names.
    pub(super) fn name(&self, certificate: &Certificate) -> bool {
        self.all(|id| id.names(certificate))
    }

    fn all(&self, holds: impl Fn(&EssCertId<'a>) -> bool) -> bool {
        !self.is_empty() && self.v1.iter().chain(&self.v2).all(holds)
    }
}
