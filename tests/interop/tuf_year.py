"""Reads a simulated year of the TUF repository with python-tuf's client.

One client updates every day. Every thirtieth day, a new client starts from the first root. Both must get every
target, with the clock of that day. Without the renewals, the updates must fail on the expected days.

    tests/interop/tuf_year.py [path of the tuf_year example; default target/debug/examples/tuf_year]
"""

import datetime
import json
import pathlib
import subprocess
import sys
import tempfile
from unittest import mock

from tuf.api.exceptions import DownloadHTTPError, ExpiredMetadataError, RepositoryError
from tuf.ngclient import Updater
from tuf.ngclient._internal import trusted_metadata_set
from tuf.ngclient.fetcher import FetcherInterface

ROOT = pathlib.Path(__file__).resolve().parents[2]
BASE = "https://tuf.invalid/tuf"
TARGETS = ["trusted_root.json", "signing_config.v0.2.json"]


class Folder(FetcherInterface):
    """Serves one day's folder; answers 404 for other files."""

    def __init__(self, folder):
        self.folder = folder

    def _fetch(self, url):
        path = self.folder / url.removeprefix(BASE + "/")
        if not path.is_file():
            raise DownloadHTTPError("not found", 404)
        yield path.read_bytes()


class Clock(datetime.datetime):
    """Returns the simulated time of a day."""

    moment = None

    @classmethod
    def now(cls, tz=None):
        return cls.moment.astimezone(tz)


def refresh(day, moment, cache, first_root):
    """Updates a client's cache to a day and fetches every target."""
    Clock.moment = moment
    metadata, targets = cache / "metadata", cache / "targets"
    metadata.mkdir(parents=True, exist_ok=True)
    targets.mkdir(parents=True, exist_ok=True)
    with mock.patch.object(trusted_metadata_set.datetime, "datetime", Clock):
        updater = Updater(
            metadata_dir=str(metadata),
            metadata_base_url=BASE,
            target_dir=str(targets),
            target_base_url=BASE + "/targets/",
            fetcher=Folder(day),
            bootstrap=first_root,
        )
        updater.refresh()
        listed = updater._trusted_set.targets.targets
        assert set(TARGETS) <= set(listed), listed.keys()
        for name in listed:
            info = updater.get_targetinfo(name)
            if updater.find_cached_target(info) is None:
                updater.download_target(info)
            assert info.custom["sigstore"]["status"] == "Active"
            assert info.custom["sigstore"]["usage"] in {"Unknown", "Fulcio", "Rekor", "CTFE", "TSA"}
    return updater._trusted_set


def simulate(program, folder, renew):
    subprocess.run([program, folder, "--renew", renew], check=True)
    days = json.loads((folder / "days.json").read_text())
    moments = [datetime.datetime.fromisoformat(day["now"]) for day in days]
    folders = [folder / f"{number:03}" for number in range(len(days))]
    first_root = (folders[0] / "1.root.json").read_bytes()
    return days, moments, folders, first_root


def first_failure(moments, folders, cache, first_root):
    """Returns the first day on which a client that updates every day fails, and the reason."""
    for number, (moment, folder) in enumerate(zip(moments, folders)):
        try:
            refresh(folder, moment, cache, first_root)
        except RepositoryError as error:
            return number, error
    return None, None


def whole_year(program, work):
    days, moments, folders, first_root = simulate(program, work / "all", "all")
    assert len(days) == 366
    fresh = 0
    seen = None
    for number, (moment, folder) in enumerate(zip(moments, folders)):
        trusted = refresh(folder, moment, work / "daily", first_root)
        versions = [trusted.root.version, trusted.timestamp.version, trusted.snapshot.version]
        assert seen is None or versions[1] == seen[1] + 1, f"day {number}: {versions} after {seen}"
        assert seen is None or versions >= seen
        seen = versions
        if number % 30 == 0:
            refresh(folder, moment, work / f"fresh-{number}", first_root)
            fresh += 1
    assert seen[0] == 2, f"the root was renewed once, and has version {seen[0]}"
    warned = [number for number, day in enumerate(days) if "expires within" in day["health"]]
    assert warned == [305], f"warned on the days {warned}"
    print(f"  {len(days)} days, {fresh} new clients; root {seen[0]}, timestamp {seen[1]}")


def without_root(program, work):
    days, moments, folders, first_root = simulate(program, work / "online", "online")
    number, error = first_failure(moments, folders, work / "online-cache", first_root)
    assert number == 365, f"refused on day {number}: {error}"
    assert isinstance(error, ExpiredMetadataError) and "root" in str(error), error
    for first_day, said in [(305, "within 60"), (335, "within 30"), (358, "within 7")]:
        assert said not in days[first_day - 1]["health"], days[first_day - 1]
        assert said in days[first_day]["health"], days[first_day]
    print(f"  root not renewed: warned on days 305, 335, 358; refused on day {number}: {error}")


def without_renewal(program, work):
    _, moments, folders, first_root = simulate(program, work / "nothing", "nothing")
    number, error = first_failure(moments, folders, work / "nothing-cache", first_root)
    assert number == 7, f"refused on day {number}: {error}"
    assert isinstance(error, ExpiredMetadataError) and "timestamp" in str(error), error
    print(f"  nothing renewed: refused on day {number}: {error}")


def main():
    default = ROOT / "target/debug/examples/tuf_year"
    program = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else default).resolve()
    with tempfile.TemporaryDirectory() as work:
        for part in [whole_year, without_root, without_renewal]:
            part(program, pathlib.Path(work))


main()
