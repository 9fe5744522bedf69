"""Triplets in other projects' formats: EditWorld, InstructPix2Pix, Hugging Face ``datasets``, a folder with a table."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Literal

from editfoundry.data.stage_result import StageResult

ExportFormat = Literal["editworld", "instruct-pix2pix", "huggingface"]
ImportFormat = Literal["editworld", "instruct-pix2pix", "huggingface", "pairs-folder"]
Converter = Callable[[Path, Path], StageResult]


def exporter(name: ExportFormat) -> Converter:
    """Return the function that writes a folder of shards in a format."""
    return _function("export", name)


def importer(name: ImportFormat) -> Converter:
    """Return the function that reads a folder in a format into shards."""
    return _function("import", name)


def _function(verb: str, name: str) -> Converter:
    module = name.replace("-", "_")
    return getattr(import_module(f"{__name__}.{module}"), f"{verb}_{module}")
