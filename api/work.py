"""What can be put before the writer: the shape of one piece of work, and how urgent it is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any, Protocol, TypeVar, runtime_checkable

from sqlalchemy import Connection

from rules.errors import ComplianceError

R_contra = TypeVar("R_contra", contravariant=True)
A_co = TypeVar("A_co", covariant=True)


class Priority(IntEnum):
    """Who goes first in a turn. Opt-outs (and erasures) are never refused for load."""

    OPT_OUT = 0
    EVENT = 1
    CHECK = 2
    OTHER = 3
    IMPORT = 4


class Work(Protocol[R_contra, A_co]):
    """One thing that the service does to its database.

    One object of it stands for the operation as long as the process lives: requests are
    grouped by the identity of their work, so make one at the start with what it needs.
    ``name`` is a literal of ours, for metrics and logs.
    """

    @property
    def name(self) -> str: ...

    @property
    def priority(self) -> Priority: ...

    def run_many(
        self, connection: Connection, requests: Sequence[R_contra], *, now: datetime
    ) -> Sequence[A_co | ComplianceError]:
        """Answer ``requests``, in their order and with as many answers.

        Runs in the writer's thread and transaction, under a savepoint; never commits.
        ``now`` is UTC and the same for everything in the turn. A request answered by a
        ``ComplianceError`` must have written nothing. Anything raised undoes the whole call;
        the requests are then asked one by one, each under a savepoint of its own.
        """
        ...


@runtime_checkable
class Perishable(Protocol):
    """A work whose answers may lose their hold: it is asked before an answer is given again."""

    def superseded(
        self, connection: Connection, organisation: str, reply: "Reply", *, now: datetime
    ) -> ComplianceError | None:
        """Look at the reply that an idempotency key would give again; None if it still holds.

        A check gives ``DecisionSupersededError`` for an allow that has expired or was overtaken
        by a revocation.
        """
        ...


@dataclass(frozen=True, slots=True)
class Reply:
    """A rendered answer: what goes back over HTTP, byte for byte."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Once:
    """What makes a request answer once: the caller's idempotency key, and how to render.

    ``request_hash`` covers method, path and body. ``render`` turns the operation's answer into
    the reply that is kept, sealed, for 24 hours, in the operation's own transaction.
    """

    key: str
    request_hash: bytes
    render: Callable[[Any], Reply]
