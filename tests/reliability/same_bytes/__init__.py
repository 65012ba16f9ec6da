"""One month in a process of its own, whose time zone, locale, hash seed, threads and orders are others each time."""
