"""What an earlier commit wrote still opens: a library, conversations, a passport, feedback, kept answers and users.

`data/written_before.zip` was written by commit 5a4932b: three invented papers ingested, three questions asked in the
chat as "reader", one of them liked, and a fourth that was cut.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag import Assistant, Filter, Outcome, Settings, Usage, record_feedback
from rag.llm.cache import AnswerCache
from tests.command import inside
from ui.conversations.conversation import State
from ui.conversations.history import History
from ui.server.accounts import check_password, read_accounts

WRITTEN = Path(__file__).parent / "data" / "written_before.zip"
CRABS, LAMPS, BREAD, PUFFINS = (
    "How many shore crabs were counted in tidal pools?",
    "Which year did lighthouses stop burning paraffin?",
    "How do I bake sourdough bread?",
    "Do puffins move?",
)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A folder with a copy of what was written: `home`, and `papers` it was ingested from."""
    with zipfile.ZipFile(WRITTEN) as archive:
        archive.extractall(tmp_path)
    os.chmod(tmp_path / "home" / "users", 0o600)  # which zipfile does not restore
    return tmp_path


@pytest.fixture
def assistant(written: Path) -> Iterator[Assistant]:
    assistant = Assistant.open(Settings(_env_file=None, home=written / "home"))  # type: ignore[call-arg]
    yield assistant
    assistant.close()


def test_its_papers_are_listed_with_all_that_is_known_of_them(assistant: Assistant) -> None:
    papers = {paper.label: paper for paper in assistant.papers()}
    assert len(papers) == 3
    lamps = papers["Lamps of the northern lighthouses"]
    assert (lamps.source, lamps.line, lamps.year, lamps.venue) == ("lighthouses.jsonl", 1, 2021, "Journal of Coasts")
    assert lamps.authors == ("Ada Keeper", "Ole Berg")
    assert lamps.url == "https://example.org/lamps"
    assert len(assistant.similar(lamps.id)) == 2


def test_it_answers_as_it_did(assistant: Assistant) -> None:
    answer = assistant.answer(CRABS)
    assert answer.outcome is Outcome.ANSWERED
    assert "412 shore crabs" in answer.text
    assert [citation.paper.source for citation in answer.citations][:1] == ["tides.txt"]
    assert "1924" in assistant.answer(LAMPS, where=Filter(years=(2020, 2022))).text
    assert assistant.answer(BREAD).outcome is Outcome.NOT_IN_CORPUS


def test_a_sync_over_it_embeds_only_what_is_new(written: Path, assistant: Assistant) -> None:
    elsewhere = assistant.ingest([written / "papers"])  # the same abstracts, each a further place of a paper
    assert (elsewhere.merged, elsewhere.added, elsewhere.removed, elsewhere.embedded, elsewhere.total) == (
        3,
        0,
        0,
        0,
        3,
    )
    again = assistant.ingest([written / "papers"])
    assert (again.unchanged, again.added, again.changed, again.embedded, again.total) == (3, 0, 0, 0, 3)
    (written / "papers" / "new.txt").write_text("Abstract:Otters crack mussels on stones. We saw 77 otters do so.\n")
    more = assistant.ingest([written / "papers"])
    assert (more.unchanged, more.added, more.total) == (3, 1, 4)
    assert "77 otters" in assistant.answer("How many otters crack mussels?").text
    assert "412 shore crabs" in assistant.answer(CRABS).text


def test_its_conversation_opens_whole_and_goes_on(written: Path) -> None:
    history = History(written / "home")
    (listed,) = history.find_conversations("reader")
    assert listed.title == "Of the coast"
    crabs, lamps, bread, puffins = history.read_exchanges("reader", listed.id)
    assert [each.question for each in (crabs, lamps, bread, puffins)] == [CRABS, LAMPS, BREAD, PUFFINS]
    assert [each.state for each in (crabs, lamps, bread, puffins)] == [State.DONE] * 3 + [State.CUT]
    assert crabs.answer is not None
    assert "412 shore crabs" in crabs.answer.text
    assert crabs.answer.citations[0].quote in crabs.answer.citations[0].paper.abstract
    assert crabs.answer.claims
    assert (lamps.scope, lamps.liked, lamps.reason) == (Filter(years=(2020, 2022)), True, "names the year")
    assert bread.answer is not None
    assert (bread.answer.outcome, bread.answer.searched) == (Outcome.NOT_IN_CORPUS, 3)
    assert puffins.text == "Puffins return"
    assert history.find_conversations("reader", search="crabs") == [listed]
    bread.liked = True
    history.save("reader", bread)
    assert history.read_exchanges("reader", listed.id)[2].liked is True


def test_its_passport_holds(written: Path, assistant: Assistant) -> None:
    report = assistant.verify((written / "home" / "passport.html").read_text(encoding="utf-8"), ranking=True)
    assert [check for check in report.checks if check.passed is False] == []
    assert report.passed
    assert report.answer.question == LAMPS
    assert report.answer == History(written / "home").read_exchanges("reader", _conversation(written))[1].answer


def test_its_feedback_is_kept_and_measured(
    written: Path, assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = written / "home"
    record_feedback(home, "new", assistant.answer(CRABS), liked=True)
    first, second = (home / "feedback.jsonl").read_text(encoding="utf-8").splitlines()
    assert (json.loads(first)["question"], json.loads(first)["reason"]) == (LAMPS, "names the year")
    assert set(json.loads(first)) == set(json.loads(second))
    monkeypatch.setenv("RAG_HOME", str(home))
    said = inside("eval", str(home / "feedback.jsonl"), "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["summary"]["all"]["hit@1"]["n"] == 2


def test_its_kept_answers_are_given_again(written: Path) -> None:
    cache = AnswerCache.of(Settings(_env_file=None, home=written / "home"))  # type: ignore[call-arg]
    assert cache.contents().answers == 1
    kept = cache.get({"model": "tiny", "messages": [["user", "Why?"]]})
    assert kept is not None
    assert (kept.pieces, kept.usage) == (["Yes", "."], Usage(120, 2, 20, price=0.0, cached=True))


def test_its_users_still_log_in(written: Path) -> None:
    accounts = read_accounts(written / "home" / "users")
    assert check_password(accounts, "reader", "correct horse battery")
    assert not check_password(accounts, "reader", "another password")


def _conversation(written: Path) -> str:
    return History(written / "home").find_conversations("reader")[0].id
