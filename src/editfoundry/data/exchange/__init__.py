"""Triplets in other projects' formats: EditWorld, InstructPix2Pix, Hugging Face ``datasets``."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from editfoundry.data.stage import StageResult

Converter = Callable[[Path, Path], StageResult]


def exporter(name: str) -> Converter:
    """Return the exporter of a format: ``editworld``, ``instruct-pix2pix`` or ``huggingface``."""
    return _function("export", name)


def importer(name: str) -> Converter:
    """Return the importer of a format: ``editworld``, ``instruct-pix2pix`` or ``huggingface``."""
    return _function("import", name)


def _function(verb: str, name: str) -> Converter:
    module = name.replace("-", "_")
    return getattr(import_module(f"{__name__}.{module}"), f"{verb}_{module}")
