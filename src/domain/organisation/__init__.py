"""Organisation: branches, rooms, specialties, and the people of the clinic with their documents."""
