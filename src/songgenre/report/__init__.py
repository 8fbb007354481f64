"""The report site, and what is made of it to take along."""
