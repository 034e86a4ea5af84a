"""What ends a command."""


class Failure(Exception):
    """Base of errors that end a command of hdp-hw with exit code 1; the message is for who typed it."""


class MissingPackage(Failure, RuntimeError):
    """A Python package that an optional part needs is not installed; the message says what installs it."""


class FileError(Failure, ValueError):
    """A text file that cannot be read; the message names the file, the line where there is one, and what is wrong."""
