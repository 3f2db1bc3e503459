"""Metrics against hand-computed cases and trec_eval's; intervals and tests against what theory says of them."""

from __future__ import annotations

import math
import random

import ir_measures
import pytest
from ir_measures import RR, R, Success, nDCG

from rag.evaluation import metrics


def test_ndcg_by_hand():
    ideal = 3 + 2 / math.log2(3) + 1 / 2
    assert metrics.ndcg([3, 2, 1], [1, 2, 3], 10) == pytest.approx(1)
    assert metrics.ndcg([0, 3, 0, 2], [3, 2, 1], 10) == pytest.approx((3 / math.log2(3) + 2 / math.log2(5)) / ideal)
    assert metrics.ndcg([0, 3, 0, 2], [3, 2, 1], 3) == pytest.approx(3 / math.log2(3) / ideal)
    assert metrics.ndcg([0, 0, 1], [1, 1, 1, 1], 2) == 0
    assert metrics.ndcg([], [1], 10) == 0


def test_recall_rank_and_hit_by_hand():
    gains = [0, 2, 0, 0, 1, 0, 1]
    assert [metrics.recall(gains, 4, k) for k in (1, 2, 5, 100)] == [0, 1 / 4, 2 / 4, 3 / 4]
    assert metrics.reciprocal_rank(gains) == 1 / 2
    assert metrics.reciprocal_rank(gains, 1) == 0
    assert metrics.reciprocal_rank([0, 0]) == 0
    assert [metrics.hit(gains, k) for k in (1, 2)] == [0, 1]
    assert metrics.hit([], 5) == 0


@pytest.mark.parametrize("seed", range(20))
def test_random_runs_with_ties_and_graded_gains_measure_as_trec_eval_measures_them(seed):
    chance = random.Random(seed)  # noqa: S311 (a fixed seed is the point)
    documents = [f"d{number:03}" for number in range(150)]
    qrels = {
        f"q{number}": {document: chance.choice((0, 0, 1, 2, 3)) for document in chance.sample(documents, 25)}
        for number in range(12)
    }
    run = {
        query: {
            document: float(chance.randrange(12)) for document in chance.sample(documents, chance.randrange(1, 150))
        }
        for query in qrels
    }
    theirs = {
        (measured.query_id, str(measured.measure)): measured.value
        for measured in ir_measures.iter_calc(
            [nDCG @ 10, R @ 5, R @ 10, R @ 100, RR, Success @ 1, Success @ 5], qrels, run
        )
    }
    for query, judged in qrels.items():
        # Of documents with the same score, trec_eval puts the last id first.
        ranking = sorted(run[query], key=lambda document: (run[query][document], document), reverse=True)
        gains = [judged.get(document, 0) for document in ranking]
        relevant = sum(gain > 0 for gain in judged.values())
        ours = {
            "nDCG@10": metrics.ndcg(gains, list(judged.values()), 10),
            "R@5": metrics.recall(gains, relevant, 5),
            "R@10": metrics.recall(gains, relevant, 10),
            "R@100": metrics.recall(gains, relevant, 100),
            "RR": metrics.reciprocal_rank(gains),
            "Success@1": metrics.hit(gains, 1),
            "Success@5": metrics.hit(gains, 5),
        }
        assert ours == pytest.approx({name: theirs[query, name] for name in ours})


def test_an_interval_of_a_mean_is_about_two_standard_errors_each_way_and_the_same_at_every_call():
    chance = random.Random(1)  # noqa: S311 (a fixed seed is the point)
    values = [chance.gauss(5, 2) for _ in range(400)]
    found = metrics.estimate(values)
    assert found == metrics.estimate(values)
    assert found.value == pytest.approx(sum(values) / 400)
    assert found.n == 400
    half = 1.96 * 2 / math.sqrt(400)
    assert found.value - found.low == pytest.approx(half, rel=0.12)
    assert found.high - found.value == pytest.approx(half, rel=0.12)


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    chance = random.Random(2)  # noqa: S311 (a fixed seed is the point)
    covered = 0
    for _ in range(200):
        found = metrics.estimate([float(chance.random() < 0.7) for _ in range(100)])
        covered += found.low <= 0.7 <= found.high
    assert 180 <= covered <= 198


def test_other_statistics_and_samples_without_spread():
    values = [*range(1, 100), 1000]
    assert metrics.estimate(values, metrics.median).value == 50.5
    assert metrics.estimate(values, metrics.p95).value == pytest.approx(95.05)
    assert metrics.estimate(values, metrics.p95).high >= 98
    alone = metrics.estimate([0.5])
    assert (alone.value, alone.low, alone.high, alone.n) == (0.5, 0.5, 0.5, 1)


def test_the_p_value_of_few_pairs_is_that_of_all_their_signs():
    """Of the 2^5 signs of five equal gains, two are as extreme as what was seen."""
    found = metrics.estimate_difference([0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 1, 1, 1, 0])
    assert found.p == pytest.approx(2 / 32, abs=0.01)
    assert (found.before, found.after, found.n) == (pytest.approx(1 / 7), pytest.approx(6 / 7), 7)
    assert found.difference == pytest.approx(5 / 7)
    assert metrics.estimate_difference([1, 0], [1, 0]).p == 1


def test_noise_is_rarely_called_a_difference_and_a_difference_is_found():
    chance = random.Random(3)  # noqa: S311 (a fixed seed is the point)
    false_alarms = 0
    for _ in range(100):
        before = [chance.random() for _ in range(60)]
        after = [value + chance.gauss(0, 0.2) for value in before]
        found = metrics.estimate_difference(before, after)
        false_alarms += found.p < 0.05
        if found.p < 0.01:
            assert not found.low <= 0 <= found.high
    assert false_alarms <= 12
    better = metrics.estimate_difference(before, [value + chance.gauss(0.1, 0.1) for value in before])
    assert better.p < 0.001
    assert 0 < better.low < better.difference < better.high
    swapped = metrics.estimate_difference([1, 2, 3], [0, 0, 0])
    assert swapped.difference == -2
    assert swapped.high < 0
