"""Alembic's migrations of the store, run by the package itself; there is no ini file."""
