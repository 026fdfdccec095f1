//! The classes of errors that services return. An error is classified once, next to its
//! definition; each API renders the class in its own format (`adapters::http::refusal`).

use std::error::Error;

/// What kind of failure an error is, and so what the caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorClass {
    /// The request is wrong. Sending it again does not help.
    Invalid,
    /// The caller may not do this.
    Forbidden,
    /// What the request names does not exist.
    NotFound,
    /// What the request would create exists already.
    Conflict,
    /// The request exceeds a limit on its size.
    TooLarge,
    /// The server cannot do it now; sending the request again in a second helps.
    Busy,
    /// The server cannot do it until its operator acts.
    OperatorNeeded,
    /// The server failed. The error is logged with its cause.
    Internal,
}

/// An error that a service returns to its callers.
pub(crate) trait Classify: Error {
    /// The error's class.
    fn class(&self) -> ErrorClass;

    /// A stable identifier for programs, in kebab case: the last part of a problem document's `type`.
    fn code(&self) -> &'static str {
        match self.class() {
            ErrorClass::Invalid => "invalid",
            ErrorClass::Forbidden => "forbidden",
            ErrorClass::NotFound => "not-found",
            ErrorClass::Conflict => "conflict",
            ErrorClass::TooLarge => "too-large",
            ErrorClass::Busy => "busy",
            ErrorClass::OperatorNeeded => "operator-needed",
            ErrorClass::Internal => "internal",
        }
    }
}
