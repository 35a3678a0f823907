"""What all clinics share: their names and hosts."""
