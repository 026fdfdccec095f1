#!/usr/bin/env python3
"""Makes the vectors of this folder anew, with fresh keys: proposed entries signed by openssl,
ssh-keygen, minisign and gpg, and beside each what Python says the log must write and find it by.

Needs those four programs and Python's `cryptography`.
"""

import base64
import datetime
import hashlib
import ipaddress
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID, ObjectIdentifier

HERE = pathlib.Path(__file__).parent
ARTIFACT = b"an artifact\n"
PEM, SPKI = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo


def b64(data):
    return base64.b64encode(data).decode()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def digest(data):
    return {"algorithm": "sha256", "value": sha256(data)}


def run(*args, stdin=None, cwd=None, env=None):
    env = {**os.environ, **(env or {})}
    done = subprocess.run(args, input=stdin, capture_output=True, cwd=cwd, env=env)
    if done.returncode != 0:
        sys.exit(f"{args}: {done.stderr.decode()}")
    return done.stdout


def write(name, kind, version, proposed, forged, logged, artifacts=(), keys=(), names=()):
    """One case: the body is written with Python's own sorting of members."""
    entry = lambda spec: {"apiVersion": version, "kind": kind, "spec": spec}
    body = json.dumps(entry(logged), sort_keys=True, separators=(",", ":"))
    case = {
        "proposed": entry(proposed),
        "forged": entry(forged),
        "body": body,
        "digests": sorted(set(artifacts)),
        "keys": sorted({sha256(key) for key in keys}),
        "names": sorted({name.lower() for name in names}),
    }
    (HERE / f"{name}.json").write_text(json.dumps(case, indent=1) + "\n")


def public_pem(key):
    return key.public_key().public_bytes(PEM, SPKI)


class Signer:
    """A key that openssl signs with."""

    def __init__(self, folder, key):
        self.key = key
        self.file = pathlib.Path(folder) / f"key-{os.urandom(4).hex()}.pem"
        form = serialization.PrivateFormat.PKCS8
        self.file.write_bytes(
            key.private_bytes(PEM, form, serialization.NoEncryption())
        )
        self.pem = public_pem(key)

    def sign(self, data, function="sha256"):
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            message = self.file.with_suffix(".msg")
            message.write_bytes(data)
            return run("openssl", "pkeyutl", "-sign", "-rawin", "-inkey", str(self.file), "-in", str(message))
        return run("openssl", "dgst", f"-{function}", "-sign", str(self.file), stdin=data)


def certificate(subject, issuer, key, issuer_key, ca, names=()):
    name = lambda text: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)] if text else [])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    end = start + (datetime.timedelta(days=3650) if ca else datetime.timedelta(minutes=10))
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(PEM)


def hashedrekord(folder):
    def case(name, signer, pem, stored, function="sha256", names=()):
        value = hashlib.new(function, ARTIFACT).hexdigest()
        spec = lambda key, data: {
            "signature": {"content": b64(signature), "publicKey": {"content": b64(key)}},
            "data": {"hash": {"algorithm": function, "value": data}},
        }
        signature = signer.sign(ARTIFACT, function)
        other = hashlib.new(function, b"another artifact").hexdigest()
        write(
            name, "hashedrekord", "0.0.1", spec(pem, value), spec(pem, other), spec(stored, value),
            [f"{function}:{value}"], [stored], names,
        )

    p256 = Signer(folder, ec.generate_private_key(ec.SECP256R1()))
    lines = p256.pem.decode().splitlines()
    one_line = "\r\n".join([lines[0], "".join(lines[1:-1]), lines[-1]]).encode()
    case("hashedrekord-key", p256, one_line, p256.pem)
    rsa_key = Signer(folder, rsa.generate_private_key(65537, 2048))
    case("hashedrekord-rsa-sha512", rsa_key, rsa_key.pem, rsa_key.pem, "sha512")
    p521 = Signer(folder, ec.generate_private_key(ec.SECP521R1()))
    case("hashedrekord-p521-sha384", p521, p521.pem, p521.pem, "sha384")

    root, middle = (ec.generate_private_key(ec.SECP384R1()) for _ in range(2))
    leaf = Signer(folder, ec.generate_private_key(ec.SECP384R1()))
    username = "alice!example.com"
    names = [
        x509.RFC822Name("Build@Example.com"),
        x509.UniformResourceIdentifier("https://ci.example.com/Job"),
        x509.DNSName("host.example.com"),
        x509.IPAddress(ipaddress.ip_address("2001:db8::1")),
        x509.IPAddress(ipaddress.ip_address("192.0.2.7")),
        x509.OtherName(
            ObjectIdentifier("1.3.6.1.4.1.57264.1.7"),
            bytes([0x0C, len(username)]) + username.encode(),
        ),
    ]
    texts = [
        "build@example.com", "https://ci.example.com/job", "host.example.com",
        "2001:db8::1", "192.0.2.7", username,
    ]
    chain = [
        certificate("", "middle", leaf.key, middle, False, names),
        certificate("middle", "root", middle, root, True),
        certificate("root", "root", root, root, True),
    ]
    bare = chain[0].rstrip(b"\n")
    # P-384 with SHA-256, as cosign signs with it.
    case("hashedrekord-certificate", leaf, bare, chain[0], "sha256", texts)
    loose = b"Subject: x\n" + b"\n\n".join(chain) + b"\n"
    case("hashedrekord-chain", leaf, loose, b"".join(chain), "sha384", texts)


def encode(payload_type, payload):
    return b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type, len(payload), payload)


IN_TOTO = b"application/vnd.in-toto+json"
SUBJECT, COMMIT, MATERIAL = sha256(ARTIFACT), "0A" * 20, sha256(b"material")
STATEMENT = json.dumps({
    "_type": "https://in-toto.io/Statement/v0.1",
    "predicateType": "https://slsa.dev/provenance/v0.2",
    "subject": [
        {"name": "a", "digest": {"sha256": SUBJECT, "gitCommit": COMMIT}},
        {"name": "nothing"},
    ],
    "predicate": {"materials": [{"uri": "u", "digest": {"sha256": MATERIAL}}], "more": [1, 2.5]},
}).encode()
SUBJECTS = [f"sha256:{SUBJECT}", f"gitcommit:{COMMIT.lower()}", f"sha256:{MATERIAL}"]


def envelopes(folder):
    leaf = Signer(folder, ec.generate_private_key(ec.SECP256R1()))
    root = ec.generate_private_key(ec.SECP256R1())
    cert = certificate("", "root", leaf.key, root, False, [x509.RFC822Name("ci@example.com")])
    edwards = Signer(folder, ed25519.Ed25519PrivateKey.generate())
    to_sign, other = encode(IN_TOTO, STATEMENT), encode(IN_TOTO, b"{}")

    def text(signatures, **more):
        return json.dumps({
            "payloadType": IN_TOTO.decode(), "payload": b64(STATEMENT),
            "signatures": [{"keyid": "", "sig": b64(one), **more} for one in signatures],
        })

    # dsse 0.0.1 with two signatures; sigstore-python sends null for what it leaves out.
    signed = [(leaf.sign(to_sign), cert), (edwards.sign(to_sign), edwards.pem)]
    envelope = text([one for one, _ in signed], cert="unknown members are passed over")
    forged = text([signed[0][0], edwards.sign(other)])
    spec = lambda envelope: {
        "proposedContent": {
            "envelope": envelope,
            "verifiers": [b64(edwards.pem.rstrip()), b64(cert)],
        },
        "signatures": None,
        "envelopeHash": None,
        "payloadHash": None,
    }
    pems = [cert, edwards.pem]
    found = SUBJECTS + [f"sha256:{sha256(one)}" for one in [STATEMENT, *pems]]
    write(
        "dsse", "dsse", "0.0.1", spec(envelope), spec(forged),
        {
            "envelopeHash": digest(envelope.encode()),
            "payloadHash": digest(STATEMENT),
            "signatures": sorted(
                ({"signature": b64(one), "verifier": b64(pem)} for one, pem in signed),
                key=lambda one: one["signature"],
            ),
        },
        found + [f"sha256:{sha256(envelope.encode())}"], pems, ["ci@example.com"],
    )

    # intoto 0.0.1: one key; the client's own hash is not believed.
    signature = leaf.sign(to_sign)
    envelope, forged = text([signature]), text([leaf.sign(other)])
    spec = lambda envelope: {
        "content": {"envelope": envelope, "hash": digest(b"anything")},
        "publicKey": b64(cert.rstrip()),
    }
    found = SUBJECTS + [f"sha256:{sha256(one)}" for one in [STATEMENT, cert]]
    write(
        "intoto-0.0.1", "intoto", "0.0.1", spec(envelope), spec(forged),
        {
            "content": {"hash": digest(envelope.encode()), "payloadHash": digest(STATEMENT)},
            "publicKey": b64(cert),
        },
        found + [f"sha256:{sha256(envelope.encode())}"], [cert], ["ci@example.com"],
    )

    # intoto 0.0.2: a key with each signature, everything base64 twice, no empty key ID kept.
    twice = lambda data: b64(b64(data).encode())
    claimed = digest(b"whatever the client says")

    def signatures(one, another):
        return [
            {"keyid": "first", "sig": twice(one), "publicKey": b64(cert.rstrip())},
            {"keyid": "", "sig": twice(another), "publicKey": b64(edwards.pem)},
        ]

    spec = lambda signatures: {
        "content": {
            "envelope": {
                "payloadType": IN_TOTO.decode(),
                "payload": twice(STATEMENT),
                "signatures": signatures,
            },
            "hash": claimed,
            "payloadHash": digest(b"anything"),
        },
    }
    logged = signatures(signature, edwards.sign(to_sign))
    proposed = json.loads(json.dumps(logged))
    logged[0]["publicKey"] = b64(cert)
    del logged[1]["keyid"]
    write(
        "intoto-0.0.2", "intoto", "0.0.2", spec(proposed),
        spec(signatures(signature, edwards.sign(other))),
        {
            "content": {
                "envelope": {"payloadType": IN_TOTO.decode(), "signatures": logged},
                "hash": claimed,
                "payloadHash": digest(STATEMENT),
            },
        },
        SUBJECTS + [f"sha256:{sha256(one)}" for one in [STATEMENT, cert, edwards.pem]],
        [cert, edwards.pem], ["ci@example.com"],
    )


def rekord(name, form, key, stored_key, sign, stored, names=()):
    """A case whose signature `sign` makes, and whose canonical form `stored` computes."""
    signature, forged = sign(ARTIFACT), sign(b"another artifact")
    spec = lambda signature, key, data: {
        "signature": {"format": form, "content": b64(signature), "publicKey": {"content": b64(key)}},
        "data": data,
    }
    hashed = {"hash": digest(ARTIFACT)}
    content = {"content": b64(ARTIFACT)}
    write(
        f"rekord-{name}", "rekord", "0.0.1",
        spec(signature, key, {**hashed, **content}), spec(forged, key, content),
        spec(stored(signature), stored_key, hashed),
        [f"sha256:{sha256(ARTIFACT)}"], [stored_key], names,
    )


def wrapped(data, label):
    text = b64(data)
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()


def unwrapped(text):
    lines = [line for line in text.decode().splitlines() if line and not line.startswith("-")]
    return base64.b64decode("".join(lines))


def rekords(folder):
    folder = pathlib.Path(folder)
    edwards = Signer(folder, ed25519.Ed25519PrivateKey.generate())
    rekord("x509-ed25519", "x509", edwards.pem.rstrip(), edwards.pem, edwards.sign, bytes)
    leaf = Signer(folder, ec.generate_private_key(ec.SECP256R1()))
    root = ec.generate_private_key(ec.SECP256R1())
    cert = certificate("", "root", leaf.key, root, False, [x509.RFC822Name("ci@example.com")])
    rekord("x509-certificate", "x509", cert, cert, leaf.sign, bytes, ["ci@example.com"])

    for name, options, function in [
        ("ed25519", ["-t", "ed25519"], "sha512"),
        ("rsa", ["-t", "rsa", "-b", "3072"], "sha512"),
        ("ecdsa", ["-t", "ecdsa", "-b", "384"], "sha512"),
        ("p521", ["-t", "ecdsa", "-b", "521"], "sha256"),
    ]:
        key = folder / name
        run("ssh-keygen", "-q", *options, "-N", "", "-C", "a comment", "-f", str(key))
        line = key.with_suffix(".pub").read_bytes()
        bare = b" ".join(line.split()[:2]) + b"\n"
        sign = lambda data: run(
            "ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-O", f"hashalg={function}", "-f", str(key),
            stdin=data,
        )
        canonical = lambda signature: wrapped(unwrapped(signature), "SSH SIGNATURE")
        rekord(f"ssh-{name}", "ssh", b"# a key\n" + line, bare, sign, canonical)

    public, secret = str(folder / "minisign.pub"), str(folder / "minisign.key")
    run("minisign", "-G", "-W", "-p", public, "-s", secret)
    key = pathlib.Path(public).read_bytes()
    line = key.split(b"\n")[1]
    canonical = lambda signature: b"untrusted comment:\n" + signature.split(b"\n")[1]

    def minisign(*options):
        def sign(data):
            message = folder / "message"
            message.write_bytes(data)
            run("minisign", "-S", "-W", *options, "-s", secret, "-m", str(message))
            return (folder / "message.minisig").read_bytes()

        return sign

    rekord("minisign", "minisign", key, line, minisign("-H"), canonical)
    plain = minisign("-l")
    rekord("minisign-plain", "minisign", line, line, plain, canonical)
    two_lines = lambda data: b"\n".join(plain(data).split(b"\n")[:2]) + b"\n"
    rekord("signify", "minisign", key, line, two_lines, canonical)


def crc24(data):
    crc = 0xB704CE
    for byte in data:
        crc ^= byte << 16
        for _ in range(8):
            crc = (crc << 1) ^ (0x1864CFB if crc & 0x800000 else 0)
    return (crc & 0xFFFFFF).to_bytes(3, "big")


def armored(data, label):
    """As Go's armor.Encode writes it."""
    text = b64(data)
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    begin, end = f"-----BEGIN {label}-----", f"-----END {label}-----"
    return f"{begin}\n\n{lines}\n={b64(crc24(data))}\n{end}".encode()


def old_packets(data):
    """gpg writes the old format of headers."""
    while data:
        size = [1, 2, 4][data[0] & 3]
        length = int.from_bytes(data[1 : 1 + size], "big")
        end = 1 + size + length
        yield (data[0] >> 2) & 15, data[1 + size : end], data[:end]
        data = data[end:]


def new_headers(data):
    """Go's serializer writes the new format."""
    out = b""
    for tag, body, _ in old_packets(data):
        out += bytes([0xC0 | tag])
        if len(body) < 192:
            out += bytes([len(body)])
        elif len(body) < 8384:
            out += (len(body) - 192 + (192 << 8)).to_bytes(2, "big")
        else:
            out += b"\xff" + len(body).to_bytes(4, "big")
        out += body
    return out


def pgp(folder):
    for name, primary, usage, subkey, names, armor in [
        ("ed25519", "ed25519", "sign", None, ["Alice <Alice@example.com>", "al@example.org"], True),
        ("rsa", "rsa3072", "sign", None, ["No address"], False),
        ("p384-subkey", "nistp256", "cert", "nistp384/ecdsa", ["Bob (ci) <bob@example.com>"], False),
    ]:
        home = pathlib.Path(folder) / f"gpg-{name}"
        home.mkdir(mode=0o700)

        def gpg(*args, stdin=None):
            return run(
                "gpg", "--homedir", str(home), "--batch", "--quiet", "--pinentry-mode", "loopback",
                "--passphrase", "", *args, stdin=stdin,
            )

        gpg("--quick-gen-key", names[0], primary, usage, "5y")
        listing = gpg("--list-keys", "--with-colons").decode().splitlines()
        fingerprint = next(line.split(":")[9] for line in listing if line.startswith("fpr"))
        for more in names[1:]:
            gpg("--quick-add-uid", fingerprint, more)
        if subkey:
            gpg("--quick-add-key", fingerprint, subkey, "sign", "1y")
        stored = armored(new_headers(gpg("--export")), "PGP PUBLIC KEY BLOCK")
        form = ["--armor"] if armor else []
        sign = lambda data: gpg("--detach-sign", *form, stdin=data)
        canonical = bytes if armor else lambda data: armored(data, "PGP SIGNATURE")
        emails = [text.split("<")[-1].rstrip(">") for text in names if "@" in text]
        rekord(f"pgp-{name}", "pgp", gpg("--export", *form), stored, sign, canonical, emails)
        run("gpgconf", "--kill", "all", env={"GNUPGHOME": str(home)})


def rfc3161(folder):
    folder = pathlib.Path(folder)
    config = folder / "tsa.cnf"
    config.write_text(f"""
[req]
distinguished_name = name
prompt = no
x509_extensions = extensions
[name]
CN = tsa
[extensions]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[tsa]
default_tsa = authority
[authority]
serial = {folder}/serial
crypto_device = builtin
default_policy = 1.2.3.4
digests = sha256
signer_digest = sha256
ess_cert_id_alg = sha256
""")
    key, cert = str(folder / "tsa.key"), str(folder / "tsa.pem")
    request, response = str(folder / "request.tsq"), str(folder / "response.tsr")
    artifact = folder / "artifact"
    artifact.write_bytes(ARTIFACT)
    run(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-days", "3650", "-config", str(config), "-keyout", key, "-out", cert,
    )
    run("openssl", "ts", "-query", "-data", str(artifact), "-sha256", "-cert", "-out", request)
    run(
        "openssl", "ts", "-reply", "-config", str(config), "-section", "authority",
        "-queryfile", request, "-signer", cert, "-inkey", key, "-out", response,
    )
    content = pathlib.Path(response).read_bytes()
    forged = content[:-1] + bytes([content[-1] ^ 1])
    spec = lambda content: {"tsr": {"content": b64(content)}}
    write(
        "rfc3161", "rfc3161", "0.0.1", spec(content), spec(forged), spec(content),
        [f"sha256:{sha256(content)}"],
    )


REFUSED = []


def refuse(name, says, form, key, signature):
    """A rekord entry that is refused, and a part of the reason given."""
    entry = {
        "apiVersion": "0.0.1",
        "kind": "rekord",
        "spec": {
            "data": {"content": b64(ARTIFACT)},
            "signature": {
                "format": form, "content": b64(signature), "publicKey": {"content": b64(key)},
            },
        },
    }
    REFUSED.append({"name": name, "says": says, "proposed": entry})


def refused(folder):
    folder = pathlib.Path(folder)

    # x509
    p256 = Signer(folder, ec.generate_private_key(ec.SECP256R1()))
    signature = p256.sign(ARTIFACT)
    root, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    leaf = certificate("leaf", "root", p256.key, root, False)
    above = certificate("root", "root", root, root, True)
    impostor = certificate("root", "root", other, other, True)
    refuse("authority", "authority", "x509", certificate("a", "a", p256.key, p256.key, True), signature)
    refuse("chain upside down", "authority", "x509", above + leaf, signature)
    refuse("chain by another", "not issued", "x509", leaf + impostor, signature)
    refuse("chain of no authority", "not issued", "x509", leaf + leaf, signature)
    refuse("long chain", "11 certificates", "x509", leaf + 10 * above, signature)
    refuse("two keys", "must be PEM", "x509", 2 * p256.pem, signature)
    refuse("key and certificate", "must be PEM", "x509", p256.pem + leaf, signature)
    refuse("no PEM", "must be PEM", "x509", b"nothing", signature)
    refuse("empty key", "is empty", "x509", b"", signature)
    refuse("empty signature", "is empty", "x509", leaf, b"")
    weak = rsa.generate_private_key(65537, 1024)
    refuse("weak key", "insecure", "x509", public_pem(weak), signature)

    # ssh
    def ssh(name, *options):
        key = folder / f"refused-{name}"
        run("ssh-keygen", "-q", *options, "-N", "", "-f", str(key))
        return key, key.with_suffix(".pub").read_bytes()

    def ssh_sign(key, namespace="file"):
        return run("ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", str(key), stdin=ARTIFACT)

    (one, line), (another, other_line) = ssh("one", "-t", "ed25519"), ssh("two", "-t", "ed25519")
    refuse("ssh namespace", "namespace", "ssh", line, ssh_sign(one, "git"))
    refuse("ssh other key", "another key", "ssh", line, ssh_sign(another))
    refuse("ssh two keys", "one OpenSSH public key", "ssh", line + other_line, ssh_sign(one))
    refuse("ssh no signature", "armored", "ssh", line, b"nothing")
    small, small_line = ssh("small", "-t", "rsa", "-b", "1024")
    refuse("ssh weak key", "insecure", "ssh", small_line, ssh_sign(one))
    renamed = line.replace(b"ssh-ed25519", b"ssh-dss", 1)
    refuse("ssh key type", "one OpenSSH public key", "ssh", renamed, ssh_sign(one))

    # minisign
    def minisign(name):
        public, secret = str(folder / f"{name}.pub"), str(folder / f"{name}.key")
        run("minisign", "-G", "-W", "-p", public, "-s", secret)
        message = folder / "refused-message"
        message.write_bytes(ARTIFACT)
        run("minisign", "-S", "-W", "-s", secret, "-m", str(message))
        signature = (folder / "refused-message.minisig").read_bytes()
        return pathlib.Path(public).read_bytes(), signature

    (key, signature), (_, other) = minisign("one"), minisign("two")
    refuse("minisign other key", "another number", "minisign", key, other)
    refuse("minisign signature for a key", "minisign public key", "minisign", signature, signature)
    refuse("minisign key for a signature", "minisign signature", "minisign", key, key)
    lines = signature.split(b"\n")
    strange = b"XX" + base64.b64decode(lines[1])[2:]
    refuse(
        "minisign algorithm", "neither Ed nor ED", "minisign", key,
        b"\n".join([lines[0], b64(strange).encode()]),
    )

    # pgp
    home = folder / "gpg-refused"
    home.mkdir(mode=0o700)

    def gpg(*args, stdin=None, at=None):
        moment = ["--faked-system-time", at] if at else []
        return run(
            "gpg", "--homedir", str(home), "--batch", "--quiet", "--yes", "--pinentry-mode", "loopback",
            "--passphrase", "", "--allow-weak-key-signatures", *moment, *args, stdin=stdin,
        )

    def pgp_key(name, algorithm, usage, expires="0", at=None):
        gpg("--quick-gen-key", name, algorithm, usage, expires, at=at)
        return gpg("--export", name)

    def pgp_sign(name, *options, at=None):
        return gpg("--local-user", name, *options, "--detach-sign", stdin=ARTIFACT, at=at)

    good = pgp_key("good", "ed25519", "sign")
    signature = pgp_sign("good")
    refuse("pgp other key", "none of the keys", "pgp", pgp_key("other", "ed25519", "sign"), signature)
    refuse("pgp secret key", "secret key", "pgp", gpg("--export-secret-keys", "good"), signature)
    refuse("pgp SHA-1", "SHA-256", "pgp", good, pgp_sign("good", "--digest-algo", "SHA1"))
    refuse("pgp text", "type 0x00", "pgp", good, pgp_sign("good", "--textmode"))
    refuse("pgp no signature", "detached OpenPGP signature", "pgp", good, good)
    refuse("pgp no key", "OpenPGP public key", "pgp", b"nothing", signature)
    refuse("pgp weak key", "insecure", "pgp", pgp_key("weak", "rsa1024", "sign"), pgp_sign("weak"))
    refuse("pgp no signing key", "may sign", "pgp", pgp_key("cert", "ed25519", "cert"), signature)
    past = "20200101T000000!"
    ended = pgp_key("ended", "ed25519", "sign", "seconds=100000", at=past)

    def fingerprint(name):
        listing = gpg("--list-keys", "--with-colons", name, at=past).decode().splitlines()
        return next(line.split(":")[9] for line in listing if line.startswith("fpr"))

    gpg("--quick-set-expire", fingerprint("ended"), "0", at="20200101T000100!")
    late = pgp_sign("ended", at="20250101T000000!")
    refuse("pgp late signature", "not valid when", "pgp", ended, late)
    early = pgp_sign("ended", at="20200101T010000!")
    bare = b"".join(whole for tag, _, whole in old_packets(ended) if tag != 2)
    refuse("pgp without a self-signature", "may sign", "pgp", bare, early)

    # A subkey that anybody could have hung on: its binding taken away, or put behind another's.
    pgp_key("subkey", "ed25519", "sign")
    gpg("--quick-add-key", fingerprint("subkey"), "ed25519", "sign")
    by_subkey = pgp_sign("subkey")
    whole = [whole for _, _, whole in old_packets(gpg("--export", "subkey"))]
    refuse("pgp unbound subkey", "none of the keys", "pgp", b"".join(whole[:-1]), by_subkey)
    refuse("pgp foreign subkey", "none of the keys", "pgp", good + b"".join(whole[-2:]), by_subkey)

    revocation = (home / "openpgp-revocs.d" / f"{fingerprint('good')}.rev").read_text()
    gpg("--import", stdin=revocation.replace(":-----BEGIN", "-----BEGIN").encode())
    refuse("pgp revoked key", "revoked", "pgp", gpg("--export", "good"), signature)
    run("gpgconf", "--kill", "all", env={"GNUPGHOME": str(home)})

    (HERE / "refused.json").write_text(json.dumps(REFUSED, indent=1) + "\n")


def main():
    with tempfile.TemporaryDirectory() as folder:
        hashedrekord(folder)
        envelopes(folder)
        rekords(folder)
        pgp(folder)
        rfc3161(folder)
        refused(folder)


main()
