//! Rejections: a TimeStampResp without a token (RFC 3161 §2.4.2).

use crate::protocol::der;

/// PKIFailureInfo. The discriminant is the bit's position in the BIT STRING.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PkiFailure {
    /// badAlg: the hash algorithm is unknown or too weak
    BadAlgorithm = 0,
    /// badRequest: the request's version is not supported
    BadRequest = 2,
    /// badDataFormat: the request has the wrong form
    BadDataFormat = 5,
    /// timeNotAvailable: the authority's clock is not reliable
    TimeNotAvailable = 14,
    /// unacceptedPolicy: the requested policy is not supported
    UnacceptedPolicy = 15,
    /// unacceptedExtension: the request has an extension
    UnacceptedExtension = 16,
    /// systemFailure: an internal error
    SystemFailure = 25,
}

impl PkiFailure {
    /// The name in RFC 3161 §2.4.2.
    #[cfg(any(test, feature = "testing"))]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadAlgorithm => "badAlg",
            Self::BadRequest => "badRequest",
            Self::BadDataFormat => "badDataFormat",
            Self::TimeNotAvailable => "timeNotAvailable",
            Self::UnacceptedPolicy => "unacceptedPolicy",
            Self::UnacceptedExtension => "unacceptedExtension",
            Self::SystemFailure => "systemFailure",
        }
    }

    /// Encodes a named-bit BIT STRING, which omits trailing zero bits (X.690 §11.2.2).
    fn to_bit_string(self) -> Vec<u8> {
        let position = self as u32;
        let zero_bytes = usize::try_from(position.wrapping_div(8)).unwrap_or_default();
        let bit = position.wrapping_rem(8);
        let unused = u8::try_from(7u32.wrapping_sub(bit)).unwrap_or_default();
        let mut content = vec![0; zero_bytes];
        content.insert(0, unused);
        content.push(0x80_u8.wrapping_shr(bit));
        der::element(der::BIT_STRING, &[&content])
    }
}

/// Encodes a TimeStampResp with status `rejection` (2), a status text and a failure.
pub(crate) fn rejection(failure: PkiFailure, text: &str) -> Vec<u8> {
    let status = [der::INTEGER, 1, 2];
    let text = der::element(der::UTF8_STRING, &[text.as_bytes()]);
    let texts = der::element(der::SEQUENCE, &[&text]);
    let info = der::element(der::SEQUENCE, &[&status, &texts, &failure.to_bit_string()]);
    der::element(der::SEQUENCE, &[&info])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_encoded_as_named_bits_without_trailing_zeros() {
        for (failure, encoded) in [
            (PkiFailure::BadAlgorithm, "03020780"),
            (PkiFailure::BadRequest, "03020520"),
            (PkiFailure::BadDataFormat, "03020204"),
            (PkiFailure::TimeNotAvailable, "0303010002"),
            (PkiFailure::UnacceptedPolicy, "0303000001"),
            (PkiFailure::UnacceptedExtension, "030407000080"),
            (PkiFailure::SystemFailure, "03050600000040"),
        ] {
            assert_eq!(
                hex::encode(failure.to_bit_string()),
                encoded,
                "{}",
                failure.name()
            );
        }
    }

    #[test]
    fn a_rejection_has_status_text_and_failure_and_no_token() {
        assert_eq!(
            hex::encode(rejection(PkiFailure::BadAlgorithm, "no")),
            "300f300d02010230040c026e6f03020780"
        );
    }
}
