//! The class of a token's refusal.

use super::error::TokenError;
use crate::classify::{Classify, ErrorClass};

impl Classify for TokenError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::IssuerUnavailable => ErrorClass::Busy,
            // Fulcio answers 400 where 401 would be expected, and its clients rely on it.
            Self::TooLong
            | Self::NotCompact
            | Self::BadHeader
            | Self::CriticalHeader
            | Self::AlgorithmNotAccepted
            | Self::BadPayload
            | Self::UnknownIssuer
            | Self::UnknownKey
            | Self::AmbiguousKey
            | Self::Signature
            | Self::MissingClaim(_)
            | Self::WrongClaim(_)
            | Self::Audience
            | Self::Expired
            | Self::NotYetValid
            | Self::IssuedInTheFuture
            | Self::LivesTooLong { .. }
            | Self::EmailNotVerified
            | Self::Name { .. }
            | Self::OutsideSubjectDomain => ErrorClass::Invalid,
        }
    }
}
