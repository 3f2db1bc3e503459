"""What became of the answers: the figures of questions.jsonl and of SciFact in the results of an earlier commit and now.

Measures nothing itself: `footnote eval` writes tests/bench/results/{questions,scifact}.json, and git keeps what stood
there before.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path
from typing import Any

from tests.bench.measuring import ROOT, Target, conclude

FIGURES = {
    "questions": ("hit@1", "hit@5", "mrr", "recall@10", "facts", "correct", "citation_precision", "citation_recall",
                  "not_answered", "refused"),
    "scifact": ("ndcg@10", "hit@1", "mrr@10", "recall@10", "recall@100"),
}  # fmt: skip
ROUNDING = 0.002  # less than one question of a hundred


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", required=True, help="the commit whose results are the earlier ones")
    parser.add_argument("--save", type=Path)
    given = parser.parse_args()
    figures: dict[str, Any] = {}
    for name, wanted in FIGURES.items():
        file = f"tests/bench/results/{name}.json"
        earlier = subprocess.run(
            ["git", "show", f"{given.before}:{file}"], cwd=ROOT, check=True, capture_output=True, text=True
        )
        before, now = json.loads(earlier.stdout), json.loads((ROOT / file).read_text("utf-8"))
        figures[name] = {
            "commits": [before["commit"], now["commit"]],
            **{each: [result["summary"]["all"][each]["value"] for result in (before, now)] for each in wanted},
        }
    targets = [
        Target(f"{each} of {name}", figures[name][each][1], round(figures[name][each][0] - ROUNDING, 4), at_least=True)
        for name, wanted in FIGURES.items()
        for each in wanted
    ]
    conclude(figures, targets, given.save)


if __name__ == "__main__":
    main()
