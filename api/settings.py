"""The only reader of environment variables."""

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from api.errors import SettingsError
from consent.keys.providers import RootKeyPlace
from consent.propagation.brokers import Brokers

PREFIX = "CLEARTOSEND_"
LOG_REQUESTS = ("all", "errors", "none")
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator may set; each field is also ``CLEARTOSEND_`` and its name in capitals.

    ``data`` is the folder of keys, registry copies and, by default, the SQLite database.
    ``database_url`` names a PostgreSQL database instead (``postgresql://…``).
    ``vault`` is the folder of the last checkpoints; put it where the database is not, so that
    nobody can put both back to an old copy. ``fsck_tail`` is how many entries of each log are
    looked through at the start.
    ``public_base_url`` is how recipients and providers reach the service behind a proxy; without it
    no links are made for recipients.
    ``log_requests`` chooses which requests get a line in the log: all, errors or none.
    ``root_key`` says where the root key is kept: ``file:`` (in the data folder), ``file:<path>``,
    ``env:<VARIABLE>``, ``aws-kms:<key id>`` or ``vault:<url>/<name>``.
    ``dispatch`` says whether this process carries events to webhooks. ``webhooks_to_loopback`` lets
    them go to this machine, and there without TLS: for development only. ``brokers`` are the NATS
    and Kafka brokers that webhooks may name, a comma between them. ``deliveries_kept_days``: for so
    long deliveries are listed that nothing is worked out from any more.
    ``queue_limit`` is how many requests may wait for the writer before checks get a 503.
    """

    data: Path = Path("data")
    database_url: str | None = None
    vault: Path | None = None
    fsck_tail: int = 1000
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    public_base_url: str | None = None
    log_level: str = "info"
    log_requests: str = "all"
    root_key: str = "file:"
    dispatch: bool = True
    webhooks_to_loopback: bool = False
    brokers: str = ""
    deliveries_kept_days: int = 90
    queue_limit: int = 8192
    reader_threads: int = 4

    @classmethod
    def from_environment(
        cls,
        environ: Mapping[str, str] = os.environ,
        *,
        options: Mapping[str, str | None] | None = None,
    ) -> "Settings":
        """Read the variables that begin with our prefix; one that we do not know is an error.

        ``options`` are settings by name that a command was given: they come before variables,
        where they are not None.
        """
        given: dict[str, str] = {}
        for name, value in environ.items():
            if not name.startswith(PREFIX):
                continue
            field = name.removeprefix(PREFIX).lower()
            if field not in cls.__struct_fields__:
                raise SettingsError(f"{name} is not a setting; see docs/operating.md")
            given[field] = value
        given |= {name: value for name, value in (options or {}).items() if value is not None}
        paths = {name: Path(given.pop(name)) for name in ("data", "vault") if name in given}
        try:
            settings = msgspec.convert(given, cls, strict=False)
        except msgspec.ValidationError as error:
            raise SettingsError(f"a {PREFIX} variable cannot be read: {error}") from None
        return msgspec.structs.replace(settings, **paths).checked()

    def to_environment(self) -> dict[str, str]:
        """The variables that say the same, for processes that are started from this one."""
        return {
            PREFIX + name.upper(): str(value)
            for name in self.__struct_fields__
            if (value := getattr(self, name)) is not None
        }

    @property
    def base_url(self) -> str:
        """How recipients and providers reach the service, without a slash at its end."""
        return (self.public_base_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def deliveries_kept_for(self) -> timedelta:
        """How long deliveries are listed that nothing is worked out from any more."""
        return timedelta(days=self.deliveries_kept_days)

    @property
    def listed_brokers(self) -> Brokers:
        """The brokers that may be published to."""
        try:
            return Brokers([url.strip() for url in self.brokers.split(",") if url.strip()])
        except ValueError as error:
            raise SettingsError(f"brokers: {error}") from None

    def root_key_place(
        self, environ: Mapping[str, str] = os.environ, *, is_next: bool = False
    ) -> RootKeyPlace:
        """Where the root key is kept; ``is_next``: where a new one goes meanwhile."""
        return RootKeyPlace(self.root_key, self.data, environ, is_next=is_next)

    def checked(self) -> "Settings":
        """Refuse combinations that cannot work, before anything is opened."""
        if self.log_requests not in LOG_REQUESTS:
            raise SettingsError(f"log_requests is one of {', '.join(LOG_REQUESTS)}")
        if self.workers > 1 and self.database_url is None:
            raise SettingsError("SQLite takes one process; for several workers set database_url")
        _ = self.listed_brokers
        if self.fsck_tail < 0:
            raise SettingsError("fsck_tail is a number of entries; 0 looks at none")
        if not 1 <= self.deliveries_kept_days <= 36_500:
            raise SettingsError("deliveries_kept_days is between 1 and 36500")
        if self.workers < 1 or self.reader_threads < 1 or self.queue_limit < 1:
            raise SettingsError("workers, reader_threads and queue_limit are at least 1")
        if self.public_base_url is not None and not _is_base_url(self.public_base_url):
            raise SettingsError(
                "public_base_url is https:// and a host, with a path at most;"
                " http:// only for this machine itself"
            )
        if self.database_url is not None and not self.database_url.startswith(
            ("postgresql://", "postgresql+psycopg://")
        ):
            raise SettingsError("database_url begins with postgresql://; SQLite lies in data")
        return self


def _is_base_url(url: str) -> bool:
    """Whether links can begin with it. Mailbox providers ask for HTTPS (RFC 8058)."""
    try:
        parts = urlsplit(url)
        schemes = ("http", "https") if parts.hostname in _THIS_MACHINE else ("https",)
        plain = not (parts.query or parts.fragment or "@" in parts.netloc or parts.port == 0)
    except ValueError:
        return False
    return bool(parts.hostname) and parts.scheme in schemes and plain and url.isascii()
