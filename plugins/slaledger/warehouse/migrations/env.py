"""Alembic's entry: runs on the connection, and in the transaction, that `migrate` hands over."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table="slaledger_migrations")
context.run_migrations()
