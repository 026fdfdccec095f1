//! The names in certificates: of signers and of authorities.

use crate::protocol::identity::{IssuerUrl, MAX_NAME_LENGTH, SubjectName};

/// What a certificate states about a signer. The caller has verified it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Principal<'a> {
    issuer: &'a IssuerUrl,
    subject: &'a SubjectName,
    token_subject: &'a str,
}

/// A token subject that no certificate contains (OpenID Connect Core §2 allows 255 characters).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token's subject must have 1 to {MAX_NAME_LENGTH} printable ASCII characters")]
pub struct TokenSubjectError;

impl<'a> Principal<'a> {
    /// A signer whom this issuer authenticated; `token_subject` is the token's `sub`, even if another
    /// claim is the certificate's subject.
    ///
    /// # Errors
    /// A token subject that is empty, too long, or not printable ASCII.
    pub fn new(
        issuer: &'a IssuerUrl,
        subject: &'a SubjectName,
        token_subject: &'a str,
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

    pub(crate) const fn issuer(&self) -> &'a IssuerUrl {
        self.issuer
    }

    pub(super) const fn subject(&self) -> &'a SubjectName {
        self.subject
    }

    pub(super) const fn token_subject(&self) -> &'a str {
        self.token_subject
    }
}

/// An authority's name: organisation and common name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuthorityName {
    organization: String,
    common_name: String,
}

/// A name that no authority has (RFC 5280 appendix A: ub-organization-name, ub-common-name).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("organisation and common name must have 1 to 64 characters, none of them a control")]
pub struct AuthorityNameError;

impl AuthorityName {
    /// # Errors
    /// A part that is blank, longer than 64 characters, or has control characters.
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

    pub(super) fn organization(&self) -> &str {
        &self.organization
    }

    pub(super) fn common_name(&self) -> &str {
        &self.common_name
    }
}
