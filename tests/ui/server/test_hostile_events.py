"""What a stranger may send to the page's events: no file is read, no address fetched, and nothing stops the server."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import gradio as gr
import httpx
import pytest
from gradio.context import LocalContext
from gradio.exceptions import InvalidPathError
from gradio.processing_utils import _check_allowed

from rag import Listener
from tests.command import SCRIPT
from tests.ui.conftest import SeedAssistant, served
from ui.app import build_app
from ui.server.accounts import hash_password, write_accounts
from ui.server.events import MOST_BYTES
from ui.server.web_app import build_web_app

JOIN = "/gradio_api/queue/join"


class Served:
    """`footnote ui` in a process, and what a stranger would have it read."""

    def __init__(self, folder: Path, address: str, listener: socket.socket) -> None:
        self.address, self.listener = address, listener
        self.temporary, secret, pipe = folder / "tmp", folder / "secret", folder / "pipe"
        secret.write_text("a key")
        os.mkfifo(pipe)
        fetched = f"http://127.0.0.1:{listener.getsockname()[1]}/x.png"
        self.named = [str(secret), "/dev/zero", str(pipe), fetched, "/proc/self/environ"]
        self.client = httpx.Client(base_url=address, timeout=20)
        self.client.get("/")

    def files(self) -> list[str]:
        return sorted(str(path) for path in self.temporary.rglob("*") if path.is_file())

    def was_asked(self) -> bool:
        """Whether anybody has connected to the address that an object names."""
        self.listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            self.listener.accept()
        return False


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory, seed_home: Path) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "tmp").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "RAG_HOME": str(seed_home), "RAG_PORT": str(port), "TMPDIR": str(folder / "tmp")}
    with (
        subprocess.Popen([SCRIPT, "ui"], env=environment, stdout=subprocess.PIPE, text=True) as started,
        closing(socket.create_server(("127.0.0.1", 0))) as listener,
    ):
        assert started.stdout is not None
        address = started.stdout.readline().split()[-1]
        stranger = Served(folder, address, listener)
        try:
            yield stranger
        finally:
            stranger.client.close()
            started.kill()


def file_object(path: str) -> dict[str, object]:
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


DEPTHS: list[Callable[[object], object]] = [
    lambda value: value,
    lambda value: [value],
    lambda value: {"value": value, "props": [{"file": value}]},
    lambda value: [[[{"a": [[value]]}]]],
]


def events_of(config: dict[str, object]) -> list[dict[str, object]]:
    dependencies = config["dependencies"]
    assert isinstance(dependencies, list)
    assert len(dependencies) > 30
    return dependencies


def test_no_event_reads_copies_or_fetches_what_its_data_names(process: Served) -> None:
    before = process.files()
    sent = 0
    for event in events_of(process.client.get("/config").json()):
        inputs = event["inputs"]
        assert isinstance(inputs, list)
        for place in range(len(inputs) + 1):
            for number, named in enumerate(process.named):
                hostile = DEPTHS[(number + place) % len(DEPTHS)](file_object(named))
                body: dict[str, object] = {
                    "fn_index": event["id"], "session_hash": "stranger1",
                    "data": [hostile if place == at else None for at in range(len(inputs))],
                }  # fmt: skip
                if place == len(inputs):
                    body["event_data"] = hostile
                start = time.monotonic()
                refused = process.client.post(JOIN, json=body)
                assert (refused.status_code, refused.json()) == (400, {"detail": "This page takes no files."})
                assert time.monotonic() - start < 1
                sent += 1
    assert sent > 200
    assert process.files() == before
    assert not process.was_asked()
    assert process.client.get("/config").status_code == 200


@pytest.mark.parametrize("path", ["run/predict", "call/ask", "call/search", "component_server", "cancel", "reset"])
def test_no_other_door_takes_a_file_either(process: Served, path: str) -> None:
    for named in process.named:
        for body in (
            {"data": [file_object(named)], "fn_index": 0, "session_hash": "stranger2"},
            {"data": {"x": file_object(named)}, "component_id": 1, "fn_name": "load", "session_hash": "stranger2"},
        ):
            assert process.client.post(f"/gradio_api/{path}", json=body).status_code == 400
    assert not process.was_asked()


def test_gradio_itself_lets_no_path_in_where_an_event_should_get_past_us(process: Served) -> None:
    async def build() -> gr.Blocks:  # Gradio's locks belong to the loop that runs meanwhile
        page = build_app(SeedAssistant([]))  # type: ignore[arg-type]
        build_web_app(page, listener)
        return page

    with Listener("127.0.0.1", 0, settings=("RAG_HOST", "RAG_PORT")) as listener:
        token = LocalContext.blocks.set(asyncio.run(build()))
    try:
        for named in process.named[:3]:
            with pytest.raises(InvalidPathError):
                _check_allowed(named, check_in_upload_folder=True)
    finally:
        LocalContext.blocks.reset(token)


def test_an_event_that_is_too_long_is_refused_and_costs_nothing(process: Served) -> None:
    long = json.dumps({"data": ["x" * MOST_BYTES], "fn_index": 0, "session_hash": "stranger3"})
    assert process.client.post(JOIN, content=long).status_code == 413
    many = (b"[0," * 350_000 for _ in range(140))  # 150 MB, if anybody reads on
    with pytest.raises(httpx.HTTPError):
        process.client.post(JOIN, content=many).raise_for_status()
    assert process.client.get("/config").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[",
        b"null",
        b'"text"',
        b"[" * 100_000,
        b'{"data": ["\\ud800"]}',
        b'{"\\udfff": 1}',
        b"\xff\xfe{}",
        b"1" * 5_000,
    ],
)
def test_what_is_no_event_is_refused_in_a_sentence(process: Served, body: bytes) -> None:
    refused = process.client.post(JOIN, content=body)
    assert refused.status_code == 400
    assert refused.json()["detail"].startswith("This ")


def test_an_event_that_stops_halfway_holds_nobody_up(process: Served) -> None:
    host, port = process.address.removeprefix("http://").split(":")
    with closing(socket.create_connection((host, int(port)))) as half:
        half.sendall(f"POST {JOIN} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 100\r\n\r\n{{".encode())
        assert process.client.get("/config").status_code == 200


def test_a_private_event_cannot_be_called_by_its_name(process: Served) -> None:
    named = {str(event.get("api_name")) for event in events_of(process.client.get("/config").json())}
    assert {"ask", "search"} < named
    for name in named - {"ask", "search", "False"}:
        assert process.client.post(f"/gradio_api/call/{name}", json={"data": []}).status_code == 404


def test_a_stream_that_does_not_exist_is_not_found_and_leaves_no_traceback(
    assistant: SeedAssistant, caplog: pytest.LogCaptureFixture
) -> None:
    with served(assistant) as address, httpx.Client(base_url=address) as client:
        client.get("/")
        for unknown in ("gradio_api/queue/data?session_hash=unknown", "gradio_api/call/ask/unknown"):
            assert client.get(f"/{unknown}").status_code == 404
        with client.stream("GET", "/gradio_api/heartbeat/mine"):
            assert client.get("/gradio_api/queue/data?session_hash=mine").status_code == 404
    assert "Traceback" not in caplog.text


def test_a_tab_belongs_to_the_browser_that_used_it_first(assistant: SeedAssistant) -> None:
    with served(assistant) as address, httpx.Client(base_url=address) as hers, httpx.Client(base_url=address) as his:
        for client in (hers, his):
            client.get("/")
        event = event_of(hers)
        assert hers.post(JOIN, json=event).status_code == 200
        assert his.post(JOIN, json=event).status_code == 403
        assert his.get(f"/gradio_api/queue/data?session_hash={event['session_hash']}").status_code == 404
        assert his.get(f"/gradio_api/heartbeat/{event['session_hash']}").status_code == 403
        with hers.stream("GET", f"/gradio_api/heartbeat/{uuid.uuid4()}") as heartbeat:  # as gradio_client names its own
            assert heartbeat.status_code == 200
        assert his.post("/gradio_api/cancel", json={**event, "event_id": "1"}).status_code == 403


def event_of(client: httpx.Client) -> dict[str, object]:
    """The event with which a tab opens."""
    loads = [
        event
        for event in events_of(client.get("/config").json())
        if any(target[1] == "load" for target in event["targets"])  # type: ignore[attr-defined]
    ]
    inputs = loads[-1]["inputs"]
    assert isinstance(inputs, list)
    return {"fn_index": loads[-1]["id"], "session_hash": "hers123", "data": [None] * len(inputs), "trigger_id": None}


def test_logging_out_ends_the_tabs_of_the_browser(tmp_path: Path, assistant: SeedAssistant) -> None:
    users = tmp_path / "users"
    write_accounts(users, {name: hash_password(f"{name} has a password") for name in ("alice", "bob")})
    with (
        served(assistant, users=users) as address,
        httpx.Client(base_url=address, timeout=60) as alice,
        httpx.Client(base_url=address, timeout=60) as bob,
    ):
        for client, name in ((alice, "alice"), (bob, "bob")):
            client.post("/login", data={"username": name, "password": f"{name} has a password"})
        event = event_of(alice)
        assert alice.post(JOIN, json=event).status_code == 200
        assert bob.post(JOIN, json=event).status_code == 403
        alice.post("/logout")
        assert bob.get(f"/gradio_api/queue/data?session_hash={event['session_hash']}").status_code == 404
        assert bob.post(JOIN, json=event).status_code == 403, "what was hers becomes nobody's"
