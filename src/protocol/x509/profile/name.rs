//! Whom a certificate names: a signer, or an authority.

use crate::protocol::identity::{IssuerUrl, MAX_NAME_LENGTH, SubjectName};

/// The facts about a signer that a certificate states. Whoever builds one has verified them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    issuer: IssuerUrl,
    subject: SubjectName,
    token_subject: String,
}

/// A token's subject that no certificate carries (OpenID Connect Core §2 allows 255 characters).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token's subject must have 1 to {MAX_NAME_LENGTH} printable ASCII characters")]
pub struct TokenSubjectError;

impl Principal {
    /// A signer under an issuer; `token_subject` is the token's `sub`, whatever the name is.
    ///
    /// # Errors
    /// A token subject that is empty, too long, or not printable ASCII.
    pub fn new(
        issuer: IssuerUrl,
        subject: SubjectName,
        token_subject: String,
    ) -> Result<Self, TokenSubjectError> {
        let printable = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        let fits = (1..=MAX_NAME_LENGTH).contains(&token_subject.len());
        if !fits || !token_subject.bytes().all(printable) {
            return Err(TokenSubjectError);
        }
        Ok(Self {
            issuer,
            subject,
            token_subject,
        })
    }

    /// The issuer of the identity.
    pub const fn issuer(&self) -> &IssuerUrl {
        &self.issuer
    }

    /// The name that the certificate carries.
    pub const fn subject(&self) -> &SubjectName {
        &self.subject
    }

    /// The token's `sub`.
    pub fn token_subject(&self) -> &str {
        &self.token_subject
    }
}

/// An authority's name: organisation and common name, both present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuthorityName {
    organization: String,
    common_name: String,
}

/// A name that no authority bears (RFC 5280 appendix A: ub-organization-name, ub-common-name).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("organisation and common name must have 1 to 64 characters, none of them a control")]
pub struct AuthorityNameError;

impl AuthorityName {
    /// A name of these two parts.
    ///
    /// # Errors
    /// A part that is empty, longer than 64 characters, or has control characters.
    pub(crate) fn new(organization: &str, common_name: &str) -> Result<Self, AuthorityNameError> {
        let fits = |text: &str| {
            (1..=64).contains(&text.chars().count())
                && !text.trim().is_empty()
                && !text.chars().any(char::is_control)
        };
        if !fits(organization) || !fits(common_name) {
            return Err(AuthorityNameError);
        }
        Ok(Self {
            organization: organization.to_owned(),
            common_name: common_name.to_owned(),
        })
    }

    /// organizationName
    pub(crate) fn organization(&self) -> &str {
        &self.organization
    }

    /// commonName
    pub(crate) fn common_name(&self) -> &str {
        &self.common_name
    }
}
