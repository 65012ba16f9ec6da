"""Feeds: one module a family, pure: the formats it comes in → records or rejects."""
