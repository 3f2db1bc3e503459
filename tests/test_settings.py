"""Settings: from the environment and `.env`, every fault named with its variable, and no secret ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.errors import LLMError, SettingsError
from rag.llm.client import ChatModel
from rag.settings import BUNDLED_MODEL, Settings, load_settings, variable

KEY = "sk-very-secret-0123456789"


def fault(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return str(caught.value)


def test_without_any_setting_everything_has_a_default_and_the_home_is_the_users_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    settings = load_settings()
    assert settings.home == tmp_path / "footnote"
    assert settings.embedding_model == BUNDLED_MODEL
    assert settings.chroma_url is None
    assert settings.auto_ingest
    assert not settings.llm_configured
    assert (settings.host, settings.port) == ("127.0.0.1", 7860)


@pytest.mark.parametrize(
    "name", sorted(set(Settings.model_fields) - {"openai_api_key", "api_key", "llm_prices", "trusted_proxies"})
)
def test_every_field_is_read_from_its_variable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value = {
        "home": "/some/where", "chroma_url": "http://x:8000/", "collection": "mine", "auto_ingest": "false",
        "openai_base_url": "http://x/v1", "port": "8080", "llm_max_tokens": "100", "llm_temperature": "1",
        "llm_timeout_s": "5", "llm_deadline_s": "50", "llm_retries": "1", "llm_passages": "3", "prompts": "/else/where", "models": "/models/here", "ui_auth": "/some/users",
        "evidence_gate": "0.5", "llm_cache": "true", "embedding_precision": "int8", "api_port": "8080",
        "llm_expand_below": "0.5", "llm_context_tokens": "9000",
    }.get(name, "some-value")  # fmt: skip
    monkeypatch.setenv(variable(name), value)
    read = getattr(load_settings(), name)
    assert str(read).lower() == value or float(str(read)) == float(value)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("RAG_LLM_MODLE", "RAG_LLM_MODEL"),
        ("RAG_CHROMA_URI", "RAG_CHROMA_URL"),
        ("RAG_HOEM", "RAG_HOME"),
        ("rag_auto_injest", "RAG_AUTO_INGEST"),
        ("RAG_EMBEDING_MODEL", "RAG_EMBEDDING_MODEL"),
    ],
)
def test_a_misspelt_variable_is_an_error_that_names_the_one_that_was_meant(
    monkeypatch: pytest.MonkeyPatch, wrong: str, right: str
) -> None:
    message = fault(monkeypatch, **{wrong: "some value"})
    assert message == f"{wrong}: there is no such setting; did you mean {right}?"


def test_a_variable_like_no_other_is_an_error_that_says_where_they_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "`footnote doctor` lists them" in fault(monkeypatch, RAG_XYZZY="1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RAG_PORT", "0"), ("RAG_PORT", "65536"), ("RAG_PORT", "http"), ("RAG_PORT", "78.5"),
        ("RAG_LLM_TEMPERATURE", "-1"), ("RAG_LLM_TEMPERATURE", "nan"), ("RAG_LLM_TEMPERATURE", "2.1"),
        ("RAG_LLM_TIMEOUT_S", "0"), ("RAG_LLM_TIMEOUT_S", "inf"), ("RAG_LLM_RETRIES", "99"),
        ("RAG_LLM_MAX_TOKENS", "1"), ("RAG_LLM_PASSAGES", "0"), ("RAG_EVIDENCE_GATE", "-0.1"),
        ("RAG_AUTO_INGEST", "perhaps"), ("RAG_COLLECTION", "No Such Name"), ("RAG_COLLECTION", "a"),
        ("RAG_CHROMA_URL", "localhost:8000"), ("RAG_CHROMA_URL", "ftp://x"), ("RAG_CHROMA_URL", "http://"),
        ("OPENAI_BASE_URL", "not a url"),
    ],
)  # fmt: skip
def test_a_value_that_is_malformed_or_out_of_range_is_an_error_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    message = fault(monkeypatch, **{name: value})
    assert message.startswith(f"{name}: ")
    assert message.endswith("; correct it or unset it.")
    assert "pydantic" not in message
    assert "\n" not in message


def test_every_fault_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    message = fault(monkeypatch, RAG_PORT="x", RAG_HOEM="/x", RAG_LLM_RETRIES="-1")
    assert {line.split(":")[0] for line in message.splitlines()} == {"RAG_PORT", "RAG_HOEM", "RAG_LLM_RETRIES"}


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(variable(name), "")
    settings = load_settings()
    assert settings.llm_model is None
    assert settings.port == 7860


def test_a_file_of_settings_in_the_working_directory_is_read_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path(".env").write_text('RAG_PORT=8001\nRAG_LLM_MODEL="a model"  # comment\nOTHER_TOOLS=x\n', encoding="utf-8")
    assert (load_settings().port, load_settings().llm_model) == (8001, "a model")
    monkeypatch.setenv("RAG_PORT", "8002")
    assert load_settings().port == 8002
    assert load_settings(port=8003).port == 8003


def test_a_key_goes_to_no_address_of_a_file_that_another_may_have_put_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def sent() -> tuple[str, str | None]:
        settings = load_settings()
        key = settings.openai_api_key
        return str(settings.openai_base_url), key.get_secret_value() if key else None

    Path(".env").write_text("OPENAI_BASE_URL=http://elsewhere.invalid/v1\n", encoding="utf-8")
    assert sent() == ("http://elsewhere.invalid/v1", None)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-environment")
    assert sent() == ("http://elsewhere.invalid/v1", None), "what needs no key works"
    with pytest.raises(
        LLMError, match=r"comes from the file \.env, and the key, .* from elsewhere: it is not sent there"
    ):
        ChatModel.open(load_settings(llm_model="tiny"))
    with pytest.raises(SettingsError, match="from elsewhere: it is not sent there"):
        load_settings(openai_api_key="sk-given")
    assert str(load_settings(openai_base_url="http://given.invalid/v1").openai_base_url) == "http://given.invalid/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://confirmed.invalid/v1")
    assert sent() == ("http://confirmed.invalid/v1", "sk-environment")
    monkeypatch.delenv("OPENAI_BASE_URL")
    Path(".env").write_text("openai_base_url=http://127.0.0.1:9/v1\n", encoding="utf-8")
    assert sent() == ("http://127.0.0.1:9/v1", None)
    assert ChatModel.open(load_settings(llm_model="tiny")).host == "127.0.0.1:9"
    Path(".env").write_text("OPENAI_BASE_URL=http://its.invalid/v1\nOPENAI_API_KEY=sk-its\n", encoding="utf-8")
    assert sent() == ("http://its.invalid/v1", "sk-its")
    Path(".env").write_text("OPENAI_API_KEY=sk-its\n", encoding="utf-8")
    assert sent() == ("None", "sk-environment")


def test_proxies_are_addresses_or_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().trusted_proxies == ()
    monkeypatch.setenv("RAG_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8,::1")
    assert load_settings().trusted_proxies == ("127.0.0.1/32", "10.0.0.0/8", "::1/128")
    monkeypatch.setenv("RAG_TRUSTED_PROXIES", "proxy.example")
    with pytest.raises(SettingsError, match=r"RAG_TRUSTED_PROXIES: .*proxy.example"):
        load_settings()


def test_a_misspelt_setting_in_the_file_is_an_error() -> None:
    Path(".env").write_text("RAG_LLM_MODLE=x\nRAG_PORT=0\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "did you mean RAG_LLM_MODEL?" in str(caught.value)
    assert "RAG_PORT: " in str(caught.value)


def test_a_file_of_settings_that_cannot_be_read_is_an_error_that_names_it() -> None:
    Path(".env").write_bytes(b"RAG_LLM_MODEL=caf\xe9\n")
    with pytest.raises(SettingsError, match=r"\.env: it cannot be read"):
        load_settings()


def test_a_folder_called_env_is_no_file_of_settings() -> None:
    Path(".env").mkdir()
    assert load_settings().port == 7860


def test_a_key_shows_in_no_message_and_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    settings = load_settings()
    assert settings.openai_api_key is not None
    assert settings.openai_api_key.get_secret_value() == KEY
    for shown in (repr(settings), str(settings), settings.model_dump_json()):
        assert KEY not in shown
    message = fault(monkeypatch, RAG_PORT=KEY, OPENAI_BASE_URL=KEY, RAG_CHROMA_URL=KEY, RAG_LLM_RETRIES=KEY)
    assert "RAG_PORT" in message
    assert KEY not in message


def test_a_key_in_a_misspelt_variable_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    assert KEY not in fault(monkeypatch, RAG_OPENAI_API_KEY=KEY)


def test_paths_are_absolute_and_the_users_home_is_spelled_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RAG_HOME", "~/library")
    monkeypatch.setenv("RAG_PROMPTS", "mine/../prompts")
    settings = load_settings()
    assert settings.home == tmp_path / "library"
    assert settings.prompts == Path.cwd() / "prompts"
    monkeypatch.setenv("RAG_HOME", "~nosuchuser/library")
    assert load_settings().home == Path.cwd() / "~nosuchuser" / "library"


def test_settings_are_frozen_and_equal_ones_are_one_key() -> None:
    settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1  # type: ignore[misc]
    assert {settings: 1}[load_settings()] == 1


def test_an_override_that_is_no_field_is_an_error() -> None:
    with pytest.raises(SettingsError, match="prot"):
        load_settings(prot=8000)
