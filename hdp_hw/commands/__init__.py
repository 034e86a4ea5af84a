"""The command line: a file a command, which owns its arguments and its run.

A command's module has ``NAME``, ``HELP``, ``add_arguments(parser)`` and ``run(arguments)``, which gives the exit code.
It imports what it needs when it runs, so that the list of commands needs Python alone.
"""
