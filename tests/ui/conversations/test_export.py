"""What is taken away: Markdown and JSON that say what the answer says, and nothing that a paper smuggled in."""

from __future__ import annotations

import json
import random
import re

import pytest
from markdown_it import MarkdownIt

from rag import Answer, Citation, Outcome, Paper, answer_from_json, bibtex, citation_keys
from ui.conversations.conversation import list_cited_papers
from ui.conversations.export import (
    Said,
    answer_to_markdown,
    conversation_to_json,
    conversation_to_markdown,
    escaped,
)

HOSTILE = [
    "![x](http://evil.org/x.png)", "[x](javascript:alert(1))", "<script>alert(1)</script>", "<img src=x onerror=a>", "<http://evil.org>",
    "[1]: http://evil.org", "[1](http://evil.org)", "[1][1]", "![", "](http://evil.org)", "# head", "- item", "1. one", "1) one", "===", "---", "> q",
    "```", "~~~", "`code`", "**bold**", "_it_", "&lt;b&gt;", "&#60;", "$x$", "@key", "[@key]", "^[note]", "| a | b |\n|---|---|", "\\", "\\[", "\n\n",
    "\n", "    code", "\tcode", "!", "http://evil.org", "www.evil.org", ": def", "+ x", "* x", "\u202e", "[^1]", "{.x}", "(a) b", "[", "]",
]  # fmt: skip


def paper(number: int, **fields: object) -> Paper:
    given: dict[str, object] = {
        "title": "T",
        "label": "T",
        "abstract": "It is so. It was.",
        "source": "x_y.txt",
        "line": 3,
        **fields,
    }
    return Paper(id=f"{number:016x}", **given)  # type: ignore[arg-type]


def answer(text: str, *papers: Paper, outcome: Outcome = Outcome.ANSWERED) -> Answer:
    cited = tuple(Citation(number, each, each.abstract[:9], 0, 9) for number, each in enumerate(papers, start=1))
    return Answer("Why?", "Why?", text, outcome, cited)


SMITH = paper(
    1,
    title="The *Attention* [draft]",
    label="The *Attention* [draft]",
    authors=("Ada Smith",),
    year=2023,
    doi="10.1000/1_2",
)
ROE = paper(2, title="Bridges", label="Bridges", authors=("Jane Roe",), year=2020, url="https://x.org/a_b?c=1&d=2")


def rendered(text: str) -> list[str]:
    """The kinds of what a reader of Markdown makes of a text, tables and strikethrough included."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    return [token.type for block in tokens for token in (block, *(block.children or ()))]


def shown(text: str) -> str:
    tokens = MarkdownIt("commonmark").parse(text)
    return "\n".join(
        "".join(child.content for child in block.children or ()) for block in tokens if block.type == "inline"
    )


def test_one_answer_keeps_its_markers_and_lists_what_they_stand_for():
    text = answer_to_markdown(answer("It is so [1]. **Note:** it was [2][1].\n\n- one [2]\n- two", SMITH, ROE))
    assert text == (
        "It is so [1]. **Note:** it was [2][1].\n\n- one [2]\n- two\n\n"
        "[1] Ada Smith (2023). The \\*Attention\\* \\[draft\\]. <https://doi.org/10.1000/1_2> \\[x\\_y.txt:3\\]\n\n> It is so.\n\n"
        "[2] Jane Roe (2020). Bridges. <https://x.org/a_b?c=1&d=2> \\[x\\_y.txt:3\\]\n\n> It is so.\n"
    )


def test_a_conversation_cites_by_the_keys_of_its_bibtex():
    said = [
        Said("Why?", answer("It is so [1]. It was [2], [1].", SMITH, ROE)),
        Said("And?", answer("Yes [1].", ROE)),
        Said("Huh?", None, "Stopped."),
    ]
    text = conversation_to_markdown("A *talk*", said)
    assert text.startswith(
        "# A \\*talk\\*\n\n## Why?\n\nIt is so [@smith2023attention]. It was [@roe2020bridges; @smith2023attention].\n\n## And?"
    )
    assert "Yes [@roe2020bridges]." in text
    assert "## Huh?\n\n*Stopped.*" in text
    assert text.count("`roe2020bridges`: Jane Roe") == 1
    keys = set(re.findall(r"@([\w-]+)", text))
    assert (
        keys
        == set(re.findall(r"@\w+\{([\w-]+),", bibtex(list_cited_papers(each.answer for each in said))))
        == {"smith2023attention", "roe2020bridges"}
    )


def test_what_a_refusal_or_a_cut_answer_leaves_open_is_said():
    refused = Answer("?", "?", "None.", Outcome.NOT_IN_CORPUS, missing=("x",), unknown_terms=("Kyrgyz_stan",), cut=True)
    text = answer_to_markdown(refused)
    for said in (
        "*Not in this library.*",
        "*Missing: x*",
        "*Nowhere in the library: Kyrgyz\\_stan*",
        "*Cut: the language model",
    ):
        assert said in text


def test_json_holds_the_answers_whole():
    said = [Said("Why?", answer("It is so [1].", SMITH)), Said("And?", None, "Stopped.")]
    found = json.loads(conversation_to_json("T", said))
    assert (found["title"], found["exchanges"][1]) == ("T", {"question": "And?", "note": "Stopped.", "answer": None})
    assert answer_from_json(json.dumps(found["exchanges"][0]["answer"])) == said[0].answer


def test_a_marker_that_stands_for_nothing_is_text():
    assert "It \\[7\\] is [1]\\[9\\]." in answer_to_markdown(answer("It [7] is [1][9].", SMITH))
    assert "arr\\[1\\]" in answer_to_markdown(answer("arr[1]", SMITH))


@pytest.mark.parametrize("text", HOSTILE)
def test_escaped_text_reads_as_it_was(text):
    plain = " ".join(text.replace("\u202e", "").split())
    assert shown(f"{escaped(text)}\n").strip() == plain
    assert set(rendered(escaped(text))) <= {"paragraph_open", "inline", "text", "text_special", "paragraph_close"}


@pytest.mark.parametrize("seed", range(40))
def test_nothing_that_papers_questions_or_models_say_becomes_a_link_a_picture_or_html(seed):
    drawing = random.Random(seed)  # noqa: S311

    def text() -> str:
        return "".join(drawing.choice([*HOSTILE, " [1]", "[2]", "a ", "\n"]) for _ in range(drawing.randint(1, 8)))

    bad = paper(
        3, title=text(), label=text(), abstract=text() + "x" * 10, authors=(text(),), source=text(), venue=text(), url=text(), doi=text()
    )  # fmt: skip
    found = answer(text(), SMITH, bad, outcome=drawing.choice(list(Outcome)))
    said = [Said(text(), found, text()), Said(text(), None, text())]
    own = {"https://doi.org/10.1000/1_2", bad.url, f"https://doi.org/{bad.doi}"}
    for written in (answer_to_markdown(found), conversation_to_markdown(text(), said)):
        kinds = rendered(written)
        assert not {"image", "html_inline", "html_block", "table_open", "fence", "code_block"} & set(kinds), written
        links = [
            token
            for block in MarkdownIt("commonmark").parse(written)
            for token in block.children or ()
            if token.type == "link_open"
        ]
        assert {link.attrs["href"] for link in links} <= own, written
        assert set(re.findall(r"(?<!\\)@([\w-]*)", written)) <= set(
            citation_keys(list_cited_papers(each.answer for each in said)).values()
        ), written
