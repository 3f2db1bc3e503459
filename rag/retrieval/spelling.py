"""Words of a question that no paper has, read as the word of the library that they are a slip of the finger from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from rag.library.library import Library
from rag.models.embedding import EmbeddingModel
from rag.text.words import compile_words, find_content_words, fold, split_words

_ACRONYM = re.compile(r"[A-Z]{3}")  # in "ComYMV" every letter counts
_SHORTEST = 5  # letters; a shorter word is as near to several others
_PAPERS_READ = 20  # in which the word is looked for that a misspelt one stands for


def find_misspelt(library: Library, model: EmbeddingModel, question: str) -> Mapping[str, str]:
    """Finds the misspelt words of a question, each with the library's word for it."""
    lexical = library.lexical

    def is_known(word: str) -> bool:
        # One that the model reads in one piece is a word of the language, if none of these papers.
        return any(map(lexical.frequency, lexical.terms_of(word))) or model.count_tokens(word) == 1

    def similar_texts(word: str) -> Iterator[str]:
        found = (record.paper for record in library.reader.read_embedded(lexical.spelt_nearly(word, _PAPERS_READ)))
        return (f"{paper.title} {paper.abstract}" for paper in found)

    return find_slips(question, is_known, similar_texts)


def find_slips(
    question: str, is_known: Callable[[str], bool], similar_texts: Callable[[str], Iterable[str]]
) -> Mapping[str, str]:
    """Finds the misspelt words of a question, each with the word that is meant.

    Only what a finger does by itself is mended: two letters swapped, one missing, one too many. A letter in place of
    another makes another name ("Mixtral" is not "Mistral"), and one more at the end another form ("scapular").

    Args:
        is_known: Whether a word is one, as it is written.
        similar_texts: Texts that have a word spelt nearly as this one, most important first.
    """
    found = {}
    for word in find_content_words(question):
        is_plain = word.isalpha() and not _ACRONYM.search(word)
        if len(word) >= _SHORTEST and is_plain and not is_known(word):
            meant = next(
                (other for text in similar_texts(word) for other in split_words(text) if _is_slip(word, other)), ""
            )
            if meant:
                found[word] = meant
    return found


def mend(question: str, meant: Mapping[str, str]) -> str:
    """Puts the words that are meant into a question."""
    if not meant:
        return question
    return compile_words(meant).sub(lambda slip: meant[slip[0]], question)


def _is_slip(typed: str, meant: str) -> bool:
    """Whether one swap of neighbours, or one letter more or less before the last, makes one word the other."""
    one, other = fold(typed), fold(meant)
    if one == other or abs(len(one) - len(other)) > 1 or not meant.isalpha():
        return False
    pairs = enumerate(zip(one, other, strict=False))
    same = next((place for place, (a, b) in pairs if a != b), None)  # how many letters they begin with alike
    if same is None:
        return False
    if len(one) == len(other):
        return one[same : same + 2] == other[same : same + 2][::-1] and one[same + 2 :] == other[same + 2 :]
    shorter, longer = sorted((one, other), key=len)
    return shorter[same:] == longer[same + 1 :]
