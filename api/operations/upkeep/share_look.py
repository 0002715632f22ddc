"""A look through a ledger, shared out between processes.

Each has its own connection and key ring, takes the next part when it has done one, and tells what
it finds at once, so that nobody keeps it.
"""

import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

from api.errors import StoreUnavailableError
from api.operations.upkeep.one_state import at_one_state, named, opened_folder
from api.settings import Settings
from consent.fsck.damage import Damage, Progress
from consent.fsck.ledger import Part, inspect_part
from consent.keys.key_ring import KeyRing
from rules.errors import ComplianceError

PROCESSES_MAX = 4
"""Unless more are asked for: another one takes the disk's time from these."""


def processors() -> int:
    """How many processes a look is shared out to by itself."""
    return min(os.cpu_count() or 1, PROCESSES_MAX)


@contextmanager
def look_at(
    settings: Settings, parts: Sequence[Part], processes: int, progress: Progress
) -> Iterator[Iterator[Damage]]:
    """What is found in any part, while ``processes`` look at them.

    They see the database as it is when they begin, which is not before the caller does: a service
    may go on running, and nothing that the caller sees is left out.
    """
    context = multiprocessing.get_context("spawn")  # A fork would share the open database.
    workers: dict[Pipe, BaseProcess] = {}
    try:
        for _ in range(min(processes, len(parts))):
            ours, theirs = context.Pipe()
            begun = context.Process(target=_work, args=(settings, theirs), daemon=True)
            begun.start()
            theirs.close()
            workers[ours] = begun
        yield _all_of(workers, parts, progress)
    finally:
        for pipe, process in workers.items():
            pipe.close()
            process.terminate()
            process.join()


def _all_of(
    workers: Mapping[Pipe, BaseProcess], parts: Sequence[Part], progress: Progress
) -> Iterator[Damage]:
    waiting = iter(parts)
    at_work = {pipe for pipe in workers if _give_next(pipe, waiting)}
    while at_work:
        for pipe in wait(at_work):
            assert isinstance(pipe, Pipe), "nothing else was waited for"
            told = _told(pipe)
            if isinstance(told, int):
                progress(told)
            elif isinstance(told, Damage):
                yield told
            elif not _give_next(pipe, waiting):
                at_work.discard(pipe)


def _give_next(pipe: Pipe, waiting: Iterator[Part]) -> bool:
    """Whether there was another one to be looked at."""
    part = next(waiting, None)
    if part is None:
        return False
    with suppress(OSError):  # Who has ended is not there to take it, but may have said why.
        pipe.send(part)
    return True


def _told(pipe: Pipe) -> int | Damage | None:
    """How many more entries or persons are done, a damage, or that the part is done."""
    try:
        told = pipe.recv()
    except (EOFError, OSError):
        raise StoreUnavailableError(
            "a process that was looking the ledger through has ended"
        ) from None
    if isinstance(told, ComplianceError):
        raise told
    assert told is None or isinstance(told, int | Damage), "a process tells one of these"
    return told


def _work(settings: Settings, pipe: Pipe) -> None:
    """Look at one part after the other, as long as there are any."""
    try:
        folder, url = opened_folder(settings)
        keys = KeyRing.open(folder.root, root=settings.root_key_place())
        with at_one_state(url) as connection:
            while True:
                part = pipe.recv()
                damages = inspect_part(connection, part, keys=keys, progress=pipe.send)
                for damage in named(damages):
                    pipe.send(damage)
                pipe.send(None)
    except ComplianceError as error:
        pipe.send(error)
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        return  # There is no more to do, or nobody who asks.
