//! Inputs that only a lenient parser accepts are refused: repeated members, non-minimal DER, trailing bytes,
//! and lists over their limits.

use serde_json::Value;

use super::*;
use crate::protocol::bundle::BundleError;
use crate::protocol::bytes::to_base64;

fn document(bundle: &Bundle) -> Value {
    serde_json::from_str(&bundle.to_json()).unwrap()
}

fn read(json: &str) -> Result<Bundle, BundleError> {
    Bundle::from_json(json.as_bytes())
}

/// JSON pointers to all members of objects.
fn members(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, inner) in object {
                let place = format!("{at}/{name}");
                members(inner, &place, found);
                found.push(place);
            }
        }
        Value::Array(list) => {
            for (number, inner) in list.iter().enumerate() {
                members(inner, &format!("{at}/{number}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn a_repeated_member_is_refused_at_every_depth() {
    let world = World::new();
    for bundle in [world.native(), world.attestation(), world.managed()] {
        let document = document(&bundle);
        read(&document.to_string()).unwrap();
        let mut places = Vec::new();
        members(&document, "", &mut places);
        assert!(places.len() > 15, "{places:?}");

        for place in places {
            let value = document.pointer(&place).unwrap().to_string();
            let name = place.rsplit('/').next().unwrap();
            let mut marked = document.clone();
            *marked.pointer_mut(&place).unwrap() = "the-marked-one".into();
            let twice = format!("{value},\"{name}\":{value}");
            let json = marked.to_string().replace("\"the-marked-one\"", &twice);
            assert!(read(&json).is_err(), "{place}");
        }
    }
}

/// Re-encodes the outermost length in four bytes.
fn long_length(der: &[u8]) -> Vec<u8> {
    let header = match der[1] {
        short if short < 0x80 => 2,
        long => usize::from(long & 0x7f) + 2,
    };
    let content = &der[header..];
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&[der[0], 0x84], &length[..], content].concat()
}

#[test]
fn non_minimal_der_is_refused_everywhere() {
    let world = World::new();
    let good = world.native();
    let with = |change: &dyn Fn(&mut Bundle)| {
        let mut bundle = good.clone();
        change(&mut bundle);
        world.code(&bundle)
    };
    let leaf = good.material.certificate().unwrap();
    let key = world.signer.public_key();
    let valid = signature(&good);

    assert_eq!(
        with(&|b| b.material = SigningMaterial::Certificate(long_length(leaf))),
        "certificate-malformed"
    );
    assert_eq!(
        with(&|b| b.timestamps = vec![long_length(&good.timestamps[0])]),
        "timestamp-invalid"
    );
    assert!(key.verify_message(ARTIFACT, valid).is_ok());
    assert!(key.verify_message(ARTIFACT, &long_length(valid)).is_err());
    let digest = HashAlgorithm::Sha256.digest(ARTIFACT);
    assert!(key.verify_digest(&digest, &long_length(valid)).is_err());
    assert!(PublicKey::from_spki_der(&long_length(key.spki_der())).is_err());
}

#[test]
fn trailing_bytes_are_refused_everywhere() {
    let world = World::new();
    let good = world.native();
    let longer = |bytes: &[u8]| [bytes, &[0]].concat();
    let with = |change: &dyn Fn(&mut Bundle)| {
        let mut bundle = good.clone();
        change(&mut bundle);
        world.code(&bundle)
    };
    let leaf = good.material.certificate().unwrap();
    let key = world.signer.public_key();
    let valid = signature(&good);

    assert!(read(&format!("{}{{}}", good.to_json())).is_err());
    assert_eq!(
        with(&|b| b.material = SigningMaterial::Certificate(longer(leaf))),
        "certificate-malformed"
    );
    assert_eq!(
        with(&|b| b.timestamps = vec![longer(&good.timestamps[0])]),
        "timestamp-invalid"
    );
    assert_eq!(
        with(&|b| b.entries[0].body = longer(&good.entries[0].body)),
        "inclusion-proof-invalid"
    );
    assert!(key.verify_message(ARTIFACT, &longer(valid)).is_err());
    let digest = HashAlgorithm::Sha256.digest(ARTIFACT);
    assert!(key.verify_digest(&digest, &longer(valid)).is_err());
    assert!(PublicKey::from_spki_der(&longer(key.spki_der())).is_err());
}

#[test]
fn limits_are_enforced_while_parsing_before_any_signature_is_verified() {
    // The result is a parse error, so no signature was verified.
    let world = World::new();
    let good = document(&world.native());
    let grown = |place: &str, count: usize| {
        let mut document = good.clone();
        let list = document.pointer_mut(place).and_then(Value::as_array_mut);
        let list = list.unwrap();
        let one = list[0].clone();
        *list = vec![one; count];
        read(&document.to_string())
    };
    let entries = "/verificationMaterial/tlogEntries";
    let timestamps = "/verificationMaterial/timestampVerificationData/rfc3161Timestamps";

    for place in [entries, timestamps] {
        grown(place, 32).unwrap();
        assert!(matches!(grown(place, 33), Err(BundleError::Json(_))));
    }
    let mut large = good.to_string();
    large.push_str(&" ".repeat(crate::protocol::bundle::MAX_BUNDLE_LENGTH - large.len()));
    read(&large).unwrap();
    large.push(' ');
    assert!(matches!(read(&large), Err(BundleError::TooLarge(_))));
}

#[test]
fn re_encoded_payloads_and_bodies_are_refused() {
    // Signatures and leaf hashes cover bytes, not parsed values.
    let world = World::new();
    let mut attestation = world.attestation();
    let Content::Envelope(envelope) = &mut attestation.content else {
        unreachable!("an attestation")
    };
    let spaced = String::from_utf8(envelope.payload.clone()).unwrap();
    envelope.payload = spaced.replacen("\":", "\": ", 1).into_bytes();
    let mut message = world.native();
    let body = String::from_utf8(message.entries[0].body.clone()).unwrap();
    message.entries[0].body = body.replacen("\":", "\": ", 1).into_bytes();

    assert_eq!(world.code(&attestation), "entry-mismatch");
    assert_eq!(world.code(&message), "inclusion-proof-invalid");
}

#[test]
fn base64_with_trailing_bits_is_refused() {
    let world = World::new();
    let mut document = document(&world.native());
    let id = document
        .pointer_mut("/verificationMaterial/tlogEntries/0/logId/keyId")
        .unwrap();
    let text = id.as_str().unwrap().to_owned();
    let bytes = crate::protocol::bytes::from_base64(&text).unwrap();
    assert_eq!(to_base64(&bytes), text);
    // 32 bytes do not use two bits of the last letter; the next letter sets one of them.
    let mut loose = text.into_bytes();
    loose[42] += 1;
    *id = String::from_utf8(loose).unwrap().into();

    assert!(read(&document.to_string()).is_err());
}
