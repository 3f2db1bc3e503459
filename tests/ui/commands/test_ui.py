"""`footnote ui` as a process: the address it prints, the port it is refused, the way it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from rag import Listener, LLMError, ServeError, Settings, SettingsError
from rag.llm.client import ChatModel
from ui.commands.ui import ui

NAMES = ("RAG_HOST", "RAG_PORT")
ROOT = Path(__file__).parents[3]
SERVE = """
import rag, typer
from tests.ui import conftest
from ui.commands.ui import ui
rag.Assistant = conftest.SeedAssistant
typer.run(ui)
"""


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def test_a_taken_port_is_an_error_that_names_the_way_out(taken: int) -> None:
    with pytest.raises(ServeError, match=rf"port {taken} on 127\.0\.0\.1 is taken; .*--port N or RAG_PORT"):
        ui(port=taken)


def test_a_taken_port_is_found_before_the_library_is_opened(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_PORT", str(taken))
    monkeypatch.setenv("RAG_HOME", "/dev/null/nowhere")
    app = typer.Typer()
    app.command("ui")(ui)
    assert isinstance(CliRunner().invoke(app, []).exception, ServeError)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ServeError, match=r"192\.0\.2\.1 is no address of this machine .*--host or RAG_HOST"):
        Listener("192.0.2.1", 7860, settings=NAMES)
    with pytest.raises(ServeError, match=r"no such\.invalid is no address of this machine"):
        Listener("no such.invalid", 7860, settings=NAMES)


def test_neither_help_nor_a_taken_port_waits_for_gradio() -> None:
    check = "import sys, ui.commands.ui, ui.server.web_app; sys.exit('gradio' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_a_proxy_of_no_known_kind_is_an_error_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "gopher://127.0.0.1:9")
    with pytest.raises(SettingsError, match=r"ALL_PROXY in the environment is no proxy .*http, https, socks5"):
        ui(port=7860)
    with pytest.raises(LLMError, match="ALL_PROXY in the environment"):
        ChatModel.open(Settings(_env_file=None, llm_model="tiny", openai_api_key="sk-test"))  # type: ignore[call-arg]


@pytest.mark.slow
@pytest.mark.parametrize("proxy", [None, "socks5://127.0.0.1:9"])
def test_it_prints_its_address_serves_there_and_ends_on_ctrl_c(proxy: str | None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | ({"ALL_PROXY": proxy} if proxy else {})
    command = [sys.executable, "-c", SERVE, "--port", str(port)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **streams) as process:  # type: ignore[call-overload]
        address = f"http://127.0.0.1:{port}"
        assert process.stdout.readline() == f"Footnote is at {address}\n"
        with urllib.request.urlopen(address, timeout=60) as page:
            assert b"Footnote" in page.read()
        # An open tab's stream must not hold the end up.
        tab = urllib.request.urlopen(f"{address}/gradio_api/heartbeat/tab", timeout=60)  # noqa: S310
        asked = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(300) == 0
        assert time.monotonic() - asked < 20  # the tab's stream goes on for as long as the tab is open
        tab.close()
        assert process.stdout.read() == ""
        errors = process.stderr.read()
        assert "Traceback" not in errors
        assert errors.endswith("Footnote has ended.\n")
