"""The embedded music: composed, played and recorded on the spot, offline and always the same."""
