"""Audits a running instance's logs with independent code.

Reads the signature log through its tiles and the CT log through its RFC 6962 endpoints and as static
files, recomputes every leaf hash and root, verifies the signatures on all heads, and fetches every
issuer. If an earlier run stored its heads, it verifies that the trees are consistent with them, by recomputing the
old roots and with the CT log's consistency proof.

    audit.py URL TRUSTED_ROOT STATE
"""

import base64
import hashlib
import json
import pathlib
import struct
import sys

import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def leaf_hash(leaf):
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(hashes_):
    """MTH of RFC 6962 §2.1, as the RFC defines it."""
    if not hashes_:
        return hashlib.sha256(b"").digest()
    if len(hashes_) == 1:
        return hashes_[0]
    split = 1
    while split * 2 < len(hashes_):
        split *= 2
    return node_hash(root_of(hashes_[:split]), root_of(hashes_[split:]))


def check_consistency(first, first_root, second, second_root, proof):
    """Verifies a consistency proof (RFC 9162 §2.1.4.2)."""
    if first == second:
        assert not proof and first_root == second_root
        return
    if first & (first - 1) == 0:
        proof = [first_root, *proof]
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = proof[0]
    for c in proof[1:]:
        assert sn != 0
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0 and fr == first_root and sr == second_root


def fetch(url, **params):
    reply = requests.get(url, params=params, timeout=10)
    reply.raise_for_status()
    return reply


def tile_path(index):
    groups = [f"{index % 1000:03d}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03d}")
    return "/".join(groups)


def key_of(log):
    return serialization.load_der_public_key(base64.b64decode(log["publicKey"]["rawBytes"]))


def audit_tiles(url, log):
    """The signature log: checkpoint, hash tiles and entry bundles."""
    note = fetch(f"{url}/checkpoint").text
    assert note == fetch(f"{url}/api/v2/checkpoint").text
    text, signatures = note.split("\n\n")
    text += "\n"
    origin, size, root = text.splitlines()[:3]
    size, root = int(size), base64.b64decode(root)
    marker, name, signature = signatures.splitlines()[0].split(" ")
    signature = base64.b64decode(signature)
    log_id = base64.b64decode(log["logId"]["keyId"])
    raw = key_of(log).public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    assert log_id == hashlib.sha256(name.encode() + b"\n\x01" + raw).digest()
    assert marker == "\u2014" and name == origin and signature[:4] == log_id[:4]
    key_of(log).verify(signature[4:], text.encode())

    leaves = []
    for index in range((size + 255) // 256):
        width = min(256, size - index * 256)
        path = tile_path(index) + ("" if width == 256 else f".p/{width}")
        bundle = fetch(f"{url}/api/v2/tile/entries/{path}").content
        assert bundle == fetch(f"{url}/tile/entries/{path}").content
        hashes_ = fetch(f"{url}/api/v2/tile/0/{path}").content
        entries = []
        while bundle:
            (length,) = struct.unpack(">H", bundle[:2])
            entries.append(leaf_hash(bundle[2 : 2 + length]))
            bundle = bundle[2 + length :]
        assert len(entries) == width and b"".join(entries) == hashes_
        leaves += entries
    assert root_of(leaves) == root, "the signature log's root is not that of its entries"
    return leaves


def audit_ct(url, log, earlier):
    """The CT log: signed tree head, entries, consistency with an earlier head."""
    base = f"{url}/ct/ct/v1"
    sth = fetch(f"{base}/get-sth").json()
    size, root = sth["tree_size"], base64.b64decode(sth["sha256_root_hash"])
    signature = base64.b64decode(sth["tree_head_signature"])
    assert signature[:2] == b"\x04\x03"
    (length,) = struct.unpack(">H", signature[2:4])
    assert len(signature) == 4 + length
    signed = struct.pack(">BBQQ", 0, 1, sth["timestamp"], size) + root
    key_of(log).verify(signature[4:], signed, ec.ECDSA(hashes.SHA256()))

    leaves = []
    while len(leaves) < size:
        entries = fetch(f"{base}/get-entries", start=len(leaves), end=size).json()["entries"]
        leaves += [leaf_hash(base64.b64decode(entry["leaf_input"])) for entry in entries]
    assert root_of(leaves) == root, "the CT log's root is not that of its entries"
    for index, leaf in enumerate(leaves[-3:], len(leaves[-3:]) and size - len(leaves[-3:])):
        found = fetch(
            f"{base}/get-proof-by-hash", hash=base64.b64encode(leaf).decode(), tree_size=size
        ).json()
        assert found["leaf_index"] == index
    if earlier:
        reply = fetch(f"{base}/get-sth-consistency", first=earlier["size"], second=size).json()
        proof = [base64.b64decode(node) for node in reply["consistency"]]
        check_consistency(earlier["size"], bytes.fromhex(earlier["root"]), size, root, proof)
    return leaves


def open_tree_head(note, base_url, log):
    """The head in a note of static-ct-api: RFC6962NoteSignature, signature type 5."""
    text, signature = note.split("\n\n")
    origin, size, root = text.splitlines()
    assert origin == base_url.split("://")[1]
    marker, name, signature = signature.strip("\n").split(" ")
    assert marker == "\u2014" and name == origin
    signature = base64.b64decode(signature)
    log_id = base64.b64decode(log["logId"]["keyId"])
    assert signature[:4] == hashlib.sha256(name.encode() + b"\n\x05" + log_id).digest()[:4]
    time, signature = signature[4:12], signature[12:]
    size, root = int(size), base64.b64decode(root)
    assert signature[:4] == b"\x04\x03" + struct.pack(">H", len(signature) - 4)
    signed = b"\x00\x01" + time + struct.pack(">Q", size) + root
    key_of(log).verify(signature[4:], signed, ec.ECDSA(hashes.SHA256()))
    return size, root


class Fields:
    """A reader for the TLS presentation language."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def bytes(self, count):
        assert self.at + count <= len(self.data)
        self.at += count
        return self.data[self.at - count : self.at]

    def vector(self, width):
        return self.bytes(int.from_bytes(self.bytes(width), "big"))


def tile_leaves(data):
    """Each TileLeaf of a data tile: the MerkleTreeLeaf, the extensions, the fingerprints."""
    fields = Fields(data)
    while fields.at < len(data):
        start = fields.at
        fields.bytes(8)
        assert fields.bytes(2) == b"\x00\x01"
        fields.bytes(32)
        fields.vector(3)
        extensions = fields.vector(2)
        leaf = b"\x00\x00" + data[start : fields.at]
        fields.vector(3)
        chain = fields.vector(2)
        yield leaf, extensions, [chain[at : at + 32] for at in range(0, len(chain), 32)]


def audit_static_ct(base, log, expected):
    """The CT log as static files; `expected` are the leaf hashes of get-entries."""
    reply = fetch(f"{base}/checkpoint")
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    size, root = open_tree_head(reply.text, log["baseUrl"], log)
    found, issuers, numbered = [], set(), 0
    for tile in range((size + 255) // 256):
        width = min(256, size - tile * 256)
        path = tile_path(tile) + ("" if width == 256 else f".p/{width}")
        data = fetch(f"{base}/tile/data/{path}").content
        hashes_ = fetch(f"{base}/tile/0/{path}").content
        before = len(found)
        for leaf, extensions, chain in tile_leaves(data):
            if extensions:
                assert extensions == b"\x00\x00\x05" + len(found).to_bytes(5, "big")
                numbered += 1
            issuers.update(chain)
            found.append(leaf_hash(leaf))
        assert b"".join(found[before:]) == hashes_ and len(hashes_) == width * 32
    assert len(found) == size and root_of(found) == root
    assert found[: len(expected)] == expected, "get-entries and data tiles differ"
    for fingerprint in issuers:
        reply = fetch(f"{base}/issuer/{fingerprint.hex()}")
        assert reply.headers["content-type"] == "application/pkix-cert"
        assert hashlib.sha256(reply.content).digest() == fingerprint
    return f"{size} leaves, {numbered} of them numbered, {len(issuers)} issuers"


def main(url, trusted_root, state):
    trusted_root = json.loads(pathlib.Path(trusted_root).read_text())
    state = pathlib.Path(state)
    earlier = json.loads(state.read_text()) if state.exists() else {}
    found = {
        "rekor": audit_tiles(url, trusted_root["tlogs"][-1]),
        "ct": audit_ct(url, trusted_root["ctlogs"][-1], earlier.get("ct")),
    }
    static = audit_static_ct(f"{url}/ct", trusted_root["ctlogs"][-1], found["ct"])
    print(f"ct as static files: {static}")
    for name, leaves in found.items():
        assert leaves, f"the {name} log is empty"
        if name in earlier:
            old = earlier[name]
            assert len(leaves) > old["size"], f"the {name} log did not grow"
            assert root_of(leaves[: old["size"]]).hex() == old["root"], f"the {name} log was rewritten"
        print(f"{name}: {len(leaves)} entries, root {root_of(leaves).hex()}")
    state.write_text(
        json.dumps({n: {"size": len(v), "root": root_of(v).hex()} for n, v in found.items()})
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
