"""Scheduling: what the clinic offers, when its practitioners work, and who comes when."""
