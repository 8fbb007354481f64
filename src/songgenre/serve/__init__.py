"""A web page to classify songs on this machine."""
