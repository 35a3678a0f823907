"""The tables that each clinic has in its schema."""
