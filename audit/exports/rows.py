"""An entry as its line of the bundle's files: ``trail.jsonl``, ``trail.csv`` and ``disclosed/``.

``verify.py`` makes the same lines again from the entries and what was disclosed of them, by code
of its own, so that none of these files can tell another story than the log.
"""

import base64
import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from audit.opened import Opened, Withheld
from audit.trail import TrailEntry
from consent.ledger.canonical import canonical
from consent.ledger.subject_index import ENTRY_TYPE as INDEX_TYPE

COLUMNS: Final = (
    "recorded_at",
    "occurred_at",
    "log",
    "index",
    "type",
    "verdict",
    "person",
    "address",
    "sender",
    "channel",
    "purpose",
    "topic",
    "level",
    "via",
    "text",
    "method",
    "source_url",
    "disclosure_version",
    "disclosure_text",
    "reasons",
    "provisions",
    "obligations",
    "not_before",
    "release",
    "actor",
    "id",
    "withheld",
)
_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_DECODER = msgspec.json.Decoder(dict[str, Any])
_Record = Mapping[str, Any]


def entry_line(index: int, leaf: bytes) -> bytes:
    """The line of ``entries.txt``: the index, a space, and the leaf as it is in the tree."""
    return b"%d %b\n" % (index, leaf)


def disclosed_line(entry: TrailEntry) -> bytes | None:
    """The line of ``disclosed/``: payload and salt, or why it is withheld. None: it has none."""
    opened = entry.opened
    if opened is None:
        return None
    if isinstance(opened, Withheld):
        said = {"withheld": opened.value}
    else:
        said = {_name_of(opened): _text_of(opened), "salt": opened.salt.hex()}
    return canonical({"index": entry.index, **said}) + b"\n"


def is_told(entry: TrailEntry) -> bool:
    """Whether an entry is part of the story: not an index, nor what concerns another sender."""
    return entry.leaf.type != INDEX_TYPE and entry.withheld is not Withheld.NOT_ASKED


def json_line(entry: TrailEntry) -> bytes:
    """The line of ``trail.jsonl``: the leaf and the payload, each byte for byte as recorded."""
    opened = entry.opened
    if opened is None:
        end = b""
    elif isinstance(opened, Withheld):
        end = b',"withheld":"%b"' % opened.value.encode()
    elif _name_of(opened) == "payload":
        end = b',"payload":%b' % opened.canonical
    else:
        end = b',"payload_base64":"%b"' % base64.b64encode(opened.canonical)
    return b'{"index":%d,"leaf":%b%b}\n' % (entry.index, entry.leaf_bytes, end)


def csv_header() -> bytes:
    """The first line of ``trail.csv``."""
    return _written(COLUMNS)


def csv_line(entry: TrailEntry) -> bytes:
    """The line of ``trail.csv``: what a person reads in a spreadsheet."""
    payload: _Record = {}
    if isinstance(entry.opened, Opened) and _name_of(entry.opened) == "payload":
        payload = _DECODER.decode(entry.opened.canonical)
    leaf = _DECODER.decode(entry.leaf_bytes)
    withheld = "" if entry.withheld is None else entry.withheld.value
    return _written(_cells(entry.index, leaf, payload, withheld))


def _cells(index: int, leaf: _Record, payload: _Record, withheld: str) -> list[object]:
    evidence = payload.get("evidence", {})
    disclosure = evidence.get("disclosure", {})
    decision = payload.get("decision", {})
    message = payload.get("facts", {}).get("message", {})
    findings, owed = decision.get("findings", ()), decision.get("obligations", ())
    provisions = [one["provision"] for one in (*findings, *owed)]
    return [
        leaf["recorded_at"],
        leaf["occurred_at"],
        leaf["log"],
        index,
        leaf["type"],
        decision.get("verdict"),
        leaf["subject"],
        payload.get("address"),
        payload.get("sender", payload.get("circumstances", {}).get("sender")),
        leaf["channel"],
        leaf["purpose"],
        payload.get("topic", message.get("topic")),
        leaf["level"],
        payload.get("via"),
        payload.get("text", message.get("text")),
        evidence.get("method"),
        evidence.get("source_url"),
        disclosure.get("version"),
        disclosure.get("text"),
        _joined(one["code"] for one in findings),
        _joined(f"{one['jurisdiction']}: {one['citation']}" for one in provisions),
        _joined(one["code"] for one in owed),
        decision.get("not_before"),
        leaf["release"],
        leaf["actor"],
        leaf["event_id"],
        withheld,
    ]


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(texts))


def _written(cells: Sequence[object]) -> bytes:
    sink = io.StringIO()
    csv.writer(sink).writerow([_harmless(cell) for cell in cells])
    return sink.getvalue().encode()


def _harmless(cell: object) -> str:
    """A cell that no spreadsheet takes for a formula: what a stranger wrote may stand in it."""
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(_STARTS_FORMULA) else text


def _name_of(opened: Opened) -> str:
    try:
        opened.canonical.decode()
    except UnicodeDecodeError:
        return "payload_base64"
    return "payload"


def _text_of(opened: Opened) -> str:
    try:
        return opened.canonical.decode()
    except UnicodeDecodeError:
        return base64.b64encode(opened.canonical).decode()
