"""slaledger: what a cloud company promised, turned into money that it can defend."""

__version__ = "0.1.0"
