"""Where a command's answer goes: tables to people on a terminal, a JSON record a line elsewhere."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

Step = Callable[[int], None]
"""Told how much is done of what a progress bar shows."""


class Exit(IntEnum):
    """What a command's exit code says."""

    DONE = 0
    NO = 1
    WRONG_USE = 2
    FAILED = 3


class Output:
    """Prints for people, or for programs; ``for_people`` says which."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.for_people = not as_json and sys.stdout.isatty()
        # What is printed comes from data, so nothing in it is markup.
        self._console = Console(markup=False, highlight=False, emoji=False)

    def record(self, record: object) -> None:
        """One line of JSON, whoever reads."""
        sys.stdout.write(msgspec.json.encode(record).decode() + "\n")
        sys.stdout.flush()

    def say(self, text: object = "", *, style: str | None = None) -> None:
        """A line or a rich object, for people. A long line is not broken, so it can be copied."""
        self._console.print(text, style=style, soft_wrap=isinstance(text, str | Text))

    def show(self, record: dict[str, object]) -> None:
        """One record: a field a line for people."""
        if not self.for_people:
            self.record(record)
            return
        grid = Table.grid(padding=(0, 2))
        for name, value in record.items():
            grid.add_row(Text(name.replace("_", " "), style="dim"), _worded(value))
        self.say(grid)

    def show_many(self, records: Iterable[dict[str, object]], columns: Sequence[str]) -> None:
        """Many records: a table of ``columns`` for people, all fields for programs."""
        if not self.for_people:
            for record in records:
                self.record(record)
            return
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
        for column in columns:
            table.add_column(column.replace("_", " "), overflow="fold", no_wrap=column == "id")
        for record in records:
            table.add_row(*(_cell(column, record.get(column)) for column in columns))
        self.say(table)

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Step]:
        """A bar for people; nothing for programs."""
        if not self.for_people:
            yield lambda _: None
            return
        columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console, transient=True) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done: bar.update(task, completed=done)


def say_error(text: str) -> None:
    """A line on standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _cell(column: str, value: object) -> str:
    """A cell of a table; of an instant (RFC 3339, in UTC) the minutes are enough there."""
    if column.endswith("_at") and isinstance(value, str):
        return f"{value[:10]} {value[11:16]}Z"
    return _worded(value)


def _worded(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, list | tuple):
        return ", ".join(_worded(item) for item in value)
    return str(value)
