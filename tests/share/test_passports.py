"""Evidence passports: what they show, that they hold, and that a change by hand is found wherever it is made."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pydantic import AnyHttpUrl, SecretStr

from rag import (
    Answer,
    Assistant,
    Check,
    CheckKind,
    Citation,
    Claim,
    Filter,
    Outcome,
    Paper,
    Passage,
    PassportError,
    Settings,
    Usage,
    Verdict,
    VerifyReport,
)  # fmt: skip
from rag.ingestion.sync import sync
from rag.share.passports.data import Passport, read_page
from rag.share.passports.page import write_page
from tests.command import footnote, inside
from tests.conftest import write_abstracts

QUESTION = "How many tasks does TimeArena have, and how good is GPT-4 at them?"
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)><!-- --> &lt;b&gt; \u202egnp \u2028 [9] \"'"


@pytest.fixture(scope="module")
def assistant(seed_settings: Settings) -> Assistant:
    return Assistant.open(seed_settings)


@pytest.fixture(scope="module")
def answer(assistant: Assistant) -> Answer:
    return assistant.answer(QUESTION)


@pytest.fixture(scope="module")
def text(assistant: Assistant, answer: Answer) -> str:
    return assistant.passport(answer)


def failed(report: VerifyReport) -> set[str]:
    assert report.passed == (not [check for check in report.checks if check.passed is False])
    return {check.name for check in report.checks if check.passed is False}


def details(report: VerifyReport) -> dict[str, str]:
    return {check.name: check.detail for check in report.checks}


def forged(text: str, change: Callable[[Passport], Passport]) -> str:
    """A passport made of other data by someone who knows how: its digest and its page fit them."""
    return write_page(change(read_page(text)[0]))


def with_citation(passport: Passport, **fields: object) -> Passport:
    first, *others = passport.answer.citations
    changed = replace(first, **fields)  # type: ignore[arg-type]
    return replace(passport, answer=replace(passport.answer, citations=(changed, *others)))


class Elements(HTMLParser):
    """The elements of a page, with all their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_a_passport_shows_what_it_carries_and_holds(assistant, answer, text):
    report = assistant.verify(text, ranking=True)
    assert failed(report) == set()
    assert report.answer == answer
    assert details(report)["library"] == "the same 308 papers as then"
    assert details(report)["ranking"] == f"the same {len(answer.passages)} papers in the same order"
    shown = unescape(text.partition("<script")[0])
    for citation in answer.citations:
        assert f"<blockquote>{citation.quote}</blockquote>" in shown
        assert f"characters {citation.start:,} to {citation.end:,}" in shown
        assert f"{citation.paper.source}:{citation.paper.line}" in shown
    for passage in answer.passages:
        assert passage.paper.label in shown
        assert f"{passage.score:.3f}" in shown
    assert '<a href="#cited-1">[1]</a>' in shown


def test_it_is_one_page_without_scripts_and_without_anything_from_elsewhere(text):
    elements = Elements(text).found
    assert [given for tag, given in elements if tag == "script"] == [
        {"type": "application/json", "id": "footnote-passport"}
    ]
    assert {tag for tag, _ in elements}.isdisjoint({"link", "img", "iframe", "object", "form", "base", "video", "svg"})
    assert not {name for _, given in elements for name in given if name.startswith("on") or name == "src"}
    assert "url(" not in text
    assert "@import" not in text


def test_every_link_within_the_page_leads_somewhere(text):
    elements = Elements(text).found
    ids = {given["id"] for _, given in elements if "id" in given}
    links = {given["href"] for tag, given in elements if tag == "a"}
    assert links
    assert {str(link)[1:] for link in links} <= ids


def test_no_key_and_no_path_of_this_machine_is_in_it(answer, seed_settings, tmp_path):
    settings = seed_settings.model_copy(
        update={"openai_api_key": SecretStr("sk-very-secret"), "api_key": SecretStr("k" * 20), "prompts": tmp_path / "mine",
                "openai_base_url": AnyHttpUrl("http://localhost/v1?key=hidden-word")}
    )  # fmt: skip
    text = Assistant.open(settings).passport(answer)
    for private in ("sk-very-secret", "k" * 20, "hidden-word", str(seed_settings.home), str(tmp_path)):
        assert private not in text
    assert "http://localhost/v1" in text


# Braces stand for what this answer has there.
EDITS = {
    "the quote that is shown": ("<blockquote>{quote}", "<blockquote>Something else is"),
    "the text that is shown": ('class="text">TimeArena', 'class="text">NoArena'),
    "a number that is shown": ("<h3>[1]", "<h3>[2]"),
    "an offset that is shown": ("characters {start} to", "characters 7 to"),
    "a score that is shown": ("{score}", "9.999"),
    "a verdict that is shown": ("<strong>supported", "<strong>not supported"),
    "the hash that is shown": ("308 papers, hash ", "308 papers, hash 0"),
    "the digest that is shown": ("SHA-256 of the data: <code>", "SHA-256 of the data: <code>0"),
    "a script put in": ("</main>", "<script>alert(1)</script></main>"),
    "a letter behind the end": ("</html>\n", "</html>\n."),
    "the end": ("</html>\n", "</html>"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_of_the_visible_page_is_found(assistant, answer, text, edit):
    first, score = answer.citations[0], answer.passages[0].score
    old, new = EDITS[edit]
    old = old.format(quote=first.quote[:20], start=f"{first.start:,}", score=f"{score:.3f}")
    assert old in text
    assert failed(assistant.verify(text.replace(old, new, 1))) == {"page"}


DATA_EDITS: dict[str, tuple[str, str, set[str]]] = {
    "a quote": (r'("citations":\[.*?"quote":")', r"\1Not ", {"data", "page", "quotes"}),
    "the text": (r'("text":")', r"\1Not ", {"data", "page"}),
    "a number": (r'("citations":\[\{"number":)1', r"\g<1>2", {"data", "page", "markers"}),
    "an offset": (r'("citations":\[.*?"quote":"[^"]*","start":)\d+', r"\g<1>3", {"data", "page", "quotes"}),
    "an offset that lies outside": (r'("citations":\[.*?"quote":"[^"]*","start":)\d+', r"\g<1>-5", {"data", "page", "quotes"}),
    "a passage's offset": (r'("passages":\[.*?"end":)\d+', r"\g<1>999999", {"data", "page", "offsets"}),
    "a score": (r'("passages":\[.*?"score":)[\d.]+', r"\g<1>9.5", {"data", "page"}),
    "the id of a paper": (r'("citations":\[.*?"id":")\w{16}', r"\g<1>0123456789abcdef", {"data", "page", "papers", "quotes", "markers"}),
    "the date": (r'("made":")20', r"\g<1>19", {"data", "page"}),
    "the model": (r'("model":")"', r'\1gpt"', {"data", "page"}),
    "the digest": (r'("digest":")\w', r"\1x", {"data", "page"}),
    "a field of nobody": (r'("made":")', r'"x":1,\1', {"page"}),
}  # fmt: skip


@pytest.mark.parametrize("edit", DATA_EDITS)
def test_an_edit_of_the_data_is_found(assistant, text, edit):
    pattern, new, expected = DATA_EDITS[edit]
    head, opening, data = text.partition("<script")
    changed, count = re.subn(pattern, new, data, count=1, flags=re.DOTALL)
    assert count == 1
    assert failed(assistant.verify(head + opening + changed)) == expected


def test_a_forger_who_computes_digest_and_page_anew_still_meets_the_library(assistant, answer, text):
    first = answer.citations[0]
    assert failed(assistant.verify(forged(text, lambda each: each))) == set()
    assert failed(assistant.verify(forged(text, lambda each: with_citation(each, quote="Not so.")))) == {"quotes"}
    assert failed(assistant.verify(forged(text, lambda each: with_citation(each, start=first.start + 1)))) == {"quotes"}
    assert "markers" in failed(assistant.verify(forged(text, lambda each: with_citation(each, number=5))))

    def other_abstract(each: Passport) -> Passport:
        return with_citation(each, paper=replace(first.paper, abstract=first.paper.abstract + " It was so."))

    assert failed(assistant.verify(forged(text, other_abstract))) == {"papers"}
    more = forged(
        text, lambda each: replace(each, answer=replace(each.answer, text=each.answer.text + " And more [7]."))
    )
    assert details(assistant.verify(more))["markers"] == "[7] cites nothing"
    bare = forged(text, lambda each: replace(each, answer=replace(each.answer, text="It is so.", claims=())))
    assert details(assistant.verify(bare))["markers"] == "[1] is in no sentence"
    retitled = forged(text, lambda each: with_citation(each, paper=replace(first.paper, title="Mine", authors=("Me",))))
    report = assistant.verify(retitled)
    assert failed(report) == set()
    assert details(report)["details"] == "of [1] the library now says otherwise: title, authors"


def test_a_bracket_within_a_quote_is_no_marker(settings, tmp_path):
    abstract = "We follow earlier work [12] and penguins huddle at night in the cold of the pole."
    sync(settings, [write_abstracts(tmp_path / "x.txt", [abstract])])
    assistant = Assistant.open(settings)
    (paper,) = assistant.papers()
    quoting = Answer("?", "?", f"{abstract} [1]", Outcome.ANSWERED, (Citation(1, paper, abstract, 0, len(abstract)),))
    assert failed(assistant.verify(assistant.passport(quoting))) == set()


def test_a_library_that_grew_is_told_and_one_without_the_paper_fails(settings, tmp_path, assistant, answer, text):
    papers = [write_abstracts(tmp_path / "x.txt", [answer.citations[0].paper.abstract])]
    sync(settings, papers)
    report = Assistant.open(settings).verify(text)
    assert failed(report) == set()
    assert details(report)["library"] == "308 papers then, 1 now, not the same"
    assert "title, places" in details(report)["details"]
    write_abstracts(
        tmp_path / "x.txt", ["Bridges age, and we predict which of their bolts will have to be replaced soon."]
    )
    sync(settings, papers)
    report = Assistant.open(settings).verify(text)
    assert failed(report) == {"papers", "quotes"}
    assert details(report)["papers"].endswith("is not in the library")


def test_a_refusal_and_a_restricted_question_have_passports_that_hold(assistant):
    where = Filter(sources=("002_171020d50a5c37d9.txt",))
    for question in ("Who won the 1998 football world cup in Kyrgyzstan?", "How are language models evaluated?"):
        answer = assistant.answer(question, where=where)
        text = assistant.passport(answer, where=where)
        report = assistant.verify(text, ranking=True)
        assert failed(report) == set()
        assert details(report)["ranking"].startswith(f"the same {len(answer.passages)} papers")
        assert "002_171020d50a5c37d9.txt" in text


def hostile_answer() -> Answer:
    paper = Paper(
        "../etc",
        HOSTILE,
        HOSTILE,
        HOSTILE,
        HOSTILE,
        1,
        ((HOSTILE, 2),),
        (HOSTILE,),
        2020,
        HOSTILE,
        "javascript:alert(1)",
        HOSTILE,
    )
    claim = Claim(
        0, 5, (1,), Verdict.UNSUPPORTED, (Check(CheckKind.NUMBERS, False, HOSTILE), Check(CheckKind.NAMES, True)), True
    )
    return Answer(
        HOSTILE, HOSTILE, f"{HOSTILE} [1]", Outcome.PARTIAL, (Citation(1, paper, HOSTILE, 0, len(HOSTILE)),),
        (Passage(paper, 1.0, 0, 9, {HOSTILE: 1.0}),), (claim,), (HOSTILE,), (HOSTILE,), (HOSTILE,), True, HOSTILE, (HOSTILE,),
        Usage(1, 1), {HOSTILE: 1.0}, (HOSTILE,),
    )  # fmt: skip


def test_hostile_text_is_text_wherever_it_stands(assistant):
    text = assistant.passport(hostile_answer(), where=Filter((HOSTILE,), (HOSTILE,), (1, 2), (HOSTILE,)))
    elements = Elements(text).found
    assert [given.get("id") for tag, given in elements if tag == "script"] == ["footnote-passport"]
    assert not {tag for tag, _ in elements} & {"img", "b"}
    assert {given["href"] for tag, given in elements if tag == "a"} <= {"#cited-1"}
    assert "\u202e" not in text.partition("<script")[0]
    report = assistant.verify(text)
    assert report.answer == hostile_answer()
    assert failed(report) == {"papers", "quotes"}


@pytest.mark.parametrize(
    "text",
    [
        "", "nonsense", "<html></html>", '<script type="application/json" id="footnote-passport">',
        '<script type="application/json" id="footnote-passport">{}</script>',
        '<script type="application/json" id="footnote-passport">{"digest":1,"passport":{"layout":1}}</script>',
        '<script type="application/json" id="footnote-passport">{"digest":"","passport":7}</script>',
        '<script type="application/json" id="footnote-passport">' + "[" * 100_000 + "</script>",
        '<script type="application/json" id="footnote-passport">' + "9" * 5_000 + "</script>",
        '<script type="application/json" id="footnote-passport">"\\ud800"</script>' * 2,
    ],
)  # fmt: skip
def test_what_is_no_passport_is_told_apart_from_one_that_fails(assistant, text):
    with pytest.raises(PassportError, match="no passport"):
        assistant.verify(text)


def test_a_passport_of_a_later_layout_is_not_judged(assistant, text):
    with pytest.raises(PassportError, match="later version"):
        assistant.verify(text.replace('"layout":1', '"layout":2'))


def test_a_passport_larger_than_any_is_not_read(tmp_path, monkeypatch, seed_settings):
    monkeypatch.setenv("RAG_HOME", str(seed_settings.home))
    monkeypatch.setattr("rag.share.passports.data.MOST_BYTES", 1_000)
    (tmp_path / "big.html").write_text("x" * 2_000, "utf-8")
    said = inside("verify", str(tmp_path / "big.html"))
    assert said.code == 2
    assert "larger than 1,000 bytes" in said.err


def test_a_page_that_looks_otherwise_has_another_number():
    """Passports in other people's hands are checked letter for letter: who changes the page counts `layout` up."""
    made = Passport(
        "2026-01-01T00:00:00+00:00", "0.1.0", "0" * 16, 1, "m", {"k": 3}, Filter(years=(1, 2)), hostile_answer()
    )
    assert made.layout == 1
    assert hashlib.sha256(write_page(made).encode()).hexdigest()[:16] == "36af92bfb8e307ea"


def test_the_commands_write_a_passport_and_check_it(tmp_path, seed_settings, monkeypatch):
    monkeypatch.setenv("RAG_HOME", str(seed_settings.home))
    path = tmp_path / "passport.html"
    assert inside("ask", QUESTION, "--passport", str(path)).code == 0
    said = footnote("verify", str(path))
    assert (said.code, said.err) == (0, "")
    assert [line[:4] for line in said.out.splitlines()] == ["ok  "] * 6 + ["note"]
    written = path.read_text("utf-8")
    again = inside("ask", QUESTION, "--passport", str(path))
    assert again.code == 2
    assert "a passport replaces no file" in again.err
    assert path.read_text("utf-8") == written
    path.write_text(written.replace("<blockquote>", "<blockquote>Indeed, ", 1), "utf-8")
    said = inside("verify", str(path), "--json")
    assert said.code == 1
    assert [check["name"] for check in json.loads(said.out)["checks"] if check["passed"] is False] == ["page"]


def test_what_cannot_be_read_or_written_is_said(tmp_path, seed_settings, monkeypatch):
    monkeypatch.setenv("RAG_HOME", str(seed_settings.home))
    (tmp_path / "x.bin").write_bytes(b"\xff\xfe\x00")
    for path, why in [("none.html", "cannot be read"), ("x.bin", "not UTF-8"), (".", "this is no file")]:
        said = inside("verify", str(tmp_path / path))
        assert (said.code, said.out) == (2, "")
        assert why in said.err
    said = inside("ask", QUESTION, "--passport", str(tmp_path / "nowhere" / "p.html"))
    assert (said.code, said.out) == (2, "")
    assert "there is no folder" in said.err


def test_a_library_that_is_empty_confirms_nothing(tmp_path: Path, text: str, settings: Settings) -> None:
    assert failed(Assistant.open(settings).verify(text)) == {"papers", "quotes"}
