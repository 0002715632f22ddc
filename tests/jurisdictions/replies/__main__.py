"""Print how well replies are read: ``python -m tests.jurisdictions.replies``."""

import sys

from tests.jurisdictions.replies.measuring import read_all, table

all_ = list(read_all())
lines = [
    *table(all_),
    *(
        f"{one.language}: {one.expected} read as {one.found}: {one.text!r} ({one.matched})"
        for one in all_
        if one.found is not one.expected
    ),
]
sys.stdout.write("\n".join(lines) + "\n")
