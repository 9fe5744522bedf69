"""JSON files that appear whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from editfoundry.data.atomic import atomic_file


def write_json(path: Path, data: Any) -> None:
    """Write indented JSON; raises ``ValueError`` on NaN and infinities, which JSON does not have."""
    text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
    with atomic_file(path) as file:
        file.write(f"{text}\n".encode())
