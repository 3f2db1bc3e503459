"""Scores the support ledger: changed and wrongly cited sentences flagged, untouched and paraphrased ones let pass.

Papers are split by a hash of their id: rules were made looking at `dev` alone, `held_out` gives figures only.
SciFact is measured where FOOTNOTE_TEST_DATA names the folder that has it; its train claims set thresholds, its dev
claims give figures. Run it as `python -m tests.bench.ledger`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import lzma
import math
import os
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag import Assistant, load_settings
from rag.checks.ledger import Judge
from rag.models.embedding import open_model
from rag.text.sentences import find_sentences
from rag.types import Paper, Verdict
from tests.bench.nearest import WordIndex
from tests.bench.perturbations import UNTOUCHED, perturbed

HERE = Path(__file__).parent
HALVES = ("dev", "held_out")
SHOWN = ("dev", "scifact_train")  # the others are not to be looked at while rules are made
SUPPORTED = frozenset({UNTOUCHED, "paraphrase", "scifact_supported"})  # flagging these is a false alarm
REFERENCE = {"scifact": "scifact_supported"}  # what the precision of other kinds is reckoned against; else untouched


@dataclass(frozen=True, slots=True)
class Question:
    """A sentence cited to a paper; `original` and `change` say how it was made."""

    part: str
    kind: str
    subkind: str
    sentence: str
    paper: Paper
    original: str = ""
    change: str = ""


class Bench:
    """The ledger as answers are judged by it, but for sentences that stand in the abstract word for word."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self._model = open_model(load_settings())
        papers = {each.paper.id: each.paper for each in questions}
        texts = [
            [paper.abstract[start:end] for start, end in find_sentences(paper.abstract)] for paper in papers.values()
        ]
        vectors = iter(self._model.embed([text for each in texts for text in each]))
        self._sentences = {key: [next(vectors) for _ in each] for key, each in zip(papers, texts, strict=True)}
        claims = sorted({each.sentence for each in questions})
        self._claims = dict(zip(claims, self._model.embed(claims), strict=True))
        self._judge = Judge(self._nearness, verbatim=False)

    def verdict(self, question: Question) -> tuple[Verdict, tuple[str, ...]]:
        """What the ledger says of a sentence that cites this paper alone, and why."""
        found, checks = self._judge.verdict(question.sentence, [(1, question.paper)])
        return found, tuple(check.reason for check in checks if not check.passed)

    def flags(self, question: Question) -> bool:
        """Whether a reader is warned."""
        return self.verdict(question)[0] not in (Verdict.SUPPORTED, Verdict.NO_CLAIM)

    def _nearness(self, text: str, paper: Paper) -> float:
        if text not in self._claims:  # without the number of a list's item, say
            self._claims[text] = self._model.embed([text])[0]
        return max((float(each @ self._claims[text]) for each in self._sentences[paper.id]), default=0.0)


def half(paper_id: str) -> str:
    """Which half of the papers this one belongs to."""
    return "dev" if hashlib.sha256(paper_id.encode()).digest()[-1] % 2 == 0 else "held_out"


def seed_questions(papers: Sequence[Paper]) -> Iterator[Question]:
    """The perturbed sentences, and those written by hand."""
    by_id = {paper.id: paper for paper in papers}
    for case in perturbed(papers):
        paper = by_id[case.paper_id]
        yield Question(half(paper.id), case.kind, case.subkind, case.sentence, paper, case.original, case.change)
    for line in (HERE / "paraphrases.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        paper = by_id[row["paper_id"]]
        yield Question(half(paper.id), row["kind"], row.get("what", "by hand"), row["sentence"], paper)


def scifact_questions(folder: Path) -> Iterator[Question]:
    """Claims against the document that supports or contradicts them, and supported ones against another."""
    papers = _scifact_papers(folder / "corpus.jsonl.xz")
    index = WordIndex({paper.id: f"{paper.title} {paper.abstract}" for paper in papers.values()})
    ids = sorted(papers)
    for part in ("scifact_train", "scifact_dev"):
        for line in (folder / f"claims_{part.removeprefix('scifact_')}.jsonl").read_text("utf-8").splitlines():
            claim = json.loads(line)
            text, cited = claim["claim"], {str(each) for each in (*claim["cited_doc_ids"], *claim["evidence"])}
            labels = {found[0]["label"] for found in claim["evidence"].values()}
            for doc_id, found in sorted(claim["evidence"].items()):
                kind = "scifact_supported" if found[0]["label"] == "SUPPORT" else "scifact_contradicted"
                yield Question(part, kind, "", text, papers[doc_id])
            if labels == {"SUPPORT"}:
                drawing = random.Random(f"scifact {claim['id']}")  # noqa: S311 (a fixed seed is the point)
                other = drawing.choice([each for each in ids if each not in cited])
                yield Question(part, "scifact_unrelated", "random", text, papers[other])
                yield Question(part, "scifact_unrelated", "nearest", text, papers[index.nearest(text, besides=cited)])


def interval(hits: int, n: int) -> tuple[float, float]:
    """Wilson's interval that holds the true share with 95 %."""
    z = 1.96
    middle = (hits + z * z / 2) / (n + z * z)
    reach = z / (n + z * z) * math.sqrt(hits * (n - hits) / n + z * z / 4)
    return round(max(0.0, middle - reach), 3), round(min(1.0, middle + reach), 3)


def figures(flags: Sequence[tuple[Question, bool]]) -> dict[str, Any]:
    """By part, kind and subkind: how many are flagged; recall and precision of a kind that should be flagged.

    Precision is that of a reader who meets as many sentences of the kind as supported ones: it does not depend on how
    many of each happen to be measured.
    """
    counts: dict[tuple[str, str, str], list[bool]] = defaultdict(list)
    for question, flagged in flags:
        for part in (question.part, "all") if question.part in HALVES else (question.part,):
            counts[part, question.kind, ""].append(flagged)
            if question.subkind:
                counts[part, question.kind, question.subkind].append(flagged)
    report: dict[str, Any] = {}
    for (part, kind, subkind), found in sorted(counts.items()):
        row: dict[str, Any] = {
            "n": len(found),
            "flagged": sum(found),
            "rate": round(sum(found) / len(found), 3),
            "interval": interval(sum(found), len(found)),
        }
        if kind not in SUPPORTED:
            alarms = counts[part, REFERENCE.get(kind.split("_")[0], UNTOUCHED), ""]
            false = sum(alarms) / max(1, len(alarms))
            row["recall"] = row["rate"]
            row["precision"] = round(row["rate"] / (row["rate"] + false), 3) if row["rate"] else 0.0
        report.setdefault(part, {})["/".join(filter(None, (kind, subkind)))] = row
    return report


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--save", type=Path)
    arguments.add_argument(
        "--show", default="", metavar="KIND", help="print what goes wrong in dev, or in SciFact's train claims"
    )
    given = arguments.parse_args()
    questions = list(seed_questions(Assistant.open(load_settings()).papers()))
    if folder := os.environ.get("FOOTNOTE_TEST_DATA"):
        questions += scifact_questions(Path(folder) / "data" / "scifact")
    bench = Bench(questions)
    flags = [(each, bench.flags(each)) for each in questions]
    report = figures(flags)
    _print_table(report)
    if given.show:
        _print_wrong(bench, [(each, flagged) for each, flagged in flags if each.kind == given.show])
    if given.save:
        given.save.write_text(json.dumps(report, indent=1) + "\n", "utf-8")


def _print_table(report: dict[str, Any]) -> None:
    for part, rows in report.items():
        print(f"\n{part}\n{'kind':34}{'n':>5}{'flagged':>9}{'95 %':>16}{'precision':>11}")
        for kind, row in rows.items():
            low, high = row["interval"]
            precision = f"{row['precision']:.3f}" if "precision" in row else ""
            print(f"{kind:34}{row['n']:5}{row['rate']:9.3f}{f'{low:.3f}-{high:.3f}':>16}{precision:>11}")


def _print_wrong(bench: Bench, flags: Sequence[tuple[Question, bool]]) -> None:
    for question, flagged in flags:
        if question.part in SHOWN and flagged == (question.kind in SUPPORTED):
            found, reasons = bench.verdict(question)
            print(f"\n{question.kind}/{question.subkind} {question.paper.id} {question.change}\n  {question.sentence}")
            if question.original not in ("", question.sentence):
                print(f"  was: {question.original}")
            print(f"  {found.value}: {'; '.join(reasons)}")


def _scifact_papers(path: Path) -> dict[str, Paper]:
    papers = {}
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            row = json.loads(line)
            papers[row["_id"]] = Paper(row["_id"], row["title"], row["title"], row["text"], path.name, number)
    return papers


if __name__ == "__main__":
    main()
