"""What pyarrow raises for a Parquet file that was cut, damaged or made to harm."""

from __future__ import annotations

import pyarrow as pa

PARQUET_ERRORS = (OSError, pa.ArrowException, UnicodeDecodeError, OverflowError, MemoryError, KeyError, TypeError)
