"""Keeps the model hub's libraries quiet: no network where none is needed, and no bars."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_HUB_TIMEOUT_S = 10.0
_OFFLINE = "HF_HUB_OFFLINE"


def is_on_hub(name: str) -> bool:
    """Whether the hub answers; if not, what it once gave has to do, and loading must not try again for a minute."""
    import httpx
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        HfApi().model_info(name, timeout=_HUB_TIMEOUT_S)
    except (httpx.TransportError, OSError) as error:
        return isinstance(error, HfHubHTTPError)
    except HFValidationError:
        pass  # loading says it better
    return True


@contextmanager
def stay_offline() -> Iterator[None]:
    """Tells the hub libraries to stay offline, for the length of the block only: another model may need them."""
    from huggingface_hub import constants

    before, known = os.environ.get(_OFFLINE), constants.HF_HUB_OFFLINE
    os.environ[_OFFLINE] = "1"
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = known
        del os.environ[_OFFLINE]
        if before is not None:
            os.environ[_OFFLINE] = before


@contextmanager
def hide_loading_bar() -> Iterator[None]:
    """Hides the bar that transformers shows while it copies weights; a download keeps its own."""
    from transformers.utils import logging

    def hidden(bar: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        return bar(*args, **{**options, "disable": True})

    before = logging.set_tqdm_hook(hidden)
    try:
        yield
    finally:
        logging.set_tqdm_hook(before)
