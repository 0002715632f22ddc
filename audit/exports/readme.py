"""README.txt of a bundle: how to verify it, and what lies where, for who never saw the product."""

from collections.abc import Mapping, Sequence

_TEXT = """\
A BUNDLE FROM A LEDGER OF CONSENT

Organisation: {organisation}
{asked}Contents:
{contents}

To verify it you need Python 3.10 or later and its package cryptography, and no network:

    pip install cryptography
    python verify.py BUNDLE.zip --key KEYS

BUNDLE.zip is the file that this text came in. KEYS is a file with the operator's public keys, one
a line, which you should have from the operator by another way than this bundle. Those that the
bundle was signed with are:

{keys}

Without --key these are believed. That shows that the bundle is whole, and not who made it. Take
verify.py, too, from where you trust it, if you do not trust who gave you this. The answer is
GENUINE (exit code 0), or every damage by its place (1), or that the file cannot be read (3).
If you kept a checkpoint of a log earlier, add --checkpoint FILE: the log here must then begin with
what that one signed.

WHAT IS HERE
{story}  manifest                what this bundle claims to be; a note signed by the key of each log
  keys.txt                the public keys
  logs/LOG/checkpoint     how many entries the log had and the root of its tree, signed
  logs/LOG/checkpoints/   earlier ones, by size; the log grew from each to the next
  logs/LOG/tile/          the hashes that lead from the entries to the root
  logs/LOG/tile/entries/  the entries of a whole log, 256 a file, each after its length (2 bytes)
  logs/LOG/entries.txt    the entries of a part of a log, one a line, after their index
  logs/LOG/heads.jsonl    proof that a person's trail has no later entries, or none at all
  disclosed/LOG.jsonl     what was sealed for those entries, and the salt of its commitment
Formats are public ones: RFC 6962 (hashes) and, at c2sp.org, signed-note, tlog-checkpoint and
tlog-tiles. A log's folder is what those call a log, so that other people's programs read it.
What is withheld says why: erased (the person's data was destroyed), key_destroyed (its time is
over), confidential (it holds what keeps an erased person suppressed), damaged, or not_asked (it
concerns another sender, or was recorded beside the period). The answer counts them.
Files in the archive bear no dates, rights or remarks of their own. Unpacked and packed again it
has the same content, and is not the file that was made: the answer says so.

WHAT IS PROVED, IF IT IS GENUINE
  - The entries stand in the log that was signed, at these places, as they are here.
  - The log was only ever added to, from each checkpoint here to the next.
  - Of a whole log, or a range of it, no entry is missing. That a range is all that was recorded in
    a period is shown by the entries beside it, one earlier and one later, which are not told.
  - Of a person's trail none is missing: each entry names the one before (subject_seq, prev), and
    an entry of type index holds the root over the last entry of every person. The answer says as
    of when: of what was recorded later nothing is proved. Whoever a link says is the same person
    is here, too, and nothing is withheld as erased but of somebody whose erasure is here.
  - What is disclosed is what was recorded: commit is HMAC-SHA-256 of the payload under the salt.
  - trail.jsonl and trail.csv tell these entries and nothing else: verify.py writes them anew.
WHAT IS NOT PROVED
  - That what was recorded was true, or that everything that happened was recorded.
  - When: recorded_at is the operator's clock. A checkpoint kept elsewhere since shows it.
{limits}"""

_STORY = """\
  trail.csv               the story for a spreadsheet: a row an entry, in the order of recording;
                          a cell that begins like a formula has an apostrophe before it
  trail.jsonl             the same for programs: each leaf and what was sealed for it, unchanged
"""
_DOCUMENTS = """\
  report.pdf              the report: the whole story to read or print; read this first
  report.html             the same for a browser
  trail.txt               the story in plain words, without the proofs
  consent-records.jsonld  the consents after ISO/IEC TS 27560, with W3C DPV terms (JSON-LD)
"""
_LIMITS_OF_PERSON = """\
  - That the address is this person's: the operator finds a person by a keyed hash of the address,
    which no log holds. Payloads name the address that each event came for.
  - That no decision is missing which was made while nobody was on record under the address: such
    an entry names no person, and stands in no chain. Those that are here are in the log.
"""
_LIMITS_OF_SENDER = """\
  - That nothing of this sender is withheld as another's: which sender an entry is about is sealed
    in it. How many are withheld shows in disclosed/.
"""


def readme_of(
    manifest: Mapping[str, object], verifiers: Sequence[str], *, whose: str | None = None
) -> str:
    """Write the text. It tells no time, so that the same content gives the same bytes.

    ``whose``: the address that a person's trail was asked for.
    """
    logs, asked = manifest["logs"], manifest["asked"]
    assert isinstance(logs, list), "the manifest lists its logs"
    scope = asked["scope"] if isinstance(asked, dict) else None
    return _TEXT.format(
        organisation=manifest["organisation"],
        asked="" if not isinstance(asked, dict) else f"Asked for: {_asked(asked, logs, whose)}\n",
        contents="\n".join(f"  {_told(log)}" for log in logs),
        keys="\n".join(f"    {known}" for known in verifiers),
        story=("" if scope is None else (_DOCUMENTS if scope == "person" else "") + _STORY),
        limits={"person": _LIMITS_OF_PERSON, "sender": _LIMITS_OF_SENDER}.get(str(scope), ""),
    )


def _asked(
    asked: Mapping[str, object], logs: Sequence[Mapping[str, object]], whose: str | None
) -> str:
    period = ""
    if asked["from"] is not None or asked["to"] is not None:
        period = f", recorded from {asked['from'] or 'the beginning'} until {asked['to'] or 'now'}"
    if asked["scope"] == "sender":
        return f"what concerns the sender {asked['sender']}{period}"
    if asked["scope"] == "period":
        return f"everything{period}"
    said = f"the trail of {whose}"
    if not any(log["subjects"] for log in logs):
        said += (
            "\nNobody is on record under it. When this was asked the logs had the sizes below, and"
            "\nentries here, if any, are of decisions about it, or of its erasure."
        )
    return said


def _told(log: Mapping[str, object]) -> str:
    what = {
        "log": "the whole log {log}, {size} entries",
        "range": "the log {log}, entries {from} until {to} of {size}",
        "trail": "the log {log} of {size} entries: what concerns one person",
    }[str(log["scope"])]
    return what.format(**log) + f" ({log['origin']})"
