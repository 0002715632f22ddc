"""The report of one person's trail, for a court, an auditor and the person: read it and check it.

``story.py`` makes one typed report from the trail; ``screen.py`` writes it as one HTML file and
``paper.py`` as PDF. Neither adds a fact: what both say stands in the report, and what the report
says of an entry stands in that entry.
"""
