"""JSON, YAML and TOML that others wrote: parsed within bounds, so that no file ends in a traceback or takes all memory.

Python's own parsers stop at different places: a thousand levels end in a RecursionError, a number of 4,301 digits in
a ValueError, ``1e999`` is an infinity that cannot be written again, and a lone half of a surrogate pair becomes a
string that no file can hold.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from pathlib import Path
from typing import Any

from editfoundry.errors import BadInputError, one_line

MAX_DEPTH = 64
"""Levels of lists and mappings inside each other."""
MAX_YAML_BYTES = 2**20
_MAX_NODES = 100_000
"""Values of a YAML file, those that aliases repeat counted each time."""
_MAX_INT = 2**63
_FIRST_CHARACTERS = 80
"""Letters among which a NUL tells UTF-16 without a mark, whose Latin letters are bytes of UTF-8."""
_MAX_DIGITS = 24
BROKEN = "\x1a"
"""Unicode's control character SUBSTITUTE: stands for what is no character, and is not printable."""
_HALF = re.compile("[\ud800-\udfff]")
_ESCAPES = re.compile(
    r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
"""An escaped backslash, the escapes of a whole pair, or, as its group, that of half of one."""


def parse_json(content: str | bytes) -> Any:
    """Return the value of JSON text; ``NaN`` and infinities, which other writers let through, become None.

    Raises:
        ValueError: not JSON, nested deeper than ``MAX_DEPTH``, a whole number beyond 64 bits, or text that is not
            Unicode. The message is one line.
    """
    try:
        value = json.loads(content, parse_constant=lambda _: None, parse_float=_finite, parse_int=_int)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    check_plain(value)
    return value


def whole_characters(text: str) -> str:
    """Return text whose two halves of a surrogate pair are joined; a half that stands alone becomes `BROKEN`."""
    if text.isascii():
        return text
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return _HALF.sub(BROKEN, joined)


def with_whole_escapes(content: str) -> str:
    """Return JSON text in which an escape of half a surrogate pair, where it stands alone, is one of `BROKEN`."""
    return _ESCAPES.sub(lambda found: f"\\u{ord(BROKEN):04x}" if found[1] else found[0], content)


def read_json(path: Path, kind: type) -> Any:
    """Return a JSON file's value after checking that it is of ``kind``.

    Raises:
        BadInputError: missing, not JSON, out of bounds, or of another kind.
    """
    try:
        if path.exists() and not path.is_file():
            raise BadInputError(f"{path}: is no file; give the folder that holds it")
        value = parse_json(read_utf8(path))
    except FileNotFoundError as error:
        raise BadInputError(f"{path}: missing; give the folder that holds it") from error
    except BadInputError:
        raise
    except (OSError, ValueError) as error:
        raise BadInputError(f"{path}: not readable as JSON ({one_line(error, 300)})") from error
    if not isinstance(value, kind):
        raise BadInputError(f"{path}: holds a JSON {type(value).__name__} where a {kind.__name__} should be")
    return value


def read_toml(path: Path) -> dict[str, Any]:
    """Return a TOML file's table.

    Raises:
        BadInputError: it cannot be read, is not TOML, or is nested too deeply.
    """
    try:
        return tomllib.loads(read_utf8(path))
    except BadInputError:
        raise
    except RecursionError as error:
        raise BadInputError(f"{path}: not a TOML file: nested too deeply") from error
    except ValueError as error:
        raise BadInputError(f"{path}: not a TOML file: {one_line(error)}") from error
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read: {error.strerror}") from error


def read_yaml(path: Path, what: str = "YAML") -> Any:
    """Return a YAML file's value, of plain types alone; ``what`` says in errors what the file should be.

    Raises:
        BadInputError: it cannot be read, is no YAML, or is out of bounds.
    """
    import yaml

    try:
        text = read_utf8(path)
        if len(text) > MAX_YAML_BYTES:
            raise BadInputError(f"{path}: cannot be read as {what}: it has more than {MAX_YAML_BYTES} characters")
        value = yaml.safe_load(text)
        check_plain(value, max_nodes=_MAX_NODES)
    except BadInputError:
        raise
    except RecursionError as error:
        raise BadInputError(f"{path}: cannot be read as {what}: nested too deeply") from error
    except (OSError, ValueError, OverflowError, TypeError, yaml.YAMLError) as error:
        raise BadInputError(f"{path}: cannot be read as {what}: {one_line(error, 300)}") from error
    return value


def check_plain(value: Any, max_nodes: int | None = None) -> None:
    """Raise ValueError for a parsed value that is nested too deeply, too large, or holds what cannot be written."""
    waiting = [(value, 1)]
    num_nodes = 0
    while waiting:
        item, depth = waiting.pop()
        num_nodes += 1
        if max_nodes is not None and num_nodes > max_nodes:
            raise ValueError(f"more than {max_nodes} values")
        if isinstance(item, (dict, list)):
            if depth > MAX_DEPTH:
                raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
            inner = [*item, *item.values()] if isinstance(item, dict) else item
            waiting.extend((child, depth + 1) for child in inner)
        elif isinstance(item, str):
            _check_text(item)
        elif isinstance(item, int) and not -_MAX_INT <= item < _MAX_INT:
            raise ValueError("a whole number beyond 64 bits")


def read_utf8(path: Path) -> str:
    """Return a file's text, without the mark that some programs write before it.

    Raises:
        OSError: it cannot be read.
        BadInputError: it is in another encoding.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(path) from error
    check_utf8(text[:_FIRST_CHARACTERS], path)
    return text


def check_utf8(text: str, path: Path) -> None:
    """Check that text of a file, read with ``surrogateescape``, was written as UTF-8.

    Raises:
        BadInputError: it was not; a NUL between the letters tells UTF-16.
    """
    if "\0" in text or any("\udc80" <= character <= "\udcff" for character in text):
        raise not_utf8(path)


def not_utf8(path: Path) -> BadInputError:
    """Return what is said of a file of text in another encoding."""
    return BadInputError(f"{path}: is not UTF-8 text; save it again as UTF-8")


def check_words(words: str, what: str) -> None:
    """Check that words which a person typed are text; what is not UTF-8 on a command line becomes lone surrogates.

    Raises:
        BadInputError: they are not; the message calls them ``what``.
    """
    try:
        _check_text(words)
    except ValueError as error:
        raise BadInputError(f"{what} is not UTF-8 text: type it again in a terminal that writes UTF-8") from error


def _check_text(text: str) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("text with half of a surrogate pair, which is no character") from error


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _int(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"a whole number of {len(digits)} digits")
    return int(digits)
