"""Kills `sync` with SIGKILL at random moments: nothing it had reported may be lost, and all indexes must agree.

Half of the kills hit the first ingest of the seeds, which goes on where the last kill left it; half hit syncs of a file of
which each time some abstracts are edited, some leave, some are new and the rest move by a line. After every kill the
library is opened: what the killed process had reported is there, what it had before and still has in the file is there,
and Chroma, paper store and lexical index hold the same papers. At the end a sync runs through, and the library is what
the file says. Moments are uniform over the time that the same sync takes when nobody kills it.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rag.corpus.sources import SEEDS, canonical, read_sources
from rag.index import Library
from rag.settings import Settings
from rag.sync import sync
from tests.bench.measuring import SEED, Target, conclude, environment

_CHILD = """
import sys
from rag.settings import load_settings
from rag.sync import sync
print("began", flush=True)
sync(load_settings(), sys.argv[1:], progress=lambda done, total: print(done, flush=True))
print("ended", flush=True)
"""


class Faults(list[str]):
    """What went wrong, in words; empty where nothing did."""

    def unless(self, right: bool, what: str) -> None:
        """Notes a fault where something is not right."""
        if not right:
            self.append(what)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--kills", type=int, default=30)
    given = parser.parse_args()
    chance, faults = random.Random(SEED), Faults()  # noqa: S311 (moments, no secrets)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ingest = killed_ingests(folder, given.kills // 2, chance, faults)
        syncs = killed_syncs(folder, given.kills - given.kills // 2, chance, faults)
    for fault in faults:
        print(fault)
    figures = {"kills": given.kills, "ingest": ingest, "sync": syncs, "faults": list(faults)}
    conclude(figures, [Target("faults after kills", len(faults), 0)], given.save)


def killed_ingests(folder: Path, kills: int, chance: random.Random, faults: Faults) -> dict[str, Any]:
    """Kills the ingest of the seeds; a new library is begun when one has become whole."""
    whole_s = _seconds_of_whole(folder / "whole", SEEDS)
    made, mid_way, ended, there = 0, 0, 0, set[str]()
    for _ in range(kills):
        settings = _settings(folder / f"ingest{made}")
        reported, is_whole = _killed(settings, SEEDS, chance.uniform(0, whole_s))
        there = _checked(settings, [SEEDS], there, reported, faults)
        mid_way += reported > 0
        if is_whole:
            ended, made, there = ended + 1, made + 1, set()
    _completed(_settings(folder / f"ingest{made}"), [SEEDS], faults)
    return {"kills": kills, "after_a_report": mid_way, "too_late": ended, "whole_s": round(whole_s, 2)}


def killed_syncs(folder: Path, kills: int, chance: random.Random, faults: Faults) -> dict[str, Any]:
    """Kills syncs of a file that has changed since the last one."""
    reading = read_sources([SEEDS], {})
    texts = [found.abstract for found in reading.papers(reading.paper_ids())]
    file, settings = folder / "papers.jsonl", _settings(folder / "sync")
    _write(file, texts)
    sync(settings, [file])
    _write(file, _edited(texts, 0, chance))
    began = time.perf_counter()
    _killed(settings, str(file), None)
    whole_s = time.perf_counter() - began
    there, mid_way, ended = _ids(settings), 0, 0
    for number in range(1, kills + 1):
        _write(file, _edited(texts, number, chance))
        reported, is_whole = _killed(settings, str(file), chance.uniform(0, whole_s))
        there = _checked(settings, [str(file)], there, reported, faults)
        mid_way += reported > 0
        ended += is_whole
    _completed(settings, [str(file)], faults)
    return {"kills": kills, "after_a_report": mid_way, "too_late": ended, "whole_s": round(whole_s, 2)}


def _settings(home: Path) -> Settings:
    return Settings(_env_file=None, home=home)  # type: ignore[call-arg]


def _write(file: Path, texts: list[str]) -> None:
    file.write_text("".join(json.dumps({"abstract": text}) + "\n" for text in texts), "utf-8")


def _edited(texts: list[str], number: int, chance: random.Random) -> list[str]:
    """A line before all others, 140 abstracts edited, which are three batches, twenty left out."""
    chosen = chance.sample(range(len(texts)), 160)
    edited, left_out = set(chosen[:140]), set(chosen[140:])
    kept = [
        f"{text} Edition {number}." if row in edited else text for row, text in enumerate(texts) if row not in left_out
    ]
    return [f"This abstract is new in edition {number} and moves all others by a line.", *kept]


def _seconds_of_whole(home: Path, path: str) -> float:
    sync(_settings(home), [path])  # not timed: makes the model's graph
    graphs = home / "models"
    began = time.perf_counter()
    _killed(_settings(home.with_name("timed")), path, None, graphs=graphs)
    return time.perf_counter() - began


def _killed(settings: Settings, path: str, after_s: float | None, graphs: Path | None = None) -> tuple[int, bool]:
    """Papers that a sync reported before it was killed, so long after it had begun; and whether it ended before."""
    source = graphs or settings.home.parent / "whole" / "models"
    if not (settings.home / "models").exists() and source.exists():
        settings.home.mkdir(parents=True, exist_ok=True)
        (settings.home / "models").symlink_to(source)
    with subprocess.Popen(
        [sys.executable, "-c", _CHILD, path], env=environment(settings.home), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        began = process.stdout.readline()
        assert began == "began\n", began
        if after_s is not None:
            time.sleep(after_s)
            process.kill()
        told = process.stdout.read().splitlines()
    numbers = [int(line) for line in told if line.isdigit()]
    return max(numbers, default=0), "ended" in told


def _ids(settings: Settings) -> set[str]:
    library = Library.open(settings)
    if library is None:
        return set()
    ids = {said.paper.id for said in library.all_said()}
    library.close()
    return ids


def _checked(settings: Settings, paths: list[str], before: set[str], reported: int, faults: Faults) -> set[str]:
    """The papers that are there after a kill; notes what was lost and what does not agree."""
    library = Library.open(settings)
    if library is None:
        faults.unless(reported == 0, f"{reported} papers were reported, and there is no library")
        return set()
    in_files = read_sources([canonical(path) for path in paths], {}).paper_ids()
    there = {said.paper.id for said in library.all_said()}
    acknowledged = [paper_id for paper_id in in_files if paper_id not in before][:reported]
    faults.unless(there >= set(acknowledged), "papers that were reported are gone")
    faults.unless(there >= before & set(in_files), "papers that had been there, and are in the file, are gone")
    faults.unless(not library.disagreements(), f"the indexes differ: {library.disagreements()}")
    library.close()
    return there


def _completed(settings: Settings, paths: list[str], faults: Faults) -> None:
    """The next run completes: the library is what the files say."""
    sync(settings, paths)
    wanted = set(read_sources([canonical(path) for path in paths], {}).paper_ids())
    library = Library.open(settings)
    assert library is not None
    faults.unless(
        {said.paper.id for said in library.all_said()} == wanted, "the completed library is not what the files say"
    )
    faults.unless(not library.stamp.syncing, "the completed library says that a sync is at work")
    faults.unless(not library.disagreements(), f"the completed indexes differ: {library.disagreements()}")
    faults.unless(sync(settings, paths).embedded == 0, "the completed library is embedded again")


if __name__ == "__main__":
    main()
