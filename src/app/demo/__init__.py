"""Three clinics with realistic data, one per strategy, for trying the product; nothing else in it depends on this."""
