"""The control plane: who the tenants are and where they live; imports nothing of how they are kept apart."""
