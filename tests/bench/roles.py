"""How often the sentence shown as an abstract's aim, method or result is one that a person marked as such.

The marks, `roles.jsonl`, were made before the rules, on 64 of the seeds in a shuffled order; the rules were then
written with an eye on the first half of them, and the second half was kept aside.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from rag import Assistant  # noqa: E402
from rag.explore.comparison import choose_sentences  # noqa: E402
from rag.text.sentence_roles import ROLES, score_roles  # noqa: E402
from rag.text.sentences import find_sentences  # noqa: E402

Shown = Mapping[str, int | None]
Marked = Mapping[str, Sequence[int]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", type=Path)
    save = parser.parse_args().save
    marked = [json.loads(line) for line in Path(__file__).with_name("roles.jsonl").read_text("utf-8").splitlines()]
    abstracts = {paper.id: paper.abstract for paper in Assistant.open().papers()}
    half = len(marked) // 2
    results = {
        name: {
            "papers": len(part),
            "rules": accuracy(part, abstracts, by_rules),
            "place": accuracy(part, abstracts, by_place),
        }
        for name, part in (("seen", marked[:half]), ("kept aside", marked[half:]))
    }
    print(json.dumps(results, indent=2))
    if save:
        save.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def accuracy(
    marked: Sequence[Mapping[str, object]], abstracts: Mapping[str, str], choose: Callable[[list[str]], Shown]
) -> dict[str, float]:
    """The share of the papers whose sentence is right, or that rightly have none, by role."""
    right = dict.fromkeys(ROLES, 0)
    for entry in marked:
        abstract = abstracts[str(entry["id"])]
        shown = choose([abstract[start:end] for start, end in find_sentences(abstract)])
        for role in ROLES:
            wanted = entry[role]
            assert isinstance(wanted, list)
            right[role] += shown[role] in wanted if wanted else shown[role] is None
    return {role: round(count / len(marked), 3) for role, count in right.items()}


def by_rules(sentences: list[str]) -> Shown:
    return choose_sentences(score_roles(sentences))


def by_place(sentences: list[str]) -> Shown:
    """The baseline: the first sentence is the aim, the middle one the method, the last one the result."""
    return {"aim": 0, "method": len(sentences) // 2, "result": len(sentences) - 1}


if __name__ == "__main__":
    main()
