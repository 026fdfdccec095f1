//! A token by whomever it says: its signature is checked with the certificate that came along, and
//! nobody is asked to trust that.

use super::signed_data::UnverifiedToken;
use super::tst_info::TstInfo;
use super::verify::find_signer;
use super::{MAX_RESPONSE, TimestampError};
use crate::protocol::keys::SignatureValid;

/// Verifies a DER TimeStampResp on its own: status granted, a well-formed statement, and a CMS
/// signature by the certificate that the token carries and names. Whose certificate that is, and
/// whether it may sign timestamps, is left open.
///
/// # Errors
/// See [`TimestampError`]; also a token without its signer's certificate.
pub(crate) fn verify_carried(response: &[u8]) -> Result<SignatureValid, TimestampError> {
    if response.len() > MAX_RESPONSE {
        return Err(TimestampError::TooLarge(response.len()));
    }
    let token = UnverifiedToken::parse_response(response)?;
    TstInfo::parse(token.statement)?;
    let signer = find_signer(&token, &[])?;
    token.signer.verify(signer.public_key(), token.statement)
}
