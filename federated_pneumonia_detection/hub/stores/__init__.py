"""Where a log is kept: one contract, held by memory, SQLite and PostgreSQL."""
