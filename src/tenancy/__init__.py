"""Tenancy: whose rows a transaction sees, where they are, and the way there."""
