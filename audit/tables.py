"""Tables of what we can prove, beside the logs themselves.

A decision is an entry of the ``decisions`` log under its own id, so the log's index finds it.
What stands here can be deleted when the month's key is destroyed, and nothing is lost then that
the log proves.
"""

from sqlalchemy import Column, Index, MetaData, Table, Text

from consent.ledger.columns import Bytes, Count, Instant

METADATA = MetaData()

# Whom a decision was about, where the person was not on record: a token of the month.
decision_alias = Table(
    "decision_alias",
    METADATA,
    Column("organisation", Text, primary_key=True),
    Column("decision", Bytes, primary_key=True),
    Column("key_version", Count, nullable=False),
    Column("token", Bytes, nullable=False),
    Index("decision_alias_token", "organisation", "token"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# What the sender said became of an allowed message. One word each, and it stands.
sending_report = Table(
    "sending_report",
    METADATA,
    Column("organisation", Text, primary_key=True),
    Column("decision", Bytes, primary_key=True),
    Column("outcome", Text, nullable=False),
    Column("reported_at", Instant, nullable=False),
    # The entry of the consent log that counts in caps; none if the message was not sent.
    Column("event_id", Bytes),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# Exports under way and finished. What was asked for stands here without an address: that lies
# sealed beside it, until the export has ended in one way or another.
export_job = Table(
    "export_job",
    METADATA,
    Column("id", Bytes, primary_key=True),
    Column("organisation", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("asked", Bytes, nullable=False),
    Column("sealed_address", Bytes),
    # Whose trail it is, 16 bytes a person; of other scopes nothing, for everybody may be in them.
    Column("subjects", Bytes, nullable=False),
    Column("asked_at", Instant, nullable=False),
    # Which process does it, and when that was last heard of.
    Column("runner", Text),
    Column("heard_at", Instant),
    Column("attempt_count", Count, nullable=False),
    Column("done_count", Count, nullable=False),
    Column("total_count", Count),
    Column("ended_at", Instant),
    Column("expires_at", Instant),
    Column("file_size", Count),
    Column("file_digest", Text),
    Column("problem", Text),
    Index("export_job_state", "state"),
    Index("export_job_organisation", "organisation", "id"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)
