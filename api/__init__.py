"""How it is asked: HTTP, the command line, the one writer, and the operations that they share.

Nothing is decided here. Start at ``app.py``, where everything is put together, and
``operations/``, one file for each thing the service does.
"""
