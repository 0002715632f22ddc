"""What the law says, where, and since when.

Here: regulation files and their strict format, the loader, binding (whose law touches a
message), addresses and their time zones, calendars, releases, scenario files. Not here: any
verdict (``rules``) and any record (``consent``). Start at ``loader.py`` and ``data/``.
"""
