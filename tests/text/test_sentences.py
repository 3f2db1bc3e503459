"""Chunking: sentences are found as a reader finds them, never cut, and no chunk is longer than the model reads."""

from __future__ import annotations

import itertools
import random
import time

import pytest

from rag.corpus.details import Entry
from rag.corpus.duplicates import FoundPaper, Place
from rag.corpus.formats import read_file
from rag.ingestion.embed_papers import embed_papers
from rag.models.embedding import EmbeddingModel, open_model
from rag.settings import Settings
from rag.text.sentences import cut_chunks, find_sentences, make_chunks
from tests.conftest import SEEDS


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in find_sentences(text)]


def count_words(text: str) -> int:
    return len(text.split())


@pytest.fixture(scope="module")
def model() -> EmbeddingModel:
    return open_model(Settings(_env_file=None))  # type: ignore[call-arg]


@pytest.fixture(scope="module")
def seed_abstracts() -> list[str]:
    entries = (entry for path in sorted(SEEDS.iterdir()) for entry in read_file(path))
    return list(dict.fromkeys(entry.abstract for entry in entries if isinstance(entry, Entry)))


@pytest.mark.parametrize(
    "expected",
    [
        ["We study one.", "It works."],
        ["Does it work?", "Yes!", "It does."],
        ["Really?!", "Yes…", "It is."],
        ["Smith et al. (2020) show it, cf. Fig. 3 and Eq. 2.", "We agree."],
        ["Models, e.g. GPT-4, i.e. large ones, fail vs. Humans.", "Why?"],
        ["As A. M. Turing wrote, it thinks.", "So do I.", "We agree."],
        ["We gain 3.5 points (p < .05) over v2.0 models.", "At 41.2% it is best."],
        ["Two steps are: 1. Train on data.", "2. Sample from it."],
        ["Background. Models fail.", "Methods. We test ten.", "Conclusion. They fail."],
        ['He says "it works."', '"Does it?"', "(It does.)", "[Yes.]"],
        ["It began in 2020.", "Ünique names open sentences.", "Éclairs do too.", "Ψ is one."],
        ["no capital after this. so it stays one sentence."],
        ["Visit x.org for code.", "See github.com/a/b."],
        ["我们研究语言模型。", "它有效！", "为什么？", "English follows."],
        ["One sentence without an end"],
        ["The U.S. Army and Dr. Who meet.", "End."],
        ["Is it GPT-4?", "Not yet.", "It is I.", "Next."],
        ["See Eq. 2.", "We agree with et al. 3.", "Done."],
    ],
)
def test_sentences_end_where_a_reader_ends_them(expected: list[str]) -> None:
    assert sentences(" ".join(expected)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "the wing in a slipstream . an experimental study was made . is it so ? it is .",
            ["the wing in a slipstream .", "an experimental study was made .", "is it so ?", "it is ."],
        ),
        (
            "heat at mach 2.5 and .5 in . were read . see ref . 3 for more .",
            ["heat at mach 2.5 and .5 in .", "were read .", "see ref . 3 for more ."],
        ),
        ("the flow is laminar . 2 . the flow is not .", ["the flow is laminar .", "2 . the flow is not ."]),
    ],
)
def test_texts_all_in_lower_case_are_split_at_a_mark_between_spaces(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@pytest.mark.parametrize("text", ["", " ", "\n\t ", ".", " . ", "...", "? ! ."])
def test_texts_without_words_do_not_fail(text: str) -> None:
    assert " ".join(sentences(text)).split() == text.split()


def test_the_sentences_of_the_seeds_hold_everything_but_the_spaces_between_them(seed_abstracts: list[str]) -> None:
    assert len(seed_abstracts) > 300
    for text in seed_abstracts:
        assert " ".join(sentences(text)) == text
        assert all(count_words(sentence) < 150 for sentence in sentences(text))


def test_a_chunk_of_a_seed_begins_and_ends_at_a_sentence_and_is_what_its_offsets_say(
    seed_abstracts: list[str], model: EmbeddingModel
) -> None:
    for text in seed_abstracts:
        starts, ends = ({span[side] for span in find_sentences(text)} for side in (0, 1))
        spans = cut_chunks(text, model.count_tokens, model.max_tokens)
        assert all(start in starts and end in ends for start, end in spans)
        for chunk, (start, end) in zip(make_chunks("id", text, spans), spans, strict=True):
            assert (chunk.paper_id, chunk.text) == ("id", text[start:end])
            assert model.count_tokens(chunk.text) <= model.max_tokens
        assert " ".join(text[start:end] for start, end in spans) == text


def test_chunks_are_as_long_as_the_limit_lets_them_be() -> None:
    text = " ".join(f"Sentence number {number} is here." for number in range(100, 130))
    spans = cut_chunks(text, count_words, 12)
    assert {count_words(text[start:end]) for start, end in spans} == {10}


def test_random_texts_are_divided_without_loss_overlap_or_excess() -> None:
    pieces = [
        "word", "Word", "e.g.", "3.5", "et al.", "end.", "End?", "so!", ".", "?", "…", '"', "(", ")", "A.", "2.", "漢字。",
        "😀", "é", "x" * 90, "  ", "\n", "Fig.", "i.i.d.", "(see", "[1].", "a.b.c.d.e.f", "。", "\u2028",
    ]  # fmt: skip
    chosen = random.Random(11)  # noqa: S311 (a fixed seed is the point)
    for _ in range(1_500):
        text = " ".join(chosen.choice(pieces) for _ in range(chosen.randrange(1, 60)))
        limit = chosen.randrange(1, 20)
        whole = find_sentences(text)
        spans = cut_chunks(text, count_words, limit)
        for found in (whole, spans):
            assert all(start < end for start, end in found)
            assert all(one[1] <= other[0] for one, other in itertools.pairwise(found))
            assert "".join("".join(text[start:end].split()) for start, end in found) == "".join(text.split())
            assert not any(text[start].isspace() or text[end - 1].isspace() for start, end in found)
        assert all(count_words(text[start:end]) <= limit for start, end in spans)
        uncut = {edge for span in whole for edge in span}
        for start, end in whole:
            if count_words(text[start:end]) <= limit:
                assert any(a <= start and end <= b for a, b in spans), "a sentence that fits is never cut"
        for start, end in spans:
            inside = next((a, b) for a, b in whole if a <= start < b)
            assert start in uncut or count_words(text[slice(*inside)]) > limit
            assert end > start


@pytest.mark.parametrize(
    "text",
    [
        "The " + "very " * 2_000 + "long sentence.",
        "It is short. " + "and so on " * 700 + "it goes. The end is short.",
        "a.b-" * 2_000,
        "模型" * 1_500,
        "x" * 20_000,
        "https://x.org/" + "a1-" * 1_000 + " follows.",
        "😀 " * 1_000,
    ],
    ids=["words", "amid", "one word", "chinese", "letters", "address", "emoji"],
)
def test_a_sentence_longer_than_the_model_reads_is_divided_and_nothing_of_it_is_lost(
    text: str, model: EmbeddingModel
) -> None:
    spans = cut_chunks(text, model.count_tokens, model.max_tokens)
    assert all(model.count_tokens(text[start:end]) <= model.max_tokens for start, end in spans)
    assert "".join("".join(text[start:end].split()) for start, end in spans) == "".join(text.split())
    longest = max(model.count_tokens(text[start:end]) for start, end in spans)
    assert longest > model.max_tokens // 2 or len(spans) == 1, "and not into crumbs"


def test_a_megabyte_on_one_line_is_divided_in_seconds(model: EmbeddingModel) -> None:
    for text in ("All work and no play makes it dull. " * 14_000, "word " * 100_000):
        began = time.thread_time()
        assert len(find_sentences(text)) in (1, 14_000)
        assert time.thread_time() - began < 20
    spans = cut_chunks("word " * 20_000, model.count_tokens, model.max_tokens)
    assert len(spans) == -(-20_000 // model.max_tokens)


def test_the_model_ignores_what_is_beyond_its_limit_and_says_nothing(model: EmbeddingModel) -> None:
    """Why the limit matters: two texts that differ only there have the same vector, with no warning."""
    read = "word " * model.max_tokens
    assert model.count_tokens(read) == model.max_tokens
    same, other, shorter = model.embed([f"{read}penguins", f"{read}reward models", f"{read[:-5]}penguins"])
    assert same @ other == pytest.approx(1.0, abs=1e-5)
    assert same @ shorter < 0.99999


def test_no_text_that_is_embedded_is_longer_than_the_model_reads(
    model: EmbeddingModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a title that is short, long, longer than the model's limit, and abstracts of one endless sentence."""
    seen: list[str] = []
    embed, embed_with_signs = model.embed, model.embed_with_signs
    monkeypatch.setattr(model, "embed", lambda texts: seen.extend(texts) or embed(texts))
    monkeypatch.setattr(
        model, "embed_with_signs", lambda texts, starts: seen.extend(texts) or embed_with_signs(texts, starts)
    )
    papers = [
        FoundPaper(str(number), abstract, (Place("/x.txt", "x.txt", 1, title),))
        for number, title in enumerate(("A Title", "Title " * 120, "Endless title " * 400))
        for abstract in ("It is short.", "endless " * 600)
    ]
    made = embed_papers(model, papers)
    assert sum(len(record.chunks) + len(record.sentences) for record in made) == len(seen)
    assert all(model.count_tokens(text) <= model.max_tokens for text in seen)
    for record in made:
        assert len(record.chunk_vectors) == len(record.chunks)
        assert len(record.sentence_vectors) == len(record.sentences)
