//! TSTInfo, the signed content of a token (RFC 3161 §2.4.2).

use const_oid::ObjectIdentifier;
use time::{Date, Month, PrimitiveDateTime, Time};

use super::signed_data::UnverifiedToken;
use super::{TimestampError, accepted_hash};
use crate::protocol::der::{self, DerReader, MalformedDer};
use crate::protocol::hash::Digest;
use crate::protocol::time::UnixTime;

/// A parsed TSTInfo.
#[derive(Debug)]
pub(super) struct TstInfo<'a> {
    /// None if the hash is not accepted or the digest has the wrong length.
    pub(super) digest: Option<Digest>,
    pub(super) policy: ObjectIdentifier,
    /// The content of the INTEGER.
    pub(super) serial: &'a [u8],
    pub(super) time: UnixTime,
    pub(super) nonce: Option<&'a [u8]>,
    pub(super) has_critical_extension: bool,
}

impl<'a> TstInfo<'a> {
    /// Parses a DER TSTInfo of version 1.
    pub(super) fn parse(der: &'a [u8]) -> Result<Self, MalformedDer> {
        let mut fields = DerReader::inside(der, der::SEQUENCE)?;
        if fields.integer()? != [1] {
            return Err(MalformedDer);
        }
        let policy = fields.oid()?;
        let mut imprint = DerReader::of(fields.take(der::SEQUENCE)?);
        let hash = imprint.plain_algorithm()?;
        let digest = imprint.take(der::OCTET_STRING)?;
        imprint.finish()?;
        let serial = fields.integer()?;
        let time = parse_time(fields.take(der::GENERALIZED_TIME)?).ok_or(MalformedDer)?;
        if let Some(accuracy) = fields.optional(der::SEQUENCE)? {
            check_accuracy(accuracy)?;
        }
        fields.default_false()?; // ordering
        let nonce = fields.optional_integer()?;
        fields.optional(der::CONTEXT_0)?; // tsa: a hint (RFC 3161 §2.4.2)
        let extensions = fields.optional(der::CONTEXT_1)?;
        fields.finish()?;
        Ok(Self {
            digest: accepted_hash(hash)
                .and_then(|algorithm| Digest::new(algorithm, digest.to_vec()).ok()),
            policy,
            serial,
            time,
            nonce,
            has_critical_extension: extensions.map_or(Ok(false), any_critical)?,
        })
    }
}

/// The TSTInfo of a granted token. Nothing in it is verified.
pub(crate) struct UnverifiedTstInfo {
    pub(crate) time: UnixTime,
    /// Big-endian, in two's complement.
    pub(crate) serial: Vec<u8>,
    pub(crate) policy: ObjectIdentifier,
}

impl UnverifiedTstInfo {
    /// Parses the TSTInfo in a DER TimeStampResp, as strictly as [`super::verify_response`] does.
    pub(crate) fn parse_response(response: &[u8]) -> Result<Self, TimestampError> {
        let token = UnverifiedToken::parse_response(response)?;
        let tst_info = TstInfo::parse(token.tst_info)?;
        Ok(Self {
            time: tst_info.time,
            serial: tst_info.serial.to_vec(),
            policy: tst_info.policy,
        })
    }
}

fn check_accuracy(content: &[u8]) -> Result<(), MalformedDer> {
    let mut fields = DerReader::of(content);
    fields.optional_integer()?;
    fields.optional(der::CONTEXT_0_PRIMITIVE)?;
    fields.optional(der::CONTEXT_1_PRIMITIVE)?;
    fields.finish()
}

fn any_critical(extensions: &[u8]) -> Result<bool, MalformedDer> {
    let mut extensions = DerReader::of(extensions);
    let mut any = false;
    while !extensions.is_finished() {
        let mut fields = DerReader::of(extensions.take(der::SEQUENCE)?);
        fields.oid()?;
        any |= fields.default_false()?;
        fields.take(der::OCTET_STRING)?;
        fields.finish()?;
    }
    Ok(any)
}

/// Parses `YYYYMMDDhhmmss[.f…]Z`, truncated to milliseconds. A fraction must not end with a zero
/// (RFC 3161 §2.4.2).
fn parse_time(text: &[u8]) -> Option<UnixTime> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (whole, fraction) = text
        .split_once('.')
        .map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() != 14 || !digits(whole) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| whole.get(range)?.parse::<u8>().ok();
    let date = Date::from_calendar_date(
        whole.get(0..4)?.parse().ok()?,
        Month::try_from(number(4..6)?).ok()?,
        number(6..8)?,
    )
    .ok()?;
    let time = Time::from_hms(number(8..10)?, number(10..12)?, number(12..14)?).ok()?;
    let seconds = PrimitiveDateTime::new(date, time)
        .assume_utc()
        .unix_timestamp();
    let millis = fraction.map_or(Some(0), |fraction| {
        let form = !fraction.is_empty() && fraction.len() <= 9 && digits(fraction);
        if !form || fraction.ends_with('0') {
            return None;
        }
        format!("{fraction:0<3}").get(..3)?.parse::<u64>().ok()
    })?;
    let whole = u64::try_from(seconds).ok()?.checked_mul(1000)?;
    Some(UnixTime::from_millis(whole.checked_add(millis)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_parsed_with_and_without_a_fraction() {
        let millis = |text: &str| parse_time(text.as_bytes()).map(UnixTime::millis);

        assert_eq!(millis("20230607112226Z"), Some(1_686_136_946_000));
        assert_eq!(millis("20230607112226.5Z"), Some(1_686_136_946_500));
        assert_eq!(millis("20230607112226.123456789Z"), Some(1_686_136_946_123));
        assert_eq!(millis("19700101000000Z"), Some(0));
    }

    #[test]
    fn times_in_other_forms_are_rejected() {
        for text in [
            "",
            "Z",
            "20230607112226",
            "20230607112226+0000",
            "202306071122Z",
            "20230607112226.Z",
            "20230607112226.50Z",
            "20230607112226,5Z",
            "20230607112226.1234567891Z",
            "20230231112226Z",
            "20231307112226Z",
            "20230607242226Z",
            "20230607112260Z",
            "19691231235959Z",
            "+0230607112226Z",
            "２０２３０６Z",
        ] {
            assert_eq!(parse_time(text.as_bytes()), None, "{text}");
        }
    }
}
