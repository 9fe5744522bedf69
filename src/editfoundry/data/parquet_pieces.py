"""Parquet files with pictures in a column, read piece by piece."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

_BUFFER_BYTES = 2**18


def open_in_pieces(path: Path) -> pq.ParquetFile:
    """Open a file so that its batches are read as they are asked for.

    By default a row group's columns are read whole, and what pandas writes has a single row group.
    """
    return pq.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False)
