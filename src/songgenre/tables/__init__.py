"""Tables that the stages exchange: one module per schema."""
