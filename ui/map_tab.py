"""The library as a map: papers that are alike lie together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag import Assistant
    from ui.shared import Shared


def map_tab(assistant: Assistant, shared: Shared) -> None:
    """Fills the tab that is open in the page's layout, and connects its events."""
