"""The page's endpoints for programs, asked with Gradio's own client: the engine's answers, and errors in words."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from rag import Assistant, Settings
from tests.ui.conftest import SeedAssistant, served

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from gradio_client import Client
    from gradio_client.exceptions import AppError

QUESTION = "What is TimeArena?"


@pytest.fixture(scope="module")
def library(seed_settings: Settings) -> Iterator[Assistant]:
    assistant = Assistant.open(seed_settings)
    yield assistant
    assistant.close()


@pytest.fixture(scope="module")
def address(library: Assistant) -> Iterator[str]:
    with served(library) as address:
        yield address


@pytest.fixture(scope="module")
def client(address: str) -> Client:
    return Client(address, verbose=False, analytics_enabled=False)


def test_an_answer_is_that_of_the_engine_with_its_citations(client: Client, library: Assistant) -> None:
    told: dict[str, Any] = client.predict(QUESTION, api_name="/ask")
    expected = library.answer(QUESTION)
    assert told["text"] == expected.text
    assert told["outcome"] == "answered"
    assert [each["quote"] for each in told["citations"]] == [each.quote for each in expected.citations] != []


def test_the_page_is_sealed_and_what_is_a_readers_is_not_stored(address: str) -> None:
    for path, cached in (("/", False), ("/config", False), ("/theme.css", True)):
        headers = httpx.get(address + path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert "base-uri 'self'" in headers["content-security-policy"]
        assert (headers.get("cache-control") == "no-store") != cached


def test_a_search_is_that_of_the_engine_as_long_as_asked_for(client: Client, library: Assistant) -> None:
    told = client.predict(QUESTION, 3, api_name="/search")
    assert [each["paper"]["id"] for each in told] == [each.paper.id for each in library.search(QUESTION, k=3)]
    assert len(told) == 3


def test_both_can_be_restricted_to_papers(client: Client) -> None:
    found = client.predict(QUESTION, 3, api_name="/search")
    second = found[1]["paper"]["id"]
    restricted = client.predict(QUESTION, paper_ids=[second], api_name="/search")
    assert [each["paper"]["id"] for each in restricted] == [second]
    told = client.predict(QUESTION, paper_ids=[second], api_name="/ask")
    assert {each["paper"]["id"] for each in told["passages"]} == {second}
    nothing = client.predict(QUESTION, years=[1800, 1801], venues=["Nowhere"], api_name="/search")
    assert nothing == []


@pytest.mark.parametrize(
    ("endpoint", "given", "says"),
    [
        ("/ask", {"question": " "}, "empty"),
        ("/ask", {"question": 5}, "The question is 5; it must be a text"),
        ("/search", {"question": ["a"]}, "it must be a text"),
        ("/search", {"question": "a", "k": 0}, "k is 0; it must be a whole number from 1 to 100"),
        ("/search", {"question": "a", "k": 101}, "k is 101"),
        ("/search", {"question": "a", "k": 2.5}, "k is 2.5"),
        ("/search", {"question": "a", "k": "x"}, "k is 'x'"),
        ("/search", {"question": "a", "years": [2003]}, "two years, the first and the last"),
        ("/search", {"question": "a", "years": [2004, 2003]}, "two years, the first and the last"),
        ("/ask", {"question": "a", "years": ["a", "b"]}, "two years, the first and the last"),
        ("/ask", {"question": "a", "venues": "ICML"}, "venues is 'ICML'; it must be a list of texts"),
        ("/ask", {"question": "a", "paper_ids": [1]}, "paper_ids is [1]"),
        ("/ask", {"question": "a", "sources": ["000.txt"]}, "No paper of the library is from '000.txt'; there are"),
    ],
)
def test_what_is_wrong_is_said_in_words(client: Client, endpoint: str, given: dict[str, Any], says: str) -> None:
    with pytest.raises(AppError) as error:
        client.predict(**given, api_name=endpoint)
    assert says in str(error.value)
    assert "Traceback" not in str(error.value)


def test_a_bug_is_no_answer_and_tells_nothing_of_the_inside(assistant: SeedAssistant) -> None:
    with served(assistant) as address, pytest.raises(AppError) as error:
        Client(address, verbose=False, analytics_enabled=False).predict("crash", api_name="/ask")
    assert "secret" not in str(error.value)


def test_nothing_but_the_two_endpoints_is_described(address: str) -> None:
    described = httpx.get(f"{address}/gradio_api/info").json()
    assert set(described["named_endpoints"]) == {"/ask", "/search"}
    assert described["unnamed_endpoints"] == {}
    names = [each["parameter_name"] for each in described["named_endpoints"]["/ask"]["parameters"]]
    assert names == ["question", "history", "sources", "extractive", "paper_ids", "years", "venues"]


@pytest.mark.parametrize(
    "path", ["gradio_api/deep_link", "gradio_api/runs", "gradio_api/upload", "monitoring", "gradio_api/file=/etc/passwd",
             "gradio_api/profiling/traces", "gradio_api/run/ask", "gradio_api/openapi.json", "docs", "login", "logout",
             "assets", "//gradio_api/upload", "gradio_api/call/../upload"],
)  # fmt: skip
def test_what_the_page_does_not_need_is_not_there(address: str, path: str) -> None:
    assert httpx.get(f"{address}/{path}").status_code == 404
    assert httpx.post(f"{address}/{path}", json={}).status_code == 404


def test_nobody_is_believed_who_says_that_the_page_is_elsewhere(address: str) -> None:
    config = httpx.get(f"{address}/config", headers={"X-Forwarded-Host": "evil.example"})
    assert config.status_code == 200
    assert "evil.example" not in config.text
