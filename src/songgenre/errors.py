"""The one error that is meant to be read by a person."""


class UserError(Exception):
    """Something the user can mend: says what was expected, what came, where, and what to do."""
