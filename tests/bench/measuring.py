"""What the measuring scripts share: processes with their time and memory, turns, targets, and where figures come from."""

from __future__ import annotations

import json
import lzma
import os
import platform
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parents[2]
FOOTNOTE = Path(sys.executable).with_name("footnote")
PACKAGES = (
    "footnote-rag",
    "torch",
    "sentence-transformers",
    "onnxruntime",
    "chromadb",
    "langchain-core",
    "tantivy",
    "numpy",
)
SEED = 20

Outcome = TypeVar("Outcome")

# The peak memory of a process includes, on Linux, that of the process it was forked from; so a bare interpreter stands
# between, whose own is below that of anything measured.
_LAUNCHER = """
import json, os, resource, sys, time
began = time.perf_counter()
child = os.spawnv(os.P_NOWAIT, sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(child, 0)
spent = {"seconds": time.perf_counter() - began, "maxrss": usage.ru_maxrss, "code": os.waitstatus_to_exitcode(status)}
with open(sys.argv[1], "w") as file:
    json.dump(spent, file)
"""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a process took, from its start to its end."""

    seconds: float
    peak_mb: float
    printed: str


@dataclass(frozen=True, slots=True)
class Target:
    """A bound that a figure must keep.

    Attributes:
        bound: The greatest value allowed, or where `at_least`, the least.
    """

    what: str
    value: float
    bound: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def __str__(self) -> str:
        return f"{self.what} is {self.value:g}, {'at least' if self.at_least else 'at most'} {self.bound:g} wanted"


def environment(home: Path | None = None, **settings: str) -> dict[str, str]:
    """That of a process which knows no setting but these."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("RAG_", "OPENAI_"))}
    return {**bare, **({"RAG_HOME": str(home)} if home else {}), **settings}


def spent_by(command: Sequence[str | Path], *, env: Mapping[str, str], folder: Path) -> Spent:
    """Runs a command in a process of its own, in `folder`, where it also leaves a small file.

    Raises:
        RuntimeError: It failed; with what it said.
    """
    told = folder / "spent.json"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _LAUNCHER, told, *command],
        env=dict(env), cwd=folder, check=True, capture_output=True, text=True,
    )  # fmt: skip
    spent = json.loads(told.read_text("utf-8"))
    if spent["code"]:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {spent['code']}:\n{done.stderr[-2000:]}")
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return Spent(spent["seconds"], spent["maxrss"] * unit / 1e6, done.stdout)


def seconds_of(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def in_turns(contenders: Mapping[str, Callable[[], Outcome]], rounds: int) -> dict[str, list[Outcome]]:
    """What each contender gives in every round, one after the other, so that a busy machine is busy for all of them.

    Every other round goes the other way, so that none is always the first.
    """
    found: dict[str, list[Outcome]] = {name: [] for name in contenders}
    for turn in range(rounds):
        for name in list(contenders)[:: 1 if turn % 2 == 0 else -1]:
            found[name].append(contenders[name]())
    return found


def median(values: Sequence[float], digits: int = 2) -> float:
    return round(statistics.median(values), digits)


def percentiles_ms(seconds: Sequence[float]) -> dict[str, float]:
    """The 50th, 95th and 99th percentile, in milliseconds."""
    import numpy as np

    return {
        f"p{at}_ms": round(float(value) * 1000, 2)
        for at, value in zip((50, 95, 99), np.percentile(seconds, (50, 95, 99)), strict=True)
    }


def conclude(
    figures: Mapping[str, Any], targets: Sequence[Target], save: Path | None, *packages: str, size: int | None = None
) -> None:
    """Prints and saves the figures; a target that was missed ends the script with exit code 1.

    Args:
        packages: Names of further packages whose versions matter here.
        size: Where the file holds a result of each size, the one that these figures are of; the others stay.
    """
    result = {"figures": figures, "targets": [_told(target) for target in targets], "machine": machine(*packages)}
    print(json.dumps(result, indent=1))
    if save:
        if size is not None:
            sizes = json.loads(save.read_text("utf-8")) if save.exists() else {}
            sizes[str(size)] = result
            result = {each: sizes[each] for each in sorted(sizes, key=int)}
        save.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    missed = [str(target) for target in targets if not target.met]
    print("targets missed:", "; ".join(missed) or "none")
    if missed:
        sys.exit(1)


def _told(target: Target) -> dict[str, Any]:
    bound = "at_least" if target.at_least else "at_most"
    return {"what": target.what, "value": target.value, bound: target.bound, "met": target.met}


@dataclass(frozen=True, slots=True)
class RealPapers:
    """Titles and abstracts of real papers, some kept aside.

    Attributes:
        rows: As the file has them: JSON objects with title, abstract, year, venue and more.
        held_out: Rows that no library of the benchmarks holds; the same at every size.
    """

    rows: tuple[dict[str, Any], ...]
    held_out: tuple[dict[str, Any], ...]

    def spread(self, count: int) -> list[dict[str, Any]]:
        """So many rows, evenly over the file, which goes by source, venue and year.

        Raises:
            ValueError: There are not so many.
        """
        if count > len(self.rows):
            raise ValueError(f"{count:,} papers are wanted, and there are {len(self.rows):,}")
        return [self.rows[at * len(self.rows) // count] for at in range(count)]

    def questions(self, count: int) -> list[str]:
        """Titles of papers kept aside, as they are: questions that nobody here made up, each near many abstracts."""
        return [str(row["title"]) for row in self.held_out[:count]]


@cache
def real_papers() -> RealPapers:
    """The papers of the test collection, 400 of them kept aside with a fixed seed."""
    if not (data := os.environ.get("FOOTNOTE_TEST_DATA")):
        sys.exit("FOOTNOTE_TEST_DATA names no folder: these figures need the abstracts of data/papers/papers.jsonl.xz")
    with lzma.open(Path(data) / "data" / "papers" / "papers.jsonl.xz", "rt", encoding="utf-8") as file:
        rows = [row for line in file if (row := json.loads(line))["title"] and row["abstract"]]
    aside = set(random.Random(SEED).sample(range(len(rows)), 400))  # noqa: S311  a seed, so that a run can be repeated
    held_out = [rows[at] for at in sorted(aside)]
    random.Random(SEED).shuffle(held_out)  # noqa: S311
    return RealPapers(tuple(row for at, row in enumerate(rows) if at not in aside), tuple(held_out))


def machine(*packages: str) -> dict[str, Any]:
    """Where the figures come from.

    Args:
        packages: Names of further packages whose versions matter.
    """
    return {
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "processor": _processor(),
        "system": platform.platform(terse=True),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "versions": {name: found for name in (*PACKAGES, *packages) if (found := _version(name))},
        "commit": _git("rev-parse", "--short", "HEAD")
        + (" with changes" if _git("status", "--porcelain", "rag", "prompts", "seeds") else ""),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # not every benchmark needs every package
        return ""


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if not information.is_file():
        return platform.processor()
    lines = information.read_text("utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
