//! The classes of the engine's errors.

use super::{AppendError, ReadError};
use crate::classify::{Classify, ErrorClass};

impl Classify for AppendError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::TooLarge(_) | Self::TooManyKeys(_) => ErrorClass::Invalid,
            Self::Duplicate(_) => ErrorClass::Conflict,
            // After `Stopped` the entry may be in the log: appending it again finds out.
            Self::Overloaded | Self::Stopped => ErrorClass::Busy,
            Self::ReadOnly { .. } | Self::Full => ErrorClass::OperatorNeeded,
        }
    }
}

impl Classify for ReadError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::OutOfRange { .. } => ErrorClass::NotFound,
            Self::IndexBehind { .. } => ErrorClass::Busy,
            Self::Storage => ErrorClass::Internal,
        }
    }
}
