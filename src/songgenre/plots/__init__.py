"""Figures of the notebooks, a module per notebook, and the excerpts in the reports."""
