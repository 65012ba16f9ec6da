"""The quarantine limit, as the gates tell it to the database."""

LIMIT_SETTING = "slaledger.quarantine_limit_percent"  # of the database session, where the query reads it
