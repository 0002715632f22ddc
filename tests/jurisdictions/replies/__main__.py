"""Print how well replies are read: ``python -m tests.jurisdictions.replies``."""

from tests.jurisdictions.replies.measuring import read_all, table

all_ = list(read_all())
for line in table(all_):
    print(line)
for one in all_:
    if one.found is not one.expected:
        print(f"{one.language}: {one.expected} read as {one.found}: {one.text!r} ({one.matched})")
