"""Figures, however they are written: values, units, and when two of them say the same."""

from __future__ import annotations

from decimal import Decimal

import pytest

from rag.text.figures import find_figures


def read(text: str) -> list[tuple[Decimal, str]]:
    return [(figure.value, figure.unit) for figure in find_figures(text)]


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("41.5 %", "41.5", "%"), ("41,5 percent", "41.5", "%"), ("1,500 tasks", "1500", ""), ("0·015", "0.015", ""),
        ("7B", "7000000000", ""), ("7 billion", "7000000000", ""), ("32k", "32000", ""), ("$2.3M", "2300000", "$"),
        ("10x", "10", "x"), ("10-fold", "10", "x"), ("tenfold", "10", "x"), ("twice", "2", "x"), ("half", "0.5", ""),
        ("3.2 points", "3.2", "points"), ("3.2 percentage points", "3.2", "points"), ("100 ms", "100", "ms"),
        ("4-bit", "4", "bit"), ("24 hours", "24", "h"), ("twenty-five", "25", ""), ("three hundred", "300", ""), ("one hundred and twenty", "120", ""), ("1,5 Millionen", "1500000", ""),
        ("two million", "2000000", ""), ("5th", "5", "th"), ("grade III", "3", ""), ("in 2019", "2019", ""),
    ],
)  # fmt: skip
def test_a_figure_has_a_value_in_plain_units(text, value, unit):
    assert read(text) == [(Decimal(value), unit)]


@pytest.mark.parametrize(
    "text", ["GPT-4", "H100", "ImageNet-1k", "OCT3/4", "one of them", "two-thirds of it", "arXiv:2203.1.2"]
)
def test_what_belongs_to_a_name_or_counts_nothing_is_no_figure(text):
    assert read(text) == []


def test_the_ends_of_a_range_share_the_unit():
    assert read("10 to 20 %, 1.5-2x") == [
        (Decimal(10), "%"), (Decimal(20), "%"), (Decimal("1.5"), "x"), (Decimal(2), "x"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "stated", "same"),
    [
        ("41 %", "41%", True), ("41 %", "0.41", True), ("41 %", "41.2%", True), ("41.2 %", "41%", False),
        ("4 %", "4.3 %", False), ("41 %", "41 points", False), ("41", "41 %", True), ("7M", "7B", False),
        ("1.500", "1500", True), ("1.5", "1500", False), ("50 %", "half", True), ("three", "3", True), ("2x", "twice", True),
        ("$15", "15", True), ("43 %", "41 %", False), ("about 40 %", "41 %", True), ("over 40 %", "47 %", True), ("40 %", "41 %", False),
        ("about 43 %", "41 %", False),
    ],
)  # fmt: skip
def test_two_figures_are_the_same_by_value_and_unit_and_when_one_is_the_other_rounded(said, stated, same):
    [here], [there] = find_figures(said), find_figures(stated)
    assert here.is_as(there) is same
