"""Crash tests of the real binary.

The tests record every acknowledged entry, with its index and leaf, and every checkpoint. After each fault the
server must start without help, serve every acknowledged entry at its index, extend every recorded checkpoint,
and pass `signet fsck`. If its journal was tampered with, it must refuse to start or become read-only, and print
the reason.
"""

import argparse
import base64
import collections
import fcntl
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading

import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "interop"))
from audit import fetch, leaf_hash, node_hash, tile_path  # noqa: E402

START_SECONDS = 60
SYSTEM_CALLS = (
    "openat",
    "write",
    "pwrite64",
    "fdatasync",
    "fsync",
    "rename",
    "renameat2",
    "ftruncate",
    "unlink",
    "mkdir",
    "sync_file_range",
)

LEAF = (2, 5)  # the kinds of record after which a batch is still open

Ack = collections.namedtuple("Ack", "index leaf")
AckV1 = collections.namedtuple("AckV1", "id index digest")

# Number of acknowledged entries of the v1 log that each audit requests: of the newest, and of the others.
NEWEST, OTHERS = 60, 40


class Oracle:
    """What the server has acknowledged and signed so far."""

    def __init__(self):
        self.acks = []
        self.heads = {}
        self.acks_v1 = []
        self.heads_v1 = {}
        self.lock = threading.Lock()

    def acknowledged(self, entry):
        leaf = leaf_hash(base64.b64decode(entry["canonicalizedBody"]))
        with self.lock:
            self.acks.append(Ack(int(entry["logIndex"]), leaf))
            self.saw(entry["inclusionProof"]["checkpoint"]["envelope"])

    def acknowledged_v1(self, entries, digest):
        ((name, entry),) = entries.items()
        with self.lock:
            self.acks_v1.append(AckV1(name, entry["logIndex"], digest))
            self.saw(entry["verification"]["inclusionProof"]["checkpoint"], self.heads_v1)

    def saw(self, note, heads=None):
        heads = self.heads if heads is None else heads
        _, size, root = note.splitlines()[:3]
        known = heads.setdefault(int(size), root)
        assert known == root, f"two roots were signed for size {size}"

    def check_v1(self, url):
        """Checks that the v1 log has not shrunk, and that its entries are found by ID and by digest."""
        info = fetch(f"{url}/api/v1/log").json()
        self.saw(info["signedTreeHead"], self.heads_v1)
        largest = max(self.heads_v1)
        assert info["treeSize"] >= largest, f"the log had {largest} entries and has {info['treeSize']}"
        older = self.acks_v1[:-NEWEST]
        asked = self.acks_v1[-NEWEST:] + random.sample(older, min(OTHERS, len(older)))
        for start in range(0, len(asked), 10):
            some = {ack.id: ack for ack in asked[start : start + 10]}
            reply = requests.post(
                f"{url}/api/v1/log/entries/retrieve", json={"entryUUIDs": list(some)}, timeout=10
            )
            entries = {name: entry for one in reply.json() for name, entry in one.items()}
            for name, ack in some.items():
                assert name in entries, f"entry {name} was acknowledged and is missing"
                assert entries[name]["logIndex"] == ack.index, f"entry {name} has another index"
                body = json.loads(base64.b64decode(entries[name]["body"]))
                assert body["spec"]["data"]["hash"]["value"] == ack.digest, f"entry {name} has other content"
        for ack in asked[:5] + asked[-5:]:
            query = {"hash": f"sha256:{ack.digest}"}
            found = requests.post(f"{url}/api/v1/index/retrieve", json=query, timeout=10).json()
            assert found == [ack.id], f"a search for entry {ack.id} finds {found}"

    def check(self, leaves):
        """Checks that every acknowledged entry exists, and that every head is of a prefix of the tree."""
        for ack in self.acks:
            assert ack.index < len(leaves), f"entry {ack.index} was acknowledged and is missing"
            assert leaves[ack.index] == ack.leaf, f"entry {ack.index} has other content"
        roots = dict(prefix_roots(leaves, set(self.heads)))
        for size, root in self.heads.items():
            assert size <= len(leaves), f"a checkpoint had size {size}, the log has {len(leaves)} entries"
            assert base64.b64decode(root) == roots[size], f"the tree of size {size} has another root"


def prefix_roots(leaves, sizes):
    """Returns the roots of the trees of the first n leaves, for each requested n."""
    if 0 in sizes:
        yield 0, hashlib.sha256(b"").digest()
    stack = []
    for count, leaf in enumerate(leaves, 1):
        stack.append((1, leaf))
        while len(stack) > 1 and stack[-1][0] == stack[-2][0]:
            (size, right), (_, left) = stack.pop(), stack.pop()
            stack.append((size * 2, node_hash(left, right)))
        if count in sizes:
            root = stack[-1][1]
            for _, left in reversed(stack[:-1]):
                root = node_hash(left, root)
            yield count, root


def batch_ends(segment):
    """Returns the ends of commits and facts in a segment. A journal that is cut at one is an old copy, not torn."""
    data = segment.read_bytes()
    ends, at = set(), len(b"SIGNETJ\n")
    while at < len(data):
        length, _, kind = struct.unpack_from(">IIB", data, at)
        at += 9 + length
        if kind not in LEAF:
            ends.add(at)
    return ends


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """One run of the binary. The process is killed when the context ends."""

    def __init__(self, bench, strace=()):
        self.bench, self.strace = bench, list(strace)

    def __enter__(self):
        bench = self.bench
        command = [bench.signet, "serve", "--data-dir", bench.data]
        command += ["--listen", f"127.0.0.1:{bench.port}", "--public-url", bench.url]
        self.log = open(bench.log, "ab")
        self.start = self.log.tell()
        self.process = subprocess.Popen(
            [*self.strace, *map(str, command)],
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )
        return self

    def __exit__(self, *_):
        self.kill()
        self.log.close()

    def said(self):
        data = pathlib.Path(self.bench.log).read_bytes()[self.start :]
        return data.decode(errors="replace")

    def ready(self, path="/healthz"):
        """Waits until the server answers. Returns false if it ended first."""
        waiting = threading.Event()
        for _ in range(START_SECONDS * 20):
            if self.process.poll() is not None:
                return False
            try:
                if requests.get(self.bench.url + path, timeout=5).status_code == 200:
                    return True
            except requests.RequestException:
                pass
            waiting.wait(0.05)
        raise AssertionError("the server neither answered nor ended:\n" + self.said())

    def kill(self, how=signal.SIGKILL):
        if self.process.poll() is None:
            os.killpg(self.process.pid, how)
        status = self.process.wait(START_SECONDS)
        # With strace, this waited for strace; the server may end a moment later.
        if (self.bench.data / "lock").exists():
            with open(self.bench.data / "lock", "rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
        return status


class Bench:
    """A data directory, the binary, and the oracle."""

    def __init__(self, signet, folder):
        self.signet = signet
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.log = self.folder / "server.log"
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.oracle = Oracle()
        self.key = ec.generate_private_key(ec.SECP256R1())
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        self.spki = self.key.public_key().public_bytes(serialization.Encoding.DER, form)
        self.pem = self.key.public_key().public_bytes(serialization.Encoding.PEM, form)

    def entry(self):
        digest = os.urandom(32)
        signature = self.key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256())))
        b64 = lambda data: base64.b64encode(data).decode()
        verifier = {
            "publicKey": {"rawBytes": b64(self.spki)},
            "keyDetails": "PKIX_ECDSA_P256_SHA_256",
        }
        return {
            "hashedRekordRequestV002": {
                "digest": b64(digest),
                "signature": {"content": b64(signature), "verifier": verifier},
            }
        }

    def entry_v1(self, digest):
        signature = self.key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256())))
        b64 = lambda data: base64.b64encode(data).decode()
        return {
            "apiVersion": "0.0.1",
            "kind": "hashedrekord",
            "spec": {
                "data": {"hash": {"algorithm": "sha256", "value": digest.hex()}},
                "signature": {
                    "content": b64(signature),
                    "publicKey": {"content": b64(self.pem)},
                },
            },
        }

    def append(self, session=requests):
        """Appends an entry in either dialect; both logs share the journal."""
        return self.append_v1(session) if random.random() < 0.5 else self.append_v2(session)

    def append_v1(self, session=requests):
        digest = os.urandom(32)
        entry = self.entry_v1(digest)
        reply = session.post(f"{self.url}/api/v1/log/entries", json=entry, timeout=10)
        if reply.status_code == 201:
            self.oracle.acknowledged_v1(reply.json(), digest.hex())
        return reply

    def append_v2(self, session=requests):
        reply = session.post(f"{self.url}/api/v2/log/entries", json=self.entry(), timeout=10)
        if reply.status_code == 201:
            self.oracle.acknowledged(reply.json())
        return reply

    def append_until_it_dies(self, workers=6):
        def work():
            with requests.Session() as session:
                try:
                    while self.append(session).status_code == 201:
                        pass
                except requests.RequestException:
                    pass

        threads = [threading.Thread(target=work, daemon=True) for _ in range(workers)]
        for thread in threads:
            thread.start()
        return threads

    def leaves(self):
        note = fetch(f"{self.url}/checkpoint").text
        self.oracle.saw(note)
        size = int(note.splitlines()[1])
        leaves = []
        for index in range((size + 255) // 256):
            width = min(256, size - index * 256)
            path = tile_path(index) + ("" if width == 256 else f".p/{width}")
            bundle = fetch(f"{self.url}/tile/entries/{path}").content
            while bundle:
                (length,) = struct.unpack(">H", bundle[:2])
                leaves.append(leaf_hash(bundle[2 : 2 + length]))
                bundle = bundle[2 + length :]
        return leaves

    def check(self):
        self.oracle.check(self.leaves())
        self.oracle.check_v1(self.url)

    def audit(self, append=3):
        """Starts the server, checks it against the oracle, appends a few entries, and stops it."""
        with Server(self) as server:
            assert server.ready(), "the server did not start by itself:\n" + server.said()
            self.check()
            for number in range(append):
                reply = self.append_v1() if number % 2 else self.append_v2()
                assert reply.status_code == 201, reply.text
            self.check()
            status = server.kill(signal.SIGTERM)
            assert status == 0, f"exit status {status} after SIGTERM:\n" + server.said()
        self.fsck()

    def fsck(self):
        done = subprocess.run(
            [self.signet, "fsck", "--data-dir", self.data], capture_output=True, text=True
        )
        assert done.returncode == 0, "fsck:\n" + done.stdout + done.stderr

    def segments(self):
        return sorted((self.data / "journal").glob("*.seg*")) or sorted(
            p for p in (self.data / "journal").iterdir() if p.stat().st_size > 100_000 or "seg" in p.name
        )


def random_kills(bench, count):
    pause = threading.Event()
    for number in range(count):
        with Server(bench) as server:
            if number % 3 == 2:
                pause.wait(random.uniform(0, 0.3))
                server.kill()
                continue
            assert server.ready(), server.said()
            threads = bench.append_until_it_dies()
            pause.wait(random.uniform(0.01, 0.4))
            server.kill()
            for thread in threads:
                thread.join()
        if number % 5 == 4:
            bench.audit()
    bench.audit()
    acknowledged = len(bench.oracle.acks) + len(bench.oracle.acks_v1)
    print(f"  {count} random kills: {acknowledged} acknowledged entries, none lost")


def system_call_faults(bench, fault, numbers):
    """Injects a fault into the server's n-th call of each kind, at start and in the write path, until
    the server makes no more such calls."""
    hits = 0
    for call in SYSTEM_CALLS:
        misses = 0
        for number in numbers:
            inject = f"inject={call}:{fault}:when={number}"
            strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject]
            with Server(bench, strace) as server:
                hit = not server.ready()
                if not hit:
                    hit = not survives_some_appends(bench, server)
            if hit:
                hits += 1
                misses = 0
                bench.audit(append=1)
            else:
                misses += 1
                if misses == 2:
                    break
    bench.audit()
    print(f"  {hits} faults in system calls ({fault}): nothing lost")


def survives_some_appends(bench, server):
    for _ in range(6):
        try:
            bench.append()
        except requests.RequestException:
            return False
    try:
        requests.get(bench.url + "/healthz", timeout=5)
    except requests.RequestException:
        return False
    return server.process.poll() is None


def broken_state(bench):
    state = bench.data / "state"
    files = lambda: [path for path in state.rglob("*") if path.is_file()]

    shutil.rmtree(state)
    bench.audit()
    for path in files():
        os.truncate(path, path.stat().st_size // 2)
    bench.audit()
    for path in files():
        path.write_bytes(os.urandom(path.stat().st_size))
    bench.audit()
    for path in files():
        path.write_bytes(b"")
    bench.audit()
    print("  state deleted, truncated, overwritten with noise, or empty: rebuilt each time")


def broken_journal(bench):
    journal = bench.data / "journal"
    keep = bench.folder / "kept"
    for cut in (1, 2, 17, 100, 1000, 4096):
        last = bench.segments()[-1]
        length, ends = last.stat().st_size, batch_ends(last)
        while length - cut in ends:
            cut -= 1
        os.truncate(last, length - cut)
        bench.audit()
    print("  the journal's tail cut by 1 to 4,096 bytes: recovered")

    def refused(name, damage, *words):
        shutil.copytree(bench.data, keep)
        damage()
        with Server(bench) as server:
            assert not server.ready(), f"{name}: the server started"
            said = server.said()
            assert server.process.returncode not in (0, -signal.SIGABRT, 101), said
            for word in words:
                assert word in said, f"{name}: {word!r} is not in:\n{said}"
        shutil.rmtree(bench.data)
        keep.rename(bench.data)
        print(f"  {name}: refused, because {said.strip().splitlines()[-1]}")

    last = bench.segments()[-1]
    middle = last.stat().st_size // 2
    while middle in batch_ends(last):
        middle -= 1

    def cut_the_middle():
        data = last.read_bytes()
        last.write_bytes(data[:middle] + data[middle + 1000 :])

    def cut_the_end_off():
        os.truncate(last, middle)

    def flip_a_bit():
        data = bytearray(last.read_bytes())
        place = data.index(b'"hashedrekord"', middle)
        data[place + 3] ^= 4
        last.write_bytes(data)

    refused("bytes missing in the middle", cut_the_middle, "at byte")
    refused("the second half missing", cut_the_end_off, "byte")
    refused("one bit flipped", flip_a_bit, "entry")
    bench.audit()

    yesterday = bench.folder / "yesterday"
    shutil.copytree(journal, yesterday)
    bench.audit(append=5)
    heads = {p.name for p in bench.segments()}
    for path in bench.segments():
        path.unlink()
    for path in yesterday.iterdir():
        if path.name in heads:
            shutil.copy2(path, journal / path.name)
    with Server(bench) as server:
        assert server.ready(), server.said()
        for reply in (bench.append_v1(), bench.append_v2()):
            assert reply.status_code == 503, (reply.status_code, reply.text)
        ready = requests.get(bench.url + "/readyz", timeout=5)
        assert ready.status_code == 503 and "lacks signed entries" in ready.text, ready.text
        assert requests.get(bench.url + "/checkpoint", timeout=5).status_code == 200
    print(f"  old journal restored: read-only, {reply.json()['message']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("signet")
    parser.add_argument("--kills", type=int, default=50)
    options = parser.parse_args()
    seed = int(os.environ.get("CRASH_SEED", random.randrange(2**32)))
    random.seed(seed)
    print(f"seed {seed} (set CRASH_SEED to repeat it)")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options.signet, folder)
        try:
            random_kills(bench, options.kills)
            system_call_faults(bench, "signal=KILL", range(1, 1000))
            system_call_faults(bench, "error=EIO", (1, 2, 3, 5, 8, 13, 21, 34))
            system_call_faults(bench, "error=ENOSPC", (1, 2, 3, 5, 8, 13, 21, 34))
            broken_state(bench)
            broken_journal(bench)
        except AssertionError:
            print("the end of the server's log:\n", bench.log.read_text(errors="replace")[-4000:])
            raise
    oracle = bench.oracle
    for dialect, acks, heads in [("v2", oracle.acks, oracle.heads), ("v1", oracle.acks_v1, oracle.heads_v1)]:
        print(f"{dialect}: {len(acks)} acknowledged entries, {len(heads)} checkpoints: all kept")


if __name__ == "__main__":
    main()
