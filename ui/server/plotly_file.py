"""The script that draws the map: a file of the installed plotly package, served by ourselves."""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

PLOTLY_ADDRESS = f"plotly-{version('plotly')}.min.js"  # a new version, a new address: browsers keep it for good


def serve_plotly(app: FastAPI) -> None:
    """Adds the script's address to the page's; the package itself, which is slow, is never imported."""
    from fastapi.responses import FileResponse

    package = find_spec("plotly")
    assert package is not None  # noqa: S101 (a dependency)
    script = Path(next(iter(package.submodule_search_locations or ()))) / "package_data" / "plotly.min.js"
    kept = {"cache-control": "public, max-age=31536000, immutable"}

    @app.get(f"/{PLOTLY_ADDRESS}", include_in_schema=False)
    async def plotly_script() -> FileResponse:
        return FileResponse(script, media_type="text/javascript", headers=kept)
