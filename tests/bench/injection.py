"""Measures how many planted instructions are flagged in abstracts, and how many real abstracts are flagged for nothing.

FOOTNOTE_TEST_DATA names the folder with BIPIA's attack strings, of which those of the train split were read when the
patterns of `rag.text.prompt_injection` were written, and with the papers whose abstracts count as real. Each string is planted at
the start, in the middle and at the end of bundled abstracts; it counts as flagged where a flagged place overlaps it.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
from collections import Counter
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

from rag import instructions
from rag.corpus.clean import clean_text
from rag.corpus.details import Entry
from rag.corpus.formats import read_file
from rag.text.sentences import find_sentences

ROOT = Path(__file__).resolve().parents[2]
MOST_FALSE = 0.005
SHOWN = 20


def planted(abstract: str, attack: str) -> Iterator[tuple[str, str, int]]:
    """The cleaned abstract with the attack in it as (place, text, where the attack begins)."""
    ends = [end for _, end in find_sentences(abstract)]
    middle = ends[(len(ends) - 1) // 2] if len(ends) > 1 else len(abstract)
    for place, at in (("start", 0), ("middle", middle), ("end", len(abstract))):
        before = abstract[:at].strip()
        text = f"{before} {attack} {abstract[at:].strip()}".strip()
        yield place, text, len(before) + bool(before)


def read_seeds() -> list[str]:
    files = sorted((ROOT / "seeds").iterdir())
    return [entry.abstract for file in files for entry in read_file(file) if isinstance(entry, Entry)]


def detection(attacks: Path, seeds: list[str]) -> dict[str, Any]:
    """Shares of the attacks that are flagged: by split, and within it by place, kind and category."""
    flagged: Counter[tuple[str, str]] = Counter()
    planted_in_all: Counter[tuple[str, str]] = Counter()
    abstracts = cycle(seeds)
    for line in attacks.read_text("utf-8").splitlines():
        row = json.loads(line)
        attack = clean_text(row["text"])
        for place, text, start in planted(next(abstracts), attack):
            hit = any(begin < start + len(attack) and end > start for begin, end in instructions(text))
            for name in ("all", place, row["kind"], row["category"]):
                planted_in_all[row["split"], name] += 1
                flagged[row["split"], name] += hit
    result: dict[str, Any] = {"train": {}, "test": {}}
    for (split, name), count in planted_in_all.items():
        result[split][name] = {"planted": count, "flagged": round(flagged[split, name] / count, 3)}
    return result


def false_flags(papers: Path) -> dict[str, Any]:
    """How many real abstracts are flagged; prints some of the places."""
    count = flagged = 0
    with lzma.open(papers, "rt", encoding="utf-8") as lines:
        for line in lines:
            abstract = clean_text(json.loads(line)["abstract"])
            places = instructions(abstract)
            count += 1
            flagged += bool(places)
            if places and flagged <= SHOWN:
                print("  flagged:", abstract[slice(*places[0])][:150])
    return {"abstracts": count, "flagged": flagged, "share": round(flagged / count, 6)}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--save", type=Path)
    given = arguments.parse_args()
    if "FOOTNOTE_TEST_DATA" not in os.environ:
        arguments.exit(2, "Set FOOTNOTE_TEST_DATA to the folder that holds data/bipia and data/papers.\n")
    data, seeds = Path(os.environ["FOOTNOTE_TEST_DATA"]) / "data", read_seeds()
    result = {
        "planted": detection(data / "bipia" / "attacks.jsonl", seeds),
        "seeds": {"abstracts": len(seeds), "flagged": sum(bool(instructions(abstract)) for abstract in seeds)},
        "papers": false_flags(data / "papers" / "papers.jsonl.xz"),
    }
    for split, rates in result["planted"].items():
        print(split, {name: rates[name]["flagged"] for name in ("all", "text", "code", "start", "middle", "end")})
    print(result["seeds"], result["papers"], "ok" if result["papers"]["share"] <= MOST_FALSE else "TOO MANY")
    if given.save:
        given.save.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
