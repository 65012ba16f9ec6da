"""The second route: every figure again, from the objects, in plain Python.

Written from the rules of the SLA alone. It shares nothing with landing, the models or the ledger: no code, no SQL, no
trick; instants are whole microseconds since 1970 UTC, ratios are `Fraction`s, and every boundary is stepped through and
decided. Slow on purpose, so that a reader can follow it with the rules beside it.
"""
