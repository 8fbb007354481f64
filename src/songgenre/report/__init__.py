"""The report site, its exports, the cards and the results in the README."""
