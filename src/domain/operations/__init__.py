"""What every clinic's running needs beside its own rules: audit, idempotency, counters, settings."""
