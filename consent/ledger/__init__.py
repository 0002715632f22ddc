"""The append-only log, whatever it carries: ``tree``, ``tiles`` are pure; ``log`` appends."""
