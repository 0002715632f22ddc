"""What a person's reply means: stop, start, help, perhaps stop, or something else.

The words are data, in ``data/words/``, a file a language. Start at ``reading.py``. Recording
what was read is not here: that is ``consent``.
"""

from jurisdictions.replies.reading import NO_SCOPE, Reading, Reply, Scope, read_reply

__all__ = ["NO_SCOPE", "Reading", "Reply", "Scope", "read_reply"]
