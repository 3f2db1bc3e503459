"""How much a slip of the finger costs: the questions with one typo each, with and without mending it."""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import patch

from rag import Assistant, load_settings
from rag.evaluation.questions import read_questions, score_ranking
from rag.library.library import Library
from rag.retrieval import ranking
from rag.retrieval.ranking import Query, retrieve
from rag.text.words import find_content_words

HERE = Path(__file__).parent
METRICS = ("hit@1", "hit@5", "mrr", "recall@10")
VARIANTS = 2  # typos of each question
_SHORTEST = 6


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--save", type=Path)
    given = arguments.parse_args()
    assistant = Assistant.open(load_settings())
    assistant.prepare()
    library = assistant.answering.handle.filled()
    questions = [each for each in read_questions(HERE / "questions.jsonl") if each.answerable and not each.history]
    typed = [
        (each, slip) for each in questions for n in range(VARIANTS) if (slip := _mistyped(library, each.question, n))
    ]

    def figures(asked: list[tuple[object, str]]) -> dict[str, float]:
        model = assistant.answering.model
        rows: list[Mapping[str, float]] = [
            score_ranking(question, retrieve(library, model, Query(text), k=100).passages)  # type: ignore[arg-type]
            for question, text in asked
        ]
        return {
            name: round(sum(row.get(name, 0.0) for row in rows) / sum(name in row for row in rows), 4)
            for name in METRICS
        }

    result = {"questions": len(typed), "without_typos": figures([(each, each.question) for each, _ in typed])}
    result["mended"] = figures(list(typed))
    with patch.object(ranking, "find_misspelt", lambda *_: {}):
        result["not_mended"] = figures(list(typed))
    print(json.dumps(result, indent=1))
    if given.save:
        given.save.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


def _mistyped(library: Library, question: str, seed: int) -> str:
    """The question with a slip in its rarest word that the library knows; "" where no word is long enough."""
    lexical = library.lexical
    long = [word for word in find_content_words(question) if len(word) >= _SHORTEST and word.isalpha()]
    known = [word for word in long if all(map(lexical.frequency, lexical.terms_of(word)))]
    if not known:
        return ""
    drawing = random.Random(f"{question}{seed}")  # noqa: S311 (a fixed seed is the point)
    word = max(known, key=lexical.word_idf)
    at = drawing.randrange(1, len(word) - 2)
    slip = drawing.choice(
        (
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
        )
    )
    return question.replace(word, slip, 1)


if __name__ == "__main__":
    main()
