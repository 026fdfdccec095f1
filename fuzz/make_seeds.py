#!/usr/bin/env python3
"""Makes the seeds of the fuzz targets from what a server of ours answers.

    fuzz/make_seeds.py [path of the signet binary; default target/release/signet]

A server with an empty data directory signs one file; its bundle, its trust root and its answers are
cut into the parts that each parser reads. Everything in fuzz/seeds is replaced. The server and its
keys are gone afterwards, so nothing in the seeds can be used.
"""

import base64
import hashlib
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
SEEDS = HERE / "seeds"
IDENTITY = "build@example.com"
ARTIFACT = b"The artifact of the fuzz seeds.\n"
CT_ORIGIN = "ct.example"
# OBJECT IDENTIFIER of the SCT list (RFC 6962 §3.3) and the tag of the octet string behind it.
SCT_LIST = bytes.fromhex("060a2b06010401d67902040204")


def seed(target, name, content):
    folder = SEEDS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def fetch(url, body=None, headers=None):
    request = urllib.request.Request(url, body, headers or {})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read()


def pem(label, der):
    text = base64.b64encode(der).decode()
    lines = "\n".join(text[at:at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n"


def compact(document):
    return json.dumps(document, separators=(",", ":"))


def start(signet, folder, url, port):
    command = [signet, "serve", "--data-dir", folder / "data", "--listen", f"127.0.0.1:{port}"]
    server = subprocess.Popen([*command, "--public-url", url], stderr=subprocess.DEVNULL)
    for _ in range(200):
        try:
            fetch(f"{url}/readyz")
            return server
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    server.terminate()
    raise SystemExit("the server did not become ready")


def sign(signet, folder, url):
    command = [signet, "account", "--data-dir", folder / "data", "add", IDENTITY]
    added = subprocess.run([*command, "--service", "--json"], check=True, capture_output=True)
    account = json.loads(added.stdout)
    endpoint = json.loads(fetch(f"{url}/.well-known/openid-configuration"))["token_endpoint"]
    login = base64.b64encode(f"{account['client_id']}:{account['client_secret']}".encode()).decode()
    answer = fetch(endpoint, b"grant_type=client_credentials", {"Authorization": f"Basic {login}"})
    token = json.loads(answer)["id_token"]
    (folder / "token").write_text(token)
    (folder / "artifact").write_bytes(ARTIFACT)
    bundle = folder / "bundle"
    command = [signet, "sign", "--url", url, "--identity-token-file", folder / "token"]
    subprocess.run([*command, "--bundle", bundle, folder / "artifact"], check=True, capture_output=True)
    return token, json.loads(bundle.read_bytes())


def make_trust(url):
    text = fetch(f"{url}/trust/trusted_root.json")
    trust = json.loads(text)
    seed("trusted_root", "signet.json", compact(trust))
    retired = json.loads(text)
    for log in retired["tlogs"] + retired["ctlogs"]:
        log["publicKey"]["validFor"]["end"] = "2099-12-31T23:59:59.5Z"
    seed("trusted_root", "ended.json", compact(retired))
    seed("trusted_root", "empty.json", compact({"mediaType": trust["mediaType"]}))
    for kind in ("certificateAuthorities", "timestampAuthorities"):
        for place, one in enumerate(trust[kind][0]["certChain"]["certificates"]):
            der = base64.b64decode(one["rawBytes"])
            seed("certificate", f"{kind}-{place}.der", der)
    seed("certificate", "authority.pem", pem("CERTIFICATE", der))
    seed("certificate", "key.pem", pem("PUBLIC KEY", base64.b64decode(trust["tlogs"][0]["publicKey"]["rawBytes"])))


def make_tuf(signet, folder, url):
    seed("tuf", "root.json", fetch(f"{url}/tuf/1.root.json"))
    ceremony = [signet, "trust", "root-ceremony"]
    run = lambda *command: subprocess.run([*ceremony, *command], check=True, capture_output=True)
    for owner in ("alice", "bob"):
        run("key", "--out", folder / owner)
    keys = ["--key", folder / "alice.pub", "--key", folder / "bob.pub", "--threshold", "2"]
    run("propose", "--data-dir", folder / "data", *keys, "--out", folder / "request")
    seed("tuf", "request.json", (folder / "request").read_bytes())


def statement(digest):
    return compact({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "artifact", "digest": {"sha256": digest.hex(), "gitCommit": "00"}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {"buildDefinition": {"parameters": [1, -2.5, None, True, {"a": "\u00fc"}]}},
    })


def make_bundle(bundle):
    seed("bundle", "message.json", compact(bundle))
    material = bundle["verificationMaterial"]
    message = bundle["messageSignature"]
    digest = base64.b64decode(message["messageDigest"]["digest"])
    old = json.loads(json.dumps(bundle))
    old["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.2"
    old["verificationMaterial"]["x509CertificateChain"] = {"certificates": [material["certificate"]]}
    del old["verificationMaterial"]["certificate"]
    seed("bundle", "chain.json", compact(old))
    entry = old["verificationMaterial"]["tlogEntries"][0]
    old["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.1"
    entry["inclusionPromise"] = {"signedEntryTimestamp": message["signature"]}
    entry["integratedTime"] = "1800000000"
    seed("bundle", "promise.json", compact(old))
    envelope = json.loads(json.dumps(bundle))
    del envelope["messageSignature"]
    payload = statement(digest)
    envelope["dsseEnvelope"] = {
        "payload": base64.b64encode(payload.encode()).decode(),
        "payloadType": "application/vnd.in-toto+json",
        "signatures": [{"sig": message["signature"], "keyid": ""}],
    }
    seed("bundle", "envelope.json", compact(envelope))
    key = json.loads(json.dumps(bundle))
    del key["verificationMaterial"]["certificate"]
    key["verificationMaterial"]["publicKey"] = {"hint": "a key"}
    seed("bundle", "key.json", compact(key))
    seed("dsse", "statement.json", payload)
    seed("dsse", "encoding", f"DSSEv1 28 application/vnd.in-toto+json {len(payload)} {payload}")
    return material, base64.b64decode(message["signature"]), digest


def make_parts(material, signature, digest):
    leaf = base64.b64decode(material["certificate"]["rawBytes"])
    seed("certificate", "leaf.der", leaf)
    seed("certificate", "leaf.pem", pem("CERTIFICATE", leaf))
    place = leaf.index(SCT_LIST) + len(SCT_LIST)
    length = leaf[place]
    place += 1
    if length >= 0x80:
        length, place = int.from_bytes(leaf[place:place + length - 0x80]), place + length - 0x80
    seed("sct", "list", leaf[place:place + length])
    stamp = base64.b64decode(material["timestampVerificationData"]["rfc3161Timestamps"][0]["signedTimestamp"])
    seed("timestamp_response", "granted", stamp)
    seed("timestamp_response", "signature", signature)
    entry = material["tlogEntries"][0]
    body = base64.b64decode(entry["canonicalizedBody"])
    seed("entry", "certificate.json", body)
    request = {
        "digest": base64.b64encode(digest).decode(),
        "signature": {
            "content": base64.b64encode(signature).decode(),
            "verifier": {
                "x509Certificate": material["certificate"],
                "keyDetails": "PKIX_ECDSA_P256_SHA_256",
            },
        },
    }
    seed("entry", "request.json", compact({"hashedRekordRequestV002": request}))
    seed("entry", "key.json", body.replace(b"x509Certificate", b"publicKey"))
    seed("checkpoint", "log", entry["inclusionProof"]["checkpoint"]["envelope"])


def make_requests(url):
    imprint = bytes.fromhex("3031300d060960864801650304020105000420") + bytes(range(32))
    plain = bytes.fromhex("020101") + imprint
    policy = bytes.fromhex("06092b0601040183bf3002")
    nonce = bytes.fromhex("0208") + bytes.fromhex("1122334455667788")
    full = plain + policy + nonce + bytes.fromhex("0101ff")
    for name, content in (("plain", plain), ("full", full)):
        der = bytes([0x30, len(content)]) + content
        seed("timestamp_request", f"{name}.der", der)
        headers = {"Content-Type": "application/timestamp-query"}
        answer = fetch(f"{url}/api/v1/timestamp", der, headers)
        seed("timestamp_response", f"{name}.der", answer)
    document = {
        "artifactHash": base64.b64encode(bytes(range(32))).decode(),
        "hashAlgorithm": "sha256",
        "certificates": True,
        "nonce": 1234567890123456789012345678901234567890,
        "tsaPolicyOID": "1.3.6.1.4.1.57264.2",
    }
    seed("timestamp_request", "full.json", compact(document))


def tree_head_note(url):
    """The certificate log's head as a note (static-ct-api): both forms have one signature."""
    trust = json.loads(fetch(f"{url}/trust/trusted_root.json"))
    head = json.loads(fetch(f"{url}/ct/ct/v1/get-sth"))
    log_id = base64.b64decode(trust["ctlogs"][0]["logId"]["keyId"])
    key_id = hashlib.sha256(CT_ORIGIN.encode() + b"\n\x05" + log_id).digest()[:4]
    signature = base64.b64decode(head["tree_head_signature"])
    blob = base64.b64encode(key_id + head["timestamp"].to_bytes(8, "big") + signature).decode()
    text = f"{CT_ORIGIN}\n{head['tree_size']}\n{head['sha256_root_hash']}\n"
    return f"{text}\n\u2014 {CT_ORIGIN} {blob}\n"


POLICY = {
    "identities": [
        {"name": "ada", "issuer": "https://idp.example", "subject": "ada@example.com"},
        {"issuer_pattern": "https://.*", "subject_pattern": "[a-z]+@example\\.com"},
        {"key": "sha256:" + "ab" * 32, "claims": {"source_repository_ref": {"pattern": "refs/.*"}}},
    ],
    "groups": {"team": ["ada"]},
    "any": [{"thresholds": [{"count": 1, "of": "team"}, {"count": 1}]}],
    "require": {
        "log_entries": 1,
        "signed_within": {"days": 30, "of": "2026-11-20T12:00:00Z"},
        "condition": "times.all(t, t.source == 'timestamp') && size(predicate.list) > 1",
    },
    "deny": [{"subject": "eve@example.com", "from": "2026-11-20T12:00:00Z", "reason": "left"}],
}


def make_policies():
    seed("policy", "document.json", compact(POLICY))
    for file in (HERE.parent / "docs/policies").glob("*.toml"):
        seed("policy", file.name, file.read_bytes())


def make_rest(url, token):
    seed("checkpoint", "witnessed", fetch(f"{url}/checkpoint") + "\u2014 witness AQIDBAU=\n".encode())
    seed("checkpoint", "certificates", tree_head_note(url))
    seed("token", "token", token)
    keys = json.loads(fetch(f"{url}/.well-known/openid-configuration"))["jwks_uri"]
    seed("token", "keys.json", fetch(keys))
    for name, path in (("span", "x001/x234/067.p/8"), ("tile", "3/x001/x234/067"), ("full", "000")):
        seed("tile_path", name, path)
    for kind, option in (("ec", "ec_paramgen_curve:P-256"), ("ed25519", None)):
        command = ["openssl", "req", "-new", "-nodes", "-subj", "/CN=fuzz", "-newkey", kind]
        command += ["-pkeyopt", option] if option else []
        made = subprocess.run([*command, "-keyout", "/dev/null"], check=True, capture_output=True)
        seed("csr", f"{kind}.pem", made.stdout)


def make_entries_v1():
    """Entries of Rekor v1, which the server need not sign: those of the test vectors."""
    for name in (
        "hashedrekord-key", "hashedrekord-certificate", "dsse", "intoto-0.0.1", "intoto-0.0.2",
        "rekord-ssh-ed25519", "rekord-minisign", "rekord-pgp-p384-subkey", "rfc3161",
    ):
        vector = HERE.parent / "tests/vectors/entry" / f"{name}.json"
        seed("entry_v1", f"{name}.json", compact(json.loads(vector.read_text())["proposed"]))


def main():
    signet = Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parent / "target/release/signet").resolve()
    shutil.rmtree(SEEDS, ignore_errors=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://localhost:{port}"
    with tempfile.TemporaryDirectory() as folder:
        server = start(signet, Path(folder), url, port)
        try:
            token, bundle = sign(signet, Path(folder), url)
            make_trust(url)
            make_tuf(signet, Path(folder), url)
            make_parts(*make_bundle(bundle))
            make_requests(url)
            make_rest(url, token)
            make_policies()
            make_entries_v1()
        finally:
            server.terminate()
            server.wait()
    (SEEDS / "artifact").write_bytes(ARTIFACT)
    print(sum(file.stat().st_size for file in SEEDS.rglob("*") if file.is_file()), "bytes of seeds")


main()
