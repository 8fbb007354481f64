"""The tables that pass between the stages: a module per schema."""
