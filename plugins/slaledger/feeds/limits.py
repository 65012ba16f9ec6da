"""Every limit of what is read, in one place, each with the reason code of what is over it."""

from __future__ import annotations

# A row (contracts.md): `row_too_long`.
MAX_ROW_BYTES = 1 << 20

# An object as it lies in the bucket: `object_too_large`. It is read onto the disk first.
MAX_OBJECT_BYTES = 8 << 30

# What a gzip stream may inflate to: `inflate_limit`. The floor in any case, then at most by the ratio, then no further.
INFLATE_FLOOR_BYTES = 64 << 20
INFLATE_RATIO = 150
INFLATE_LIMIT_BYTES = 8 << 30

# A JSON or YAML document, which is held in memory whole: `document_too_large`. As text it may take four times its
# bytes, and each value of JSON some 200.
MAX_DOCUMENT_BYTES = 32 << 20
MAX_DOCUMENT_VALUES = 400_000

# JSON in a row: `too_deep`, far below what the parser takes, so that where it ends does not hang on who called it; and
# `number_out_of_range`.
MAX_DEPTH = 256
MAX_DIGITS = 30

# Columns of a CSV or Parquet object: `csv_header`, `parquet_columns`.
MAX_COLUMNS = 1_000

# Checks, which are held in memory by object: `too_many_rows`.
MAX_CHECK_ROWS = 20_000_000

# Parquet: `parquet_limit`. Its footer is parsed whole, and so is a column of a row group, as its footer declares it.
PARQUET_FOOTER_BYTES = 4 << 20
PARQUET_CHUNK_BYTES = 128 << 20
# What a batch of its rows may take once texts that it says once are written out: over that, it is read in parts.
PARQUET_BATCH_BYTES = 32 << 20
