"""README.txt of a bundle: how to verify it, and what lies where, for who never saw the product."""

from collections.abc import Mapping, Sequence

_TEXT = """\
A BUNDLE FROM A LEDGER OF CONSENT

Organisation: {organisation}
Contents:
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

WHAT IS HERE
  manifest                what this bundle claims to be; a note signed by the key of each log
  keys.txt                the public keys
  logs/LOG/checkpoint     how many entries the log had and the root of its tree, signed
  logs/LOG/checkpoints/   earlier ones, by size; the log grew from each to the next
  logs/LOG/tile/          the hashes that lead from the entries to the root
  logs/LOG/tile/entries/  the entries of a whole log, 256 a file, each after its length (2 bytes)
  logs/LOG/entries.txt    the entries of a part of a log, one a line, after their index
  logs/LOG/heads.jsonl    proof that a person's trail has no later entries
  disclosed/LOG.jsonl     what was sealed for those entries, and the salt of its commitment
Formats are public ones: RFC 6962 (hashes) and, at c2sp.org, signed-note, tlog-checkpoint and
tlog-tiles. A log's folder is what those call a log, so that other people's programs read it.

WHAT IS PROVED, IF IT IS GENUINE
  - The entries stand in the log that was signed, at these places, as they are here.
  - The log was only ever added to, from each checkpoint here to the next.
  - Of a whole log, or a range of it, no entry is missing.
  - Of a person's trail none is missing: each entry names the one before (subject_seq, prev), and
    an entry of type index holds the root over the last entry of every person.
  - What is disclosed is what was recorded: commit is HMAC-SHA-256 of the payload under the salt.
WHAT IS NOT PROVED
  - That what was recorded was true, or that everything that happened was recorded.
  - When: recorded_at is the operator's clock. A checkpoint kept elsewhere since shows it.
"""


def readme_of(manifest: Mapping[str, object], verifiers: Sequence[str]) -> str:
    """Write the text. It tells no time, so that the same content gives the same bytes."""
    logs = manifest["logs"]
    assert isinstance(logs, list), "the manifest lists its logs"
    return _TEXT.format(
        organisation=manifest["organisation"],
        contents="\n".join(f"  {_told(log)}" for log in logs),
        keys="\n".join(f"    {known}" for known in verifiers),
    )


def _told(log: Mapping[str, object]) -> str:
    what = {
        "log": "the whole log {log}, {size} entries",
        "range": "the log {log}, entries {from} until {to} of {size}",
        "trail": "the log {log} of {size} entries: what concerns one person",
    }[str(log["scope"])]
    return what.format(**log) + f" ({log['origin']})"
