"""The command line: the same operations, for operators.

``main.py`` has the list of commands, and what becomes of an error; every other file is a command,
but for ``options.py`` and ``output.py``, what commands share, ``service.py``, the one way to ask
the service, and ``folders.py``, how a data folder comes to be. No command decides anything.
"""
