"""What is the same in every report: what the words mean, and how a reader checks it alone."""

from typing import Final

INTRODUCTION: Final = (
    "This report tells what is on record about one person: what they agreed to, what they asked to"
    " stop, and each time somebody asked whether a message may be sent to them, with the answer"
    " and the law it rested on. It is in order of recording. Beside each line stands its place in"
    " a log: entries in a log are only ever added, never changed or removed, and signatures show"
    " it. Times are in UTC (world time); the person's own clock stands beside it where it is known."
)
GENUINE: Final = "GENUINE: nothing was found changed, left out or added."
DAMAGED: Final = "DAMAGED: the evidence is not as it was recorded. What was found:"
NOT_OWN_WITNESS: Final = (
    "This was found when the report was made, by the program verify.py in the same file. A"
    " report cannot be its own witness: check it yourself, as said under “How to check this"
    " report”."
)
NOTHING: Final = (
    "Nothing is on record under this address. The logs had the sizes named on the first page"
    " when this was asked."
)
CHECKING: Final = (
    (
        "Take the file (the .zip) that this report came in. Nothing else of ours is needed,"
        " and no network once Python 3.10 or later and its package cryptography are"
        " installed: pip install cryptography"
    ),
    (
        "Unpack verify.py from it, or better take it from where you trust it, and run it on"
        " the file: python verify.py BUNDLE.zip --key KEYS. KEYS is a file with the"
        " operator's public keys, which you should have from the operator by another way than"
        " this file. Compare them with those below."
    ),
    (
        "It must answer GENUINE, and name the logs, sizes and numbers of entries that stand"
        " on the first page. It answers DAMAGED if a single byte was changed: in the"
        " evidence, in this report or in any other file of the bundle."
    ),
    (
        "To look up a line: “consent log, entry 12” is the line that begins with 12 in the"
        " file logs/consent/entries.txt; what was sealed for it stands in"
        " disclosed/consent.jsonl. For the decisions log read decisions instead of consent."
        " trail.csv has the same for a spreadsheet."
    ),
)
PROVED: Final = (
    (
        "Proved by verify.py: that each entry stands in the signed log, unchanged, at the"
        " place named; that what it says is what was recorded; that none of the person's"
        " entries is missing, in the middle or at the end; and that this report is the file"
        " that the operator signed for."
    ),
    (
        "Not proved by it: that what was recorded was true, or that all that happened was"
        " recorded; the time of recording, which is the operator's clock, but for checkpoints"
        " that somebody else kept; that the address is this person's, which is the operator's"
        " word; and that no decision is missing that was made while nobody was on record"
        " under the address."
    ),
    (
        "The sentences in this report are made by a program from the entries. Where a"
        " sentence and an entry should differ, the entry holds."
    ),
)
GLOSSARY: Final = (
    (
        "allowed, had to wait, not allowed",
        (
            "the three answers to the question whether a message may be sent. In the files:"
            " allow, defer, deny. The strictest reason decides."
        ),
    ),
    (
        "by key_…",
        "the access key of whoever recorded the entry or asked; the operator knows who holds it.",
    ),
    ("code", "a short name of a reason, for programs. The sentence before it says what it means."),
    ("consent", "what the person agreed to: from which sender, by which channel, for what."),
    (
        "decision",
        (
            "the answer to one question whether one message may be sent, with its reasons. It"
            " was recorded before it was given."
        ),
    ),
    ("disclosure", "the text that the person was shown when they agreed."),
    ("entry", "one record in a log. Its number is its place, counted from 0."),
    (
        "erasure",
        (
            "the data of the person was destroyed at their request. Entries stay and say"
            " nothing any more; messages stay forbidden unless the person begins anew."
        ),
    ),
    (
        "evidence",
        (
            "how it is known that something happened: a form, a reply, where, from which"
            " internet address, with what text shown."
        ),
    ),
    (
        "express, implied",
        (
            "how firmly consent was given: said by the person, or following from what they"
            " did. Some laws ask for it in writing."
        ),
    ),
    (
        "fingerprint",
        ("64 letters and digits computed from a record (SHA-256). Another record has another one."),
    ),
    (
        "log",
        (
            "a list to which entries are only added. The consent log holds what people said;"
            " the decisions log holds the answers."
        ),
    ),
    ("operator", "whoever runs the service that made this report and signed the logs."),
    (
        "opt-out",
        (
            "the person asked not to be contacted. It is recorded whatever its form, and"
            " taken in the wider sense where it is not clear."
        ),
    ),
    (
        "person, with 32 letters and digits",
        (
            "the number drawn for whoever has an address. Who has several addresses has one for"
            " each; entries of the kind “one person's” say which belong together, and since when."
        ),
    ),
    ("provision", "the article of a law, or of another rule, that a reason rests on."),
    (
        "read in the source, likely, unsure",
        (
            "how sure it is that the provision says this: somebody read it in the law itself, in"
            " what others wrote of it, or it can be read in two ways."
        ),
    ),
    ("register", "a public list of those who must not be contacted, or who approved of it."),
    (
        "release",
        (
            "the set of rules that was in force when the decision was made; its fingerprint"
            " names it exactly."
        ),
    ),
    ("sender", "the brand in whose name a message is sent."),
    (
        "signed state",
        (
            "the size of a log and the fingerprint of all of it (root), under the operator's"
            " digital signature. In the files: checkpoint."
        ),
    ),
    (
        "[U+202E …]",
        (
            "in a quoted text: a character that does not show or cannot be drawn here, named"
            " by its number in Unicode so that nothing is lost or hidden."
        ),
    ),
    ("UTC", "world time, the same everywhere; New York is four or five hours behind it."),
)
