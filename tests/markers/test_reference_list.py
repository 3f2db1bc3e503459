"""A list of references behind an answer: dropped and kept for the record; everything else passes as it is."""

from __future__ import annotations

import pytest

from rag.markers.reader import MarkerReader
from rag.markers.reference_list import ReferenceList


def passed(text: str, size: int = 1_000) -> tuple[str, str]:
    """What comes of a text that is fed in pieces, and what was dropped."""
    reader = ReferenceList()
    out = "".join(reader.feed(text[at : at + size]) for at in range(0, len(text), size))
    return out + reader.finish(), reader.dropped


@pytest.mark.parametrize(
    "appended",
    [
        "\n\nReferences:\n[1] A title, 2020.\n[2] Another",
        "\n\n**References**\n\n1. A title\n2. Another\n",
        "\n\n## Sources\n- [1] A title\n- [2] Another\n\n",
        "\nSources: [1], [2]",
        "\n**Sources:** [1] A title; [2] another",
        "\n\n*Bibliography:*\n* A title\n  that goes on\n* Another",
        "\n\nQuellen:\n(1) Ein Titel\n(2) Noch einer",
        "\n\nRéférences :\n\n¹ Un titre",
        "\n\nFuentes\n[1]: http://x.example",
        "\n\nИсточники\n1) Название",
        "\n\n参考文献：\n[1] 题目",
        "\n\n---\n\nWorks cited\n1. A title",
        "\n\n[1] A Title\n[2] Another Title",
        "\n[1] Grokking: Beyond Overfitting on 97 Tasks\n[2] Attention Is All You Need\n",
        "\n\n- [1]: A Title",
        "\n\n[1]: http://x.example",
        "\n\n[^1]: A title\n[^7]: Another",
        "\n\nReferences",
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1_000])
def test_a_list_that_is_appended_is_dropped(appended, size):
    answer = "It is so [1][2]. It is not (2)."
    assert passed(answer + appended, size)[0] == answer
    assert passed(answer + appended, size)[1].strip() == appended.strip()


@pytest.mark.parametrize(
    "text",
    [
        "Sources:\n- [1] A title\n- [2] Another",
        "[1] A title\n[2] Another",
        "These papers answer it:\n- [1] A title\n- [2] Another",
        "It is so [1].\n\nSources say otherwise [2].",
        "It is so [1].\n\nReferences:\nThey are many [2].\n\n- one\n",
        "It is so [1][2].\n\n[1] reports 30 tasks.\n[2] reports 20.",
        "It is so [1][2].\n\n[1] TimeArena has 30 tasks. And no more.",
        "It is so [1][2].\n\n[1] A Title\n[2] Another\n\nSo much for that.",
        "Both [1] and [2] address it.\n[1] FooNet proposes a new optimizer.\n[2] BarNet proposes a cache.",
        "Several papers address this [1][2][3].\n[1] FooNet trains.\n[2] BarNet caches.\n[3] BazNet prunes.",
        "Both do [1][2].\n- [1] FooNet proposes a new optimizer\n- [2] BarNet proposes a cache",
        "Both do [1][2].\n[1]: FooNet proposes a new optimizer.\n[2]: BarNet proposes a cache.",
        "Both do [1][2].\n[1] OpenAI Released GPT-4.\n[2] Meta Released Llama.",
        "Es gilt [1][2].\n[1] FooNet verwendet Optimierer\n[2] BarNet verwendet Speicher",
        "两者都是[1][2]。\n[1] 提出新的优化器\n[2] 提出缓存",
        "It is so.\n\n[1]\n[2]\n",
        "It is so.\n\n1. one\n2. two\n\n- three",
        "Rules:\n\n---\n\n***\n\nare kept.\n",
        "  \n\n  Sources\n",
        "",
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1_000])
def test_what_is_no_such_list_passes_as_it_is(text, size):
    assert passed(text, size) == (text, "")


def test_what_follows_the_list_is_kept():
    text = "It is so [1].\n\nSources:\n1. A title\n\nNote that it may change [2].\n\nSources: [2]"
    assert passed(text)[0] == "It is so [1].\n\nNote that it may change [2]."


def test_its_markers_cite_nothing():
    reader = MarkerReader(3)
    text = reader.feed("It is so [2].\n\nReferences:\n[1] A\n[2] B\n[9] C") + reader.finish()
    assert (text, reader.order, reader.removed) == ("It is so [1].", [2], [])
    assert reader.dropped.strip() == "References:\n[1] A\n[2] B\n[9] C"


def test_only_what_may_be_such_a_list_waits():
    reader = ReferenceList()
    assert reader.feed("Sources") == "Sources", "nothing stands before it"
    assert reader.feed(" agree [1].\n") == " agree [1]."
    assert reader.feed("\n") == ""
    assert reader.feed("Ref") == ""
    assert reader.feed("ining helps.\n[") == "\n\nRefining helps."
    assert reader.feed("2") == ""
    assert reader.feed("] is") == "\n[2] is"
    assert reader.feed(" so.\nSources:\n") == " so."
    assert reader.feed("Th") == "\nSources:\nTh"
    assert reader.finish() == ""
