"""Known vulnerabilities of what constraints.txt names, where the database can be reached, and everybody's licences."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).parents[2]
# The database answers for a release with what is known against it; against this one something is. A mirror may not have it.
DATABASE = "https://pypi.org/pypi/jinja2/3.1.2/json"
_PATIENCE_S = 10


def find_licence(package: Distribution) -> str:
    """What a package says of its licence, in a few words."""
    said = package.metadata
    if expression := said.get("License-Expression"):
        return str(expression)
    classified = [
        each.rpartition(" :: ")[2] for each in said.get_all("Classifier", []) if each.startswith("License :: ")
    ]
    written = str(said.get("License") or "").strip().splitlines()
    return ", ".join(classified) or (written[0][:60] if written else "not said")


def main() -> None:
    licences: dict[str, list[str]] = {}
    for package in sorted(distributions(), key=lambda each: each.metadata["Name"].lower()):
        licences.setdefault(find_licence(package), []).append(f"{package.metadata['Name']} {package.version}")
    for licence, packages in sorted(licences.items()):
        print(f"{licence}:\n  {', '.join(packages)}")
    pinned = len(re.findall(r"^[\w.-]+==", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE))
    try:
        with urlopen(DATABASE, timeout=_PATIENCE_S) as answer:
            if not json.load(answer)["vulnerabilities"]:
                raise ValueError("it knows of nothing against a release of which much is known")
    except (URLError, OSError, ValueError, KeyError) as error:
        print(
            f"\nNOT REACHED: {DATABASE} ({error}); nothing was looked up for the {pinned} packages of constraints.txt."
        )
        return
    print(f"\n{pinned} packages of constraints.txt:", flush=True)
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--requirement",
        ROOT / "constraints.txt",
        "--no-deps",
        "--disable-pip",
    ]
    sys.exit(subprocess.run(command, check=False).returncode)


if __name__ == "__main__":
    main()
