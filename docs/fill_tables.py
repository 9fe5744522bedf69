"""Fills README's tables from the demo's report and the model cards; `make figures` runs it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REPORT = ROOT / "reports" / "editworld"
EMBEDDED = ROOT / "src" / "editfoundry" / "embedded"


def main() -> None:
    """Replace what stands between the markers."""
    readme = ROOT / "README.md"
    text = readme.read_text()
    machine = f"`make demo` on {os.cpu_count()} CPU cores, tinyworld's world instructions, 95 % bootstrap intervals:"
    text = _between(text, "demo-table", f"{machine}\n\n{(REPORT / 'table.md').read_text().strip()}")
    text = _between(text, "model-table", _models())
    readme.write_text(text)


def _between(text: str, marker: str, content: str) -> str:
    block = f"<!-- {marker} -->\n\n{content}\n\n<!-- /{marker} -->"
    pattern = rf"<!-- {marker} -->(.*?<!-- /{marker} -->)?"
    return re.sub(pattern, lambda _: block, text, count=1, flags=re.DOTALL)


def _models() -> str:
    rows = ["| model | parameters | training | measured on held-out scenes |", "|---|---|---|---|"]
    for folder in sorted(p for p in EMBEDDED.iterdir() if p.is_dir()):
        card = json.loads((folder / "card.json").read_text())
        parameters = sum(card["parameters"].values()) / 1e6
        training = card["training"]
        measured = "; ".join(f"{k.replace('_', ' ')} {v:.3g}" for k, v in card.get("measured", {}).items())
        rows.append(
            f"| `{folder.name}` | {parameters:.1f} M | {training['steps']} steps, {training['minutes']:.0f} minutes,"
            f" {training['machine']} | {measured} |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    main()
