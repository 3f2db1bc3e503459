"""What a model's tokens cost: the table in the settings, and the price of an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from rag.types import Usage

_DATE = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8})$")
_HIGHEST = 1_000_000
_NEEDED = {"prompt", "completion"}
_FORM = '{"model": {"prompt": 0.25, "cached": 0.025, "completion": 2.0}}, in US dollars per million tokens'


@dataclass(frozen=True, slots=True)
class Price:
    """A model's price, in US dollars per million tokens.

    Attributes:
        cached: Of prompt tokens that the server took from its cache.
    """

    model: str
    prompt: float
    cached: float
    completion: float

    def of(self, usage: Usage) -> float:
        """In US dollars."""
        fresh = max(0, usage.prompt_tokens - usage.cached_tokens)
        spent = fresh * self.prompt + usage.cached_tokens * self.cached + usage.completion_tokens * self.completion
        return spent / 1_000_000


def read_prices(text: str) -> tuple[Price, ...]:
    """Reads the table of the settings; `cached` may be left out where it is the same as `prompt`.

    Raises:
        ValueError: It is not as it should be; the message says where.
    """
    try:
        table = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"this is no JSON; write {_FORM}") from error
    if not isinstance(table, dict):
        raise ValueError(f"this is no JSON object; write {_FORM}")
    return tuple(_price(model, entry) for model, entry in table.items())


def add_price(usage: Usage, model: str, prices: Iterable[Price]) -> Usage:
    """Adds the price of the model's name, or of its name without the date at the end."""
    known = {price.model: price for price in prices}
    price = known.get(model) or known.get(_DATE.sub("", model))
    return replace(usage, price=price.of(usage)) if price else usage


def _price(model: str, entry: object) -> Price:
    if not isinstance(entry, dict) or not _NEEDED <= entry.keys() <= _NEEDED | {"cached"}:
        raise ValueError(f"the entry of {model!r} must have prompt and completion, and may have cached; write {_FORM}")
    amounts = {"prompt": entry["prompt"], "cached": entry["prompt"], **entry}
    for name, amount in amounts.items():
        is_number = isinstance(amount, int | float) and not isinstance(amount, bool)
        if not is_number or not 0 <= amount <= _HIGHEST:
            raise ValueError(f"the price {name} of {model!r} must be a number from 0 to {_HIGHEST:,}")
    return Price(model, **{name: float(amount) for name, amount in amounts.items()})
