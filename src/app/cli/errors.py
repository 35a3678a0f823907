"""What a command refuses by itself."""


class CommandError(Exception):
    """The command cannot be carried out; the message is one line with the way out."""
