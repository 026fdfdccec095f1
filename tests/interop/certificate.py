"""Checks a certificate that the server issued, with Python's cryptography and no code of Signet.

Checks every field of the profile, the SCT's signature over the rebuilt precertificate, and that the
precertificate in the CT log is the certificate with the poison extension instead of the SCT list.

    certificate.py URL LEAF_DER TRUSTED_ROOT EMAIL
"""

import base64
import hashlib
import json
import pathlib
import struct
import sys

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

FULCIO = "1.3.6.1.4.1.57264.1."


def der_items(data):
    """The top-level DER items of `data`, each as (tag, whole encoding)."""
    while data:
        length, head = data[1], 2
        if length & 0x80:
            head = 2 + (length & 0x7F)
            length = int.from_bytes(data[2:head], "big")
        yield data[0], data[: head + length], data[head : head + length]
        data = data[head + length :]


def der(tag, content):
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    size = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + length.to_bytes(size, "big") + content


def without_extension(tbs, oid):
    """The TBSCertificate without its extension `oid` (DER of the OID), rebuilt from the bytes."""
    ((_, _, content),) = der_items(tbs)
    out = b""
    for tag, whole, inner in der_items(content):
        if tag == 0xA3:
            ((_, _, extensions),) = der_items(inner)
            kept = [w for _, w, body in der_items(extensions) if next(der_items(body))[1] != oid]
            whole = der(0xA3, der(0x30, b"".join(kept)))
        out += whole
    return der(0x30, out)


SCT_LIST = bytes.fromhex("060a2b06010401d679020402")
POISON = bytes.fromhex("060a2b06010401d679020403")


def check_profile(leaf, issuer, issuer_url, email):
    assert leaf.version == x509.Version.v3
    assert not list(leaf.subject)
    assert 0 < leaf.serial_number.bit_length() <= 159
    life = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    # From up to two seconds before it was issued until ten minutes after.
    assert 600 <= life.total_seconds() <= 602, life
    get = leaf.extensions.get_extension_for_oid
    usage = get(ExtensionOID.KEY_USAGE)
    assert usage.critical and usage.value.digital_signature
    assert not (usage.value.key_cert_sign or usage.value.crl_sign or usage.value.key_encipherment)
    extended = get(ExtensionOID.EXTENDED_KEY_USAGE)
    assert not extended.critical and list(extended.value) == [ExtendedKeyUsageOID.CODE_SIGNING]
    names = get(ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    assert names.critical and [type(n) for n in names.value] == [x509.RFC822Name]
    assert names.value[0].value == email
    key_id = get(ExtensionOID.AUTHORITY_KEY_IDENTIFIER).value.key_identifier
    assert key_id == issuer.extensions.get_extension_for_oid(
        ExtensionOID.SUBJECT_KEY_IDENTIFIER
    ).value.digest
    get(ExtensionOID.SUBJECT_KEY_IDENTIFIER)
    raw = {e.oid.dotted_string: e for e in leaf.extensions}
    assert raw[FULCIO + "1"].value.value == issuer_url.encode()
    assert raw[FULCIO + "8"].value.value == der(0x0C, issuer_url.encode())
    assert raw[FULCIO + "24"].value.value[0] == 0x0C
    assert leaf.extensions[-1].oid == ExtensionOID.PRECERT_SIGNED_CERTIFICATE_TIMESTAMPS
    leaf.verify_directly_issued_by(issuer)


def check_sct(leaf, issuer, log_key):
    (sct,) = leaf.extensions.get_extension_for_oid(
        ExtensionOID.PRECERT_SIGNED_CERTIFICATE_TIMESTAMPS
    ).value
    spki = log_key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert sct.log_id == hashlib.sha256(spki).digest()
    issuer_spki = issuer.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    tbs = leaf.tbs_precertificate_bytes
    assert tbs == without_extension(leaf.tbs_certificate_bytes, SCT_LIST)
    millis = int.from_bytes(leaf_sct_time(leaf), "big")
    signed = (
        struct.pack(">BBQH", 0, 0, millis, 1)
        + hashlib.sha256(issuer_spki).digest()
        + len(tbs).to_bytes(3, "big")
        + tbs
        + struct.pack(">H", len(sct.extension_bytes))
        + sct.extension_bytes
    )
    log_key.verify(sct.signature, signed, ec.ECDSA(hashes.SHA256()))
    return signed, tbs


def leaf_sct_time(leaf):
    raw = leaf.extensions.get_extension_for_oid(
        ExtensionOID.PRECERT_SIGNED_CERTIFICATE_TIMESTAMPS
    ).value.public_bytes()
    ((_, _, content),) = der_items(raw)
    # u16 list, u16 SCT, u8 version, 32 bytes of log ID, then the timestamp.
    return content[2 + 2 + 1 + 32 :][:8]


def check_logged(url, leaf, issuer, signed, tbs):
    base = f"{url}/ct/ct/v1"
    size = requests.get(f"{base}/get-sth", timeout=10).json()["tree_size"]
    entries = []
    while len(entries) < size:
        page = requests.get(f"{base}/get-entries", params={"start": len(entries), "end": size}, timeout=10)
        entries += page.json()["entries"]
    # MerkleTreeLeaf is the signed structure except for its first two bytes (RFC 6962 §3.2, §3.4).
    wanted = b"\x00\x00" + signed[2:]
    # static-ct-api: the SCT contains the index of its entry, in 40 bits after type and length.
    assert signed[-10:-5] == b"\x00\x08\x00\x00\x05"
    entry = entries[int.from_bytes(signed[-5:], "big")]
    assert base64.b64decode(entry["leaf_input"]) == wanted
    extra = base64.b64decode(entry["extra_data"])
    length = int.from_bytes(extra[:3], "big")
    precert = x509.load_der_x509_certificate(extra[3 : 3 + length])
    precert.verify_directly_issued_by(issuer)
    poison = precert.extensions[-1]
    assert poison.oid == ExtensionOID.PRECERT_POISON and poison.critical
    assert without_extension(precert.tbs_certificate_bytes, POISON) == tbs
    assert precert.serial_number == leaf.serial_number


def main(url, leaf, trusted_root, email):
    leaf = x509.load_der_x509_certificate(pathlib.Path(leaf).read_bytes())
    trusted_root = json.loads(pathlib.Path(trusted_root).read_text())
    chain = trusted_root["certificateAuthorities"][-1]["certChain"]["certificates"]
    issuer, root = (
        x509.load_der_x509_certificate(base64.b64decode(c["rawBytes"])) for c in chain
    )
    issuer.verify_directly_issued_by(root)
    root.verify_directly_issued_by(root)
    log_key = serialization.load_der_public_key(
        base64.b64decode(trusted_root["ctlogs"][-1]["publicKey"]["rawBytes"])
    )
    check_profile(leaf, issuer, url, email)
    signed, tbs = check_sct(leaf, issuer, log_key)
    check_logged(url, leaf, issuer, signed, tbs)
    print(f"certificate {leaf.serial_number:x} is as it should be")


if __name__ == "__main__":
    main(*sys.argv[1:])
