"""Feedback: a line an answer, of which `footnote eval` makes figures, and none that nobody can vouch for."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rag import Answer, Assistant, Citation, FeedbackError, Outcome, Paper, Settings, Turn, record_feedback
from rag.evaluation.questions import read_questions
from tests.command import inside

ANSWERED, REFUSED = "How many tasks does TimeArena have?", "Who won the 1998 football world cup in Kyrgyzstan?"


def lines(home: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (home / "feedback.jsonl").read_text("utf-8").split("\n") if line]


def answer(question: str = "Why?", source: str = "x.txt") -> Answer:
    paper = Paper("0" * 16, "", "It", "It is so.", source, 3, (("y.txt", 4),))
    return Answer(
        question, question, "It is so. [1]", Outcome.ANSWERED, (Citation(1, paper, "It is so.", 0, 9),), model="m"
    )


def test_a_line_says_what_was_asked_cited_and_thought(tmp_path):
    record_feedback(tmp_path, "7", answer(), liked=True, reason=" Good\x1b[31m ", history=[Turn("user", "What?")])
    (line,) = lines(tmp_path)
    assert line.pop("time").endswith("+00:00")
    assert len(line.pop("id")) == 16
    assert line == {
        "type": "liked", "question": "Why?", "history": [{"role": "user", "content": "What?"}],
        "gold": ["x.txt:3", "y.txt:4"], "gold_mode": "any", "facts": [], "liked": True, "reason": "Good[31m",
        "outcome": "answered", "cited": ["x.txt:3", "y.txt:4"], "model": "m",
    }  # fmt: skip
    assert (tmp_path / "feedback.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_changed_mind_replaces_the_line_and_may_take_it_back(tmp_path):
    record_feedback(tmp_path, "none", answer(), liked=None)
    assert not (tmp_path / "feedback.jsonl").exists()
    record_feedback(tmp_path, "7", answer(), liked=True)
    record_feedback(tmp_path, "8", answer("And?"), liked=True)
    record_feedback(tmp_path, "7", answer(), liked=False, reason="It is not so.")
    assert [(line["type"], line["gold"], line["cited"], line["reason"]) for line in lines(tmp_path)] == [
        ("liked", ["x.txt:3", "y.txt:4"], ["x.txt:3", "y.txt:4"], ""),
        ("disliked", [], ["x.txt:3", "y.txt:4"], "It is not so."),
    ]
    record_feedback(tmp_path, "7", answer(), liked=None)
    assert [line["question"] for line in lines(tmp_path)] == ["And?"]
    assert list(tmp_path.glob(".feedback*")) == []


def test_many_at_once_lose_no_line(tmp_path):
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda key: record_feedback(tmp_path, str(key), answer(str(key)), liked=True), range(40)))
    assert {line["question"] for line in lines(tmp_path)} == {str(key) for key in range(40)}


def test_lines_that_others_wrote_into_the_file_stay_as_they_are(tmp_path):
    theirs = '{"id": "mine", "x": "\u2028"}\nnonsense\n[]\n'
    (tmp_path / "feedback.jsonl").write_text(theirs, "utf-8")
    record_feedback(tmp_path, "7", answer(), liked=True)
    assert (tmp_path / "feedback.jsonl").read_text("utf-8").startswith(theirs)


def test_whatever_is_in_it_the_file_stays_one_that_eval_reads(tmp_path):
    odd = "a\nb\u2028c\ud83d\u202e" + "x" * 20_000
    record_feedback(
        tmp_path, "7", answer("q" + odd, "new\nline.txt"), liked=True, reason=odd, history=[Turn("user", odd)] * 50
    )
    record_feedback(tmp_path, "8", Answer("?", "?", "", Outcome.NOT_IN_CORPUS), liked=True)
    first, second = read_questions(tmp_path / "feedback.jsonl")
    assert (first.type, first.gold) == ("liked", ("y.txt:4",))
    assert len(first.question) <= 8_000
    assert (len(first.history), len(lines(tmp_path)[0]["reason"])) == (20, 2_000)
    assert (second.type, second.gold) == ("unanswerable", ())
    assert (tmp_path / "feedback.jsonl").stat().st_size < 400_000


def test_a_file_that_cannot_be_written_is_said_and_kept(tmp_path, monkeypatch):
    record_feedback(tmp_path, "7", answer(), liked=True)
    before = (tmp_path / "feedback.jsonl").read_bytes()
    monkeypatch.setattr("rag.share.feedback._MOST_BYTES", 10)
    with pytest.raises(FeedbackError, match="larger than 10 bytes"):
        record_feedback(tmp_path, "8", answer(), liked=True)
    assert (tmp_path / "feedback.jsonl").read_bytes() == before
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(FeedbackError, match="cannot be written"):
        record_feedback(tmp_path / "file", "7", answer(), liked=True)


def test_eval_runs_on_it_and_of_a_disliked_answer_tells_the_outcome_alone(
    seed_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    shutil.copytree(seed_home, home, ignore=shutil.ignore_patterns("feedback.jsonl"))  # votes of other tests' pages
    monkeypatch.setenv("RAG_HOME", str(home))
    assistant = Assistant.open(Settings(_env_file=None, home=home))  # type: ignore[call-arg]
    found, refused = assistant.answer(ANSWERED), assistant.answer(REFUSED)
    record_feedback(home, "1", found, liked=True)
    record_feedback(home, "2", refused, liked=True)
    record_feedback(home, "3", found, liked=False, reason="It is too short.")
    record_feedback(home, "4", refused, liked=False)
    said = inside("eval", str(home / "feedback.jsonl"), "--json")
    assert said.code == 0, said.err
    result = json.loads(said.out)
    by_type = {row["type"]: row for row in result["rows"]}
    assert by_type["liked"]["figures"]["correct"] == by_type["liked"]["figures"]["hit@1"] == 1
    assert by_type["unanswerable"]["figures"]["not_answered"] == 1
    disliked = [row for row in result["rows"] if row["type"] == "disliked"]
    assert [(row["outcome"], row["rank"]) for row in disliked] == [("answered", None), ("not_in_corpus", None)]
    assert [row["figures"]["disliked_answered"] for row in disliked] == [1, 0]
    assert all(set(row["figures"]) == {"disliked_answered", "latency_ms"} for row in disliked)
    assert result["summary"]["all"]["hit@1"]["n"] == 1, "the others are no hits and no misses"
    shown = inside("eval", str(home / "feedback.jsonl"))
    assert shown.code == 0
    assert "disliked" in shown.out
