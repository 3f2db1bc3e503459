"""Kills `sync` with SIGKILL at random moments: nothing it had reported may be lost, and all indexes must agree.

Half of the kills hit the first ingest of the seeds, each in a library of its own, which the next run completes; half hit
one sync after the other of a file of which each time some abstracts are edited, some get another title, some leave, some
are new and the rest move by a line. Each comes a random while after a random one of the sync's reports, or before the
first. After every kill the library is opened: what the killed process had reported is there as the file has it, what had
been there before and is in the file is there, Chroma, the paper store and the lexical index hold the same, and every
paper is found by the vector of its first chunk. A run to the end then makes the library what the file says.

To how many of these vectors Chroma's graph leads is told beside it. Graphs are approximate: one of some hundred chunks,
after many were removed, now and then has one to which no path leads, without any kill too. The answers of a library of
this size do not go by it.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from rag.corpus.duplicates import make_paper
from rag.corpus.sources import SEEDS, canonical_path, read_sources
from rag.ingestion.sync import sync
from rag.library.derived import read_heads
from rag.library.library import Library
from rag.library.records import chunk_id, paper_json
from rag.settings import Settings
from tests.bench.measuring import SEED, Target, conclude, environment

_CHILD = """
import sys
from rag.settings import load_settings
from rag.ingestion.sync import sync
print("began", flush=True)
sync(load_settings(), sys.argv[1:], progress=lambda done, total: print(done, flush=True))
print("ended", flush=True)
"""
_LED_TO = 0.98  # of the vectors that are looked for in the graph: the recall wanted of it
_EDITIONS = 50  # chunks looked at
_ALIKE = 0.99  # a cosine: the paper store keeps a byte a number

Texts = Mapping[str, tuple[str, str]]  # title and abstract by paper id, in the order of the files


@dataclass
class Tally:
    """What the kills of one kind hit, and what went wrong; `chance` says when they come."""

    what: str
    chance: random.Random
    kills: int = 0
    after_a_report: int = 0
    too_late: int = 0
    looked_for: int = 0
    led_to: int = 0
    faults: list[str] = field(default_factory=list)

    def unless(self, right: bool, what: str) -> None:
        """Notes a fault where something is not right."""
        if not right:
            self.faults.append(f"{self.what}, kill {self.kills}: {what}")

    def told(self, reports: Sequence[float]) -> dict[str, Any]:
        """As it is saved, with the moments of an undisturbed sync's reports."""
        return {"kills": self.kills, "after_a_report": self.after_a_report, "too_late": self.too_late,
                "vectors_looked_for": self.looked_for, "the_graph_led_to": self.led_to,
                "reports": len(reports) - 2, "whole_s": round(reports[-1] - reports[0], 2)}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--kills", type=int, default=30)
    given = parser.parse_args()
    chance = random.Random(SEED)  # noqa: S311 (moments, no secrets)
    of_ingests, of_syncs = Tally("ingest", chance), Tally("sync", chance)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ingest = killed_ingests(folder, given.kills // 2, of_ingests)
        syncs = killed_syncs(folder, given.kills - given.kills // 2, of_syncs)
    faults = of_ingests.faults + of_syncs.faults
    for fault in faults:
        print(fault)
    figures = {"kills": given.kills, "ingest": ingest, "sync": syncs, "faults": faults}
    targets = [Target("faults after kills", len(faults), 0)]
    for what, tally in (("ingests", of_ingests), ("syncs", of_syncs)):
        amid = (tally.after_a_report - tally.too_late) / max(1, tally.kills)
        targets.append(
            Target(f"share of the killed {what} that had reported papers", round(amid, 2), 0.5, at_least=True)
        )
    led_to = (of_ingests.led_to + of_syncs.led_to) / (of_ingests.looked_for + of_syncs.looked_for)
    targets.append(
        Target("share of the vectors after kills to which the graph leads", round(led_to, 4), _LED_TO, at_least=True)
    )
    conclude(figures, targets, given.save)


def killed_ingests(folder: Path, kills: int, tally: Tally) -> dict[str, Any]:
    """Kills ingests of the seeds, and completes each."""
    sync(_settings(folder / "whole"), [SEEDS])  # makes the model's graph
    moments = _undisturbed(_settings(folder / "timed"), SEEDS)
    for number in range(kills):
        settings = _settings(folder / f"ingest{number}")
        _killed_once(settings, SEEDS, {}, moments, tally)
        _completed(settings, SEEDS, tally)
    return tally.told(moments)


def killed_syncs(folder: Path, kills: int, tally: Tally) -> dict[str, Any]:
    """Kills syncs of a file that has changed since the last one."""
    reading = read_sources([SEEDS], {})
    texts = [found.abstract for found in reading.papers(reading.paper_ids())]
    file, settings = folder / "papers.jsonl", _settings(folder / "sync")
    _write(file, texts, 0, tally.chance)
    sync(settings, [file])
    _write(file, texts, 1, tally.chance)
    moments = _undisturbed(settings, str(file))
    there = dict(_texts(settings))
    for number in range(2, kills + 2):
        _write(file, texts, number, tally.chance)
        there = _killed_once(settings, str(file), there, moments, tally)
    _completed(settings, str(file), tally)
    return tally.told(moments)


def _settings(home: Path) -> Settings:
    return Settings(_env_file=None, home=home)  # type: ignore[call-arg]


def _write(file: Path, texts: Sequence[str], number: int, chance: random.Random) -> None:
    """A line before all others, a hundred abstracts edited, sixty under a title of this edition, twenty left out."""
    chosen = chance.sample(range(len(texts)), 180)
    edited, titled, left_out = set(chosen[:100]), set(chosen[100:160]), set(chosen[160:])
    rows = [{"title": "", "abstract": f"This abstract is new in edition {number} and moves all others by a line."}]
    for row, text in enumerate(texts):
        if row not in left_out:
            title = f"Of paper {row}, edition {number}" if row in titled else f"Of paper {row}"
            rows.append({"title": title, "abstract": f"{text} Edition {number}." if row in edited else text})
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def _undisturbed(settings: Settings, path: str) -> list[float]:
    """When a sync began, made each of its reports, and ended."""
    with _begun(settings, path) as process:
        assert process.stdout is not None
        moments = [time.perf_counter()]
        moments += [time.perf_counter() for _ in process.stdout]
    return moments


def _killed_once(settings: Settings, path: str, before: Texts, moments: Sequence[float], tally: Tally) -> Texts:
    """What the library says after a kill; notes what is wrong.

    Args:
        before: What the library said before.
        moments: Of an undisturbed sync, one of whose intervals the kill falls into.
    """
    interval = tally.chance.randrange(len(moments) - 1)
    length_s = [after - at for at, after in pairwise(moments)][interval]
    with _begun(settings, path) as process:
        assert process.stdout is not None
        told = [line for _ in range(interval) if (line := process.stdout.readline())]
        time.sleep(tally.chance.uniform(0, length_s))
        process.kill()
        told += process.stdout.readlines()
    reported = max((int(line) for line in told if line.strip().isdigit()), default=0)
    tally.kills += 1
    tally.after_a_report += reported > 0
    tally.too_late += "ended\n" in told
    return _checked(settings, path, before, reported, tally)


def _begun(settings: Settings, path: str) -> subprocess.Popen[str]:
    graphs = settings.home.parent / "whole" / "models"
    if not (settings.home / "models").exists():
        settings.home.mkdir(parents=True, exist_ok=True)
        (settings.home / "models").symlink_to(graphs)
    process = subprocess.Popen(
        [sys.executable, "-c", _CHILD, path], env=environment(settings.home), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    began = process.stdout.readline()
    assert began == "began\n", began
    return process


def _wanted(path: str) -> dict[str, tuple[str, str]]:
    """What the files say."""
    reading = read_sources([canonical_path(path)], {})
    papers = (make_paper(found.paper_id, found.abstract, found.places) for found in reading.papers(reading.paper_ids()))
    return {paper.id: (paper.title, paper.abstract) for paper in papers}


def _texts(settings: Settings) -> Texts:
    library = Library.open(settings)
    assert library is not None
    found = {said.paper.id: (said.paper.title, said.paper.abstract) for said in library.reader.read_all_stored()}
    library.close()
    return found


def _checked(settings: Settings, path: str, before: Texts, reported: int, tally: Tally) -> Texts:
    """What the library says after a kill; notes what was lost and what does not agree."""
    wanted = _wanted(path)
    library = Library.open(settings)
    if library is None:
        tally.unless(reported == 0, f"{reported} papers were reported, and there is no library")
        return {}
    there = {said.paper.id: (said.paper.title, said.paper.abstract) for said in library.reader.read_all_stored()}
    to_write = [paper_id for paper_id, said in wanted.items() if before.get(paper_id) != said]
    tally.unless(
        all(there.get(paper_id) == wanted[paper_id] for paper_id in to_write[:reported]), "what was reported is lost"
    )
    tally.unless(
        all(there.get(paper_id) in (before[paper_id], wanted[paper_id]) for paper_id in before.keys() & wanted.keys()),
        "papers that had been there, and are in the file, are gone or say neither what they said nor what they shall",
    )
    _agree(settings, library, tally)
    library.close()
    return there


def _agree(settings: Settings, library: Library, tally: Tally) -> None:
    """Notes where Chroma, the paper store, the lexical index and the search by vectors differ."""
    tally.unless(not library.disagreements(), f"the indexes differ: {library.disagreements()}")
    if not (records := list(library.reader.read_all_embedded())):  # killed before its first batch
        return
    ids = [record.paper.id for record in records]
    heads = {head.paper.id: paper_json(head) for head in read_heads(settings, library.collection, ids)}
    said = {each.paper.id: paper_json(each) for each in library.reader.read_stored(ids)}
    tally.unless(heads == said, "the paper store says otherwise than Chroma")
    keys = [chunk_id(record.paper.id, number) for record in records for number in range(len(record.chunks))]
    got = library.collection.get(ids=keys, include=["embeddings"])
    vectors = dict(zip(got["ids"], np.asarray(got["embeddings"], dtype=np.float32), strict=True))
    tally.unless(vectors.keys() == set(keys), "chunks are missing in Chroma")
    kept = np.concatenate([record.chunk_vectors for record in records])
    cosines = (kept * np.stack([vectors[key] for key in keys])).sum(axis=1)
    tally.unless(bool(cosines.min() > _ALIKE), "the paper store's vectors are not Chroma's")
    for record in records:
        # Killed syncs leave earlier editions of an abstract, whose first chunks are the same.
        key = chunk_id(record.paper.id, 0)
        found = dict(library.dense.find_nearest(vectors[key], _EDITIONS))
        tally.unless(found.get(record.paper.id, 0.0) > _ALIKE, f"{record.paper.id} is not found by its vector")
        tally.looked_for += 1
        tally.led_to += key in library.dense._query(vectors[key], _EDITIONS)[0]


def _completed(settings: Settings, path: str, tally: Tally) -> None:
    """The next run completes: the library is what the files say."""
    sync(settings, [path])
    library = Library.open(settings)
    assert library is not None
    tally.unless(_texts(settings) == _wanted(path), "the completed library is not what the files say")
    tally.unless(not library.stamp.syncing, "the completed library says that a sync is at work")
    _agree(settings, library, tally)
    library.close()
    tally.unless(sync(settings, [path]).embedded == 0, "the completed library is embedded again")


if __name__ == "__main__":
    main()
