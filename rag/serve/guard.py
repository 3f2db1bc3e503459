"""Who may ask: holders of the key, or without one only programs of this machine, and no page in its browser."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from rag.loopback import names_this_machine
from rag.serve.protocol import RequestError


def check_caller(headers: Mapping[str, str], key: str | None) -> None:
    """Makes sure that the caller has the key, where there is one, or addresses this machine by its own name.

    Raises:
        RequestError: It does not.
    """
    if key is None:
        if not names_this_machine(headers.get("host", "")):
            raise RequestError(
                "Without RAG_API_KEY only localhost is served; the Host header says otherwise.", status=403
            )
        return
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secrets.compare_digest(given.strip().encode(), key.encode()):
        raise RequestError(
            "The API key is missing or wrong: send the server's RAG_API_KEY as `Authorization: Bearer KEY`.",
            status=401,
            code="invalid_api_key",
        )


def check_type(headers: Mapping[str, str]) -> None:
    """Makes sure that the body says it is JSON: a page elsewhere may send a form unasked, but not that.

    Raises:
        RequestError: It does not.
    """
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise RequestError("The Content-Type must be application/json.", status=415)
