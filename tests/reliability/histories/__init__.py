"""Random histories of contracts: what arrives when, what people decide, and what the books must then say."""
