"""A cross-encoder for natural language inference: opened, asked, and refused in words where it is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from rag import Assistant, EmbeddingError, Settings
from rag.commands.doctor import examine
from rag.models.entailment import open_entailment
from rag.types import CheckKind
from tests.llm_server import ChatServer

GOOD = "TimeArena has 30 real-world tasks in cooking, household activities and laboratory work [1]."
QUESTION = "How many tasks does TimeArena have?"
LABELS = ("entailment", "neutral", "contradiction")

Encoder = Callable[..., str]


@pytest.fixture(scope="session")
def encoder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """Makes a real cross-encoder with the given labels that finds the same one for whatever it reads."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    def made(label: str, labels: Sequence[str] = LABELS) -> str:
        folder = tmp_path_factory.mktemp("encoder")
        tokenizer = AutoTokenizer.from_pretrained(tiny_model)
        config = BertConfig(
            vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=32, max_position_embeddings=64, id2label=dict(enumerate(labels)),
            label2id={each: place for place, each in enumerate(labels)},
        )  # fmt: skip
        model = BertForSequenceClassification(config)
        with torch.no_grad():
            model.classifier.bias[labels.index(label)] = 100.0
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return str(folder)

    return made


@pytest.mark.parametrize(
    ("labels", "label", "meant"),
    [
        (LABELS, "entailment", "entailment"),
        (("CONTRADICTION", "ENTAILMENT", "NEUTRAL"), "CONTRADICTION", "contradiction"),
        (("contradiction", "neutral", "entail"), "entail", "entailment"),
        (("contradiction", "not_entailment", "entailment"), "not_entailment", "neutral"),
    ],
)
def test_its_own_labels_are_read_in_whatever_order(encoder, labels, label, meant):
    entailment = open_entailment(encoder(label, labels))
    assert entailment("It has 30 tasks.", "It has many tasks.") == meant
    assert entailment("word " * 2_000, "") == meant


def test_a_folder_that_is_not_there_and_labels_that_say_nothing_are_refused(encoder, tmp_path):
    with pytest.raises(EmbeddingError, match=r"cannot be loaded .* correct RAG_NLI_MODEL, or unset it"):
        open_entailment(str(tmp_path / "none"))
    with pytest.raises(EmbeddingError, match="has the labels LABEL_0, LABEL_1; it needs entailment and contradiction"):
        open_entailment(encoder("LABEL_1", ("LABEL_0", "LABEL_1")))


@pytest.mark.parametrize(("label", "holds"), [("entailment", True), ("contradiction", False)])
def test_the_chain_asks_it_about_every_claim(seed_settings, encoder, label, holds):
    with ChatServer(GOOD) as chat:
        settings = settings_of(seed_settings, chat.base_url, nli_model=encoder(label))
        assistant = Assistant.open(settings)
        assistant.prepare()
        assert "entailment" in vars(assistant.answering.writer), "the first question need not wait for it"
        [claim] = assistant.answer(QUESTION).claims
    [check] = [check for check in claim.checks if check.kind is CheckKind.ENTAILMENT]
    assert check.passed is holds
    assert ("by the entailment model it contradicts" in check.reason) is not holds


def test_doctor_looks_at_it_where_one_is_named(seed_settings, encoder, monkeypatch, tmp_path):
    monkeypatch.setenv("RAG_HOME", str(seed_settings.home))
    assert "entailment model" not in [finding.what for finding in examine()]
    monkeypatch.setenv("RAG_NLI_MODEL", encoder("neutral"))
    assert [finding.ok for finding in examine() if finding.what == "entailment model"] == [True]
    monkeypatch.setenv("RAG_NLI_MODEL", str(tmp_path / "none"))
    [found] = [finding for finding in examine() if finding.what == "entailment model"]
    assert not found.ok
    assert "correct RAG_NLI_MODEL" in found.detail


def settings_of(seed_settings: Settings, url: str, **more: object) -> Settings:
    chosen = {"llm_model": "tiny", "openai_base_url": url, "llm_retries": 0, "llm_expand_below": 0, **more}
    return Settings(_env_file=None, home=seed_settings.home, **chosen)
