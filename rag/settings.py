"""All settings, in one frozen object, read from the environment and from `.env` in the working directory."""

from __future__ import annotations

import difflib
import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.request import getproxies

from dotenv import dotenv_values
from platformdirs import user_data_path
from pydantic import AliasChoices, AnyHttpUrl, Field, SecretStr, UrlConstraints, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from rag.errors import SettingsError
from rag.loopback import is_this_machine
from rag.prices import Price, read_prices

BUNDLED_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
PREFIX = "RAG_"
_WITHHELD = (
    "The address of the language model, OPENAI_BASE_URL, comes from the file .env, and the key, OPENAI_API_KEY, from"
    " elsewhere: it is not sent there. If the address is right, set it where the key is set, or put the key into that"
    " file."
)
_PROXIES = ("http", "https", "socks5", "socks5h")  # by scheme
_SHORTEST_KEY = 16  # one that can be guessed keeps nobody out
_KEY = re.compile(rf"[!-~]{{{_SHORTEST_KEY},}}")

Precision = Literal["float32", "int8"]
_HttpUrl = Annotated[AnyHttpUrl, UrlConstraints(host_required=True)]


class Settings(BaseSettings):
    """What can be chosen; each field is the environment variable RAG_<NAME> unless it says otherwise.

    Raises:
        SettingsError: Through `load_settings`, when a variable is misspelt, malformed or out of range.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", env_file_encoding="utf-8", env_ignore_empty=True,
        frozen=True, extra="ignore", populate_by_name=True,
    )  # fmt: skip

    home: Path = Field(
        default_factory=lambda: user_data_path("footnote", appauthor=False),
        description="Folder of the library and everything derived from it.",
    )
    chroma_url: _HttpUrl | None = Field(
        None, description="Address of a Chroma server; without it Chroma is embedded, in RAG_HOME."
    )
    collection: str = Field(
        "footnote", pattern=r"^[a-z0-9][a-z0-9-]{1,38}[a-z0-9]$",
        description="Name of the library within one Chroma; several can share a server.",
    )  # fmt: skip
    auto_ingest: bool = Field(
        True, description="Whether the first question to an empty library ingests the bundled seeds."
    )
    embedding_model: str = Field(
        BUNDLED_MODEL, min_length=1,
        description="Name or folder of a sentence-transformers model; the default comes bundled.",
    )  # fmt: skip
    models: Path | None = Field(
        None,
        description="Folder where the bundled model is kept ready to run, which libraries can share; RAG_HOME/models"
        " unless given.",
    )
    embedding_precision: Precision = Field(
        "float32",  # with int8 two of our hundred questions lost a fact or a citation; embedding.json: what it gains
        description="Numbers the bundled model embeds abstracts with: float32, or int8, faster and coarser.",
    )
    llm_model: str | None = Field(
        None, description="Model that writes the summaries; without it they are put together from sentences."
    )
    openai_api_key: SecretStr | None = Field(
        None, validation_alias=AliasChoices("OPENAI_API_KEY", "openai_api_key"),
        description="OPENAI_API_KEY: key for the server of the model; local servers mostly need none.",
    )  # fmt: skip
    openai_base_url: _HttpUrl | None = Field(
        None, validation_alias=AliasChoices("OPENAI_BASE_URL", "openai_base_url"),
        description="OPENAI_BASE_URL: address of any OpenAI-compatible server, up to and with /v1.",
    )  # fmt: skip
    llm_temperature: float = Field(0.0, ge=0, le=2, description="Randomness of the model; 0 is the least.")
    llm_max_tokens: int = Field(700, ge=16, le=32_768, description="Longest answer, in tokens.")
    llm_timeout_s: float = Field(30.0, gt=0, le=600, description="Longest wait for the next token, in seconds.")
    llm_deadline_s: float = Field(120.0, gt=0, le=3600, description="Longest wait for a whole answer, in seconds.")
    llm_retries: int = Field(
        2, ge=0, le=8, description="How often a passing fault (429, 5xx, no connection) is tried again."
    )
    llm_passages: int = Field(6, ge=1, le=20, description="How many papers the model is given to read, at most.")
    llm_context_tokens: int = Field(
        4096, ge=1024, le=10_000_000,  # Ollama's default, and what is beyond it Ollama drops in silence
        description="Tokens that the model reads and writes at a time; as many papers are given to it as fit.",
    )  # fmt: skip
    llm_expand_below: float = Field(
        0.6, ge=0, le=1,
        description="Evidence (as for the gate) under which the model is asked for searches in the field's terms too;"
        " 0 never asks.",
    )  # fmt: skip
    llm_prices: Annotated[tuple[Price, ...], NoDecode] = Field(
        (), description="JSON: US dollars per million tokens, by model; without it answers show tokens and no price."
    )
    llm_cache: bool = Field(
        True, description="Whether an answer of the model is kept on disk and given again to the same request."
    )
    prompts: Path | None = Field(None, description="Folder with your own prompt files instead of the shipped ones.")
    nli_model: str | None = Field(
        None, min_length=1,
        description="Cross-encoder for natural language inference that also checks what a model writes.",
    )  # fmt: skip
    evidence_gate: float = Field(
        0.35, ge=0, le=1,  # tests/bench/results/gate.json
        description="Least cosine of the best chunk or sentence for an answer to be written.",
    )  # fmt: skip
    host: str = Field("127.0.0.1", min_length=1, description="Address the chat listens on.")
    port: int = Field(7860, ge=1, le=65_535, description="Port the chat listens on.")
    ui_auth: Path | None = Field(
        None, description="File of the users who may log in to the chat; needed on any address but this machine's own."
    )
    api_host: str = Field("127.0.0.1", min_length=1, description="Address the API of `footnote serve` listens on.")
    api_port: int = Field(8008, ge=1, le=65_535, description="Port the API listens on.")
    api_key: SecretStr | None = Field(
        None, description="Key that clients of the API must send; needed on any address but this machine's own."
    )

    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Addresses or networks of proxies, with commas between, that are believed for whom they ask"
        " (X-Forwarded-For, X-Forwarded-Proto).",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given, the environment, `.env`; but a key and the address that it goes to from the same of them."""
        key = _KeyBesideItsAddress(settings_cls, env_settings, dotenv_settings)
        return init_settings, key, env_settings, dotenv_settings, file_secret_settings

    @field_validator("home", "models", "prompts", "ui_auth")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return None if path is None else Path(os.path.abspath(os.path.expanduser(path)))

    @field_validator("chroma_url", "openai_base_url")
    @classmethod
    def _without_credentials(cls, url: AnyHttpUrl | None) -> AnyHttpUrl | None:
        if url is not None and (url.username or url.password):
            raise ValueError("the address holds a user or password, which would show in messages and is not sent")
        return url

    @field_validator("llm_prices", mode="before")
    @classmethod
    def _table(cls, prices: object) -> object:
        return read_prices(prices) if isinstance(prices, str) else prices

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _networks(cls, proxies: object) -> object:
        each = [part.strip() for part in proxies.split(",")] if isinstance(proxies, str) else proxies
        return [str(ip_network(part)) for part in each] if isinstance(each, list | tuple) else each

    @field_validator("api_key")
    @classmethod
    def _a_key(cls, key: SecretStr | None) -> SecretStr | None:
        text = key.get_secret_value() if key else None
        if text is not None and not _KEY.fullmatch(text):
            raise ValueError(f"a key has at least {_SHORTEST_KEY} letters, digits and signs, and no spaces")
        return key

    @property
    def models_folder(self) -> Path:
        """Where the bundled model is kept ready to run."""
        return self.models or self.home / "models"

    @property
    def llm_configured(self) -> bool:
        """Whether answers are written by a language model."""
        return self.llm_model is not None


class _KeyBesideItsAddress(PydanticBaseSettingsSource):
    """The key in `.env`, where the address in `.env` is the one that counts: no other key goes there.

    Whoever can put a `.env` into the folder could else have the key sent to a server of theirs.
    """

    def __init__(
        self,
        settings_cls: type[BaseSettings],
        environment: PydanticBaseSettingsSource,
        file: PydanticBaseSettingsSource,
    ) -> None:
        super().__init__(settings_cls)
        self._environment, self._file = environment, file

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[object, str, bool]:
        """Part of the interface, and not asked; `__call__` says all there is."""
        return self.current_state.get(field.alias or field_name), field_name, False

    def __call__(self) -> dict[str, object]:
        key, address = "OPENAI_API_KEY", "OPENAI_BASE_URL"
        given, environment, file = (
            {name.upper(): value for name, value in values.items()}
            for values in (self.current_state, self._environment(), self._file())
        )
        if address in given or address in environment or address not in file:
            return {}
        if key not in given and key in file:
            return {key: file[key]}
        if given.get(key):
            raise SettingsError(_WITHHELD)
        return {key: None}


def check_key_source(settings: Settings) -> None:
    """Makes sure that no key is missing because it comes from another source than the address it would go to.

    Raises:
        SettingsError: It is. Servers on this machine, which mostly need none, are asked without.
    """
    there = {name.upper() for name in list_in_file()}
    is_withheld = settings.openai_api_key is None and bool(os.environ.get("OPENAI_API_KEY"))
    is_from_file = "OPENAI_BASE_URL" in there and not os.environ.get("OPENAI_BASE_URL")
    url = settings.openai_base_url
    if is_withheld and is_from_file and url is not None and not is_this_machine((url.host or "").strip("[]")):
        raise SettingsError(_WITHHELD)


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment and `.env`, with `overrides` by field name on top.

    Raises:
        SettingsError: A variable is misspelt, malformed or out of range; every fault is named.
    """
    unknown = sorted(overrides.keys() - Settings.model_fields)
    if unknown:
        raise SettingsError(f"{', '.join(unknown)}: there is no such field of Settings.")
    try:
        faults = _misspelt()
        settings = Settings(**overrides)  # type: ignore[arg-type]
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{Path('.env').absolute()}: it cannot be read ({error}); correct or remove it.") from error
    except ValidationError as error:
        faults += [_readable(fault["loc"], fault["msg"]) for fault in error.errors()]
    if faults:
        raise SettingsError("\n".join(faults))
    return settings


def check_proxies() -> None:
    """Makes sure that the proxies of the environment are of a kind that can be used.

    Raises:
        SettingsError: One is not; an HTTP client that is made all the same fails with a traceback.
    """
    for kind, address in getproxies().items():
        if kind in ("http", "https", "all") and address.rpartition("://")[0].lower() not in ("", *_PROXIES):
            raise SettingsError(
                f"{kind.upper()}_PROXY in the environment is no proxy that can be used ({', '.join(_PROXIES)});"
                " correct it or unset it."
            )


def variable(field: str) -> str:
    """The environment variable of a field: `llm_model` -> `RAG_LLM_MODEL`."""
    return field.upper() if field.startswith("openai_") else PREFIX + field.upper()


def list_in_file() -> list[str]:
    """The variables that `.env` in the working directory sets."""
    return [name for name in dotenv_values(".env") if name]


def _misspelt() -> list[str]:
    known = {variable(name) for name in Settings.model_fields}
    given = {*os.environ, *list_in_file()}
    faults = []
    for name in sorted(name for name in given if name.upper().startswith(PREFIX) and name.upper() not in known):
        near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]}?" if near else "`footnote doctor` lists them all."
        faults.append(f"{name}: there is no such setting; {hint}")
    return faults


def _readable(location: tuple[int | str, ...], message: str) -> str:
    """Says which variable is wrong without repeating its value, which may be a key."""
    name, message = str(location[0]), message.removeprefix("Value error, ")
    return f"{name if name.isupper() else variable(name)}: {message[0].lower()}{message[1:]}; correct it or unset it."
