"""Nothing leaves the machine unasked: the reporting that libraries below us have is switched off."""

from __future__ import annotations

import os

_OFF = {
    "ANONYMIZED_TELEMETRY": "False",  # chromadb
    "DO_NOT_TRACK": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
    "LANGSMITH_TRACING_V2": "false",
    "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime, in C++; read when it is imported
    "RAY_USAGE_STATS_ENABLED": "0",
    "TOKENIZERS_PARALLELISM": "false",  # not reporting: it warns on stderr after a fork
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
}


def keep_quiet() -> None:
    """Switches reporting off for this process and those it starts, whatever the environment says."""
    os.environ.update(_OFF)
