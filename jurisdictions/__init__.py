"""What the law says, where, and since when.

Here: regulation files and their strict format, the loader, binding (whose law touches a
message), addresses and their time zones, calendars, releases, scenario files. Not here: any
verdict (``rules``) and any record (``consent``). Start at ``loader.py`` and ``data/``.
"""

import zoneinfo

# zoneinfo prefers the operating system's files, which are often years old: with data of 2025
# Vancouver is an hour off every winter. The pinned ``tzdata`` package decides instead, and its
# version stands in every decision. Here, because nothing looks up a zone before this package.
zoneinfo.reset_tzpath(to=())
zoneinfo.ZoneInfo.clear_cache()
