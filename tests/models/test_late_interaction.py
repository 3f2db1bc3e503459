"""Late interaction: which words of a question an abstract answers, from the signs of its token vectors."""

from __future__ import annotations

import numpy as np
import pytest

from rag.models.late_interaction import (
    TokenVectors,
    max_similarities,
    pack_signs,
    token_vectors,
    token_weights,
    unpack_signs,
    weighted_mean,
)

RANDOM = np.random.default_rng(7)


def bits(vectors: np.ndarray) -> np.ndarray:
    return unpack_signs(pack_signs(vectors), vectors.shape[1])


def question(vectors: np.ndarray) -> TokenVectors:
    return TokenVectors(tuple(f"w{n}" for n in range(len(vectors))), vectors)


@pytest.mark.parametrize("shape", [(0, 384), (1, 384), (7, 16), (5, 13), (3, 1)])
def test_signs_survive_packing_whatever_the_dimension(shape):
    vectors = RANDOM.normal(size=shape).astype(np.float32)
    assert bits(vectors).shape == shape
    assert (bits(vectors) == (vectors > 0)).all()


def test_an_abstracts_token_costs_a_bit_a_dimension():
    assert len(pack_signs(RANDOM.normal(size=(150, 384)))) == 150 * 384 / 8


def test_the_similarity_is_the_weighted_mean_of_each_words_best_match():
    asked = question(np.array([[1.0, 0, 0, 0], [0, 1, 0, 0]], dtype=np.float32))
    along = bits(
        np.array([[1, -1, 1, 1], [-1, -1, 1, 1]], dtype=np.float32)
    )  # the first word: cos 1/2; the other: -1/2
    found = max_similarities(asked, np.array([3, 1], dtype=np.float32), [along])
    assert found == pytest.approx([(3 * 0.5 + 1 * -0.5) / 4])


def test_abstracts_do_not_influence_one_another_and_one_without_tokens_has_none():
    asked = question(RANDOM.normal(size=(4, 64)).astype(np.float32))
    weights = np.array([1, 2, 0.5, 3], dtype=np.float32)
    none = np.zeros((0, 64), dtype=np.uint8)
    some = [bits(RANDOM.normal(size=(n, 64))) for n in (1, 5, 9)]
    together = max_similarities(asked, weights, [none, some[0], none, some[1], some[2], none])
    alone = [float(max_similarities(asked, weights, [each])[0]) for each in some]
    assert together == pytest.approx([0, alone[0], 0, alone[1], alone[2], 0])
    assert max_similarities(asked, weights, []).shape == (0,)


@pytest.mark.parametrize("weights", [[], [0.0, 0.0]])
def test_a_question_without_a_word_that_counts_is_like_nothing(weights):
    asked = question(np.ones((len(weights), 8), dtype=np.float32))
    assert max_similarities(asked, np.array(weights, dtype=np.float32), [np.ones((3, 8), dtype=np.uint8)]).tolist() == [
        0
    ]


def test_signs_rank_nearly_as_the_full_vectors_do():
    """A hundred abstracts: the one with near copies of the question's vectors comes first, as it would with floats."""
    vectors = RANDOM.normal(size=(6, 384)).astype(np.float32)
    others = [RANDOM.normal(size=(80, 384)) for _ in range(99)]
    like = np.concatenate([RANDOM.normal(size=(74, 384)), vectors + RANDOM.normal(size=(6, 384))])
    found = max_similarities(question(vectors), np.ones(6, dtype=np.float32), [bits(each) for each in [*others, like]])
    assert found.argmax() == 99
    assert found[99] > found[:99].max() + 0.1


def test_words_that_hold_a_sentence_together_are_left_out_and_pieces_know_their_word():
    text = "What is grokking?"
    offsets = [(0, 0), (0, 4), (5, 7), (8, 12), (12, 16), (16, 17), (0, 0)]
    vectors = np.arange(len(offsets), dtype=np.float32).reshape(-1, 1)
    kept = token_vectors(text, offsets, vectors)
    assert kept.words == ("grokking", "grokking")
    assert kept.vectors.tolist() == [[3.0], [4.0]]
    assert token_vectors(text, offsets, vectors, start=12).vectors.tolist() == [[4.0]]
    assert token_vectors(text, [], vectors[:0]).vectors.shape == (0, 1)


def test_rare_words_turn_the_question_and_none_leave_it_without_direction():
    asked = question(np.array([[1.0, 0], [0, 1]], dtype=np.float32))
    weights = token_weights(asked, {"w0": 4.0, "w1": 3.0}.__getitem__)
    assert weighted_mean(asked, weights) == pytest.approx([0.8, 0.6])
    nothing = question(np.zeros((0, 2), dtype=np.float32))
    assert weighted_mean(nothing, token_weights(nothing, float)).tolist() == [0, 0]
