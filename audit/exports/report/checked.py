"""What ``verify.py`` said of the evidence that a report tells of, before the report was added."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from audit import verify


@dataclass(frozen=True, slots=True)
class CheckedLog:
    """One log: how many of its ``size`` entries are in the bundle, and what is proved of them.

    ``root``: of the tree that the signed checkpoint names, in base64 as it stands there.
    """

    log: str
    origin: str
    size: int
    entries: int
    disclosed: int
    end_is_proved: bool
    proved_until: int | None
    root: str | None

    @property
    def end(self) -> str:
        """Whether nothing was cut from the end, in words."""
        if not self.end_is_proved:
            return "not proved"
        return f"proved, as of the first {self.proved_until} entries of the log"


@dataclass(frozen=True, slots=True)
class Checked:
    """The verdict: genuine, or each damage in a sentence."""

    damages: tuple[str, ...]
    logs: tuple[CheckedLog, ...]
    keys: tuple[str, ...]

    @property
    def is_genuine(self) -> bool:
        """Whether nothing was found changed, left out or added."""
        return not self.damages


def check(bundle: Path, keys: Sequence[str]) -> Checked:
    """Run the verifier that goes into the bundle. ``keys``: the operator's public keys."""
    trusted = [verify.PublicKey.parse(key) for key in keys]
    result = verify.verify(bundle, trusted)
    logs = []
    for one in result.checks:
        said, root = verify.log_summary(one), one.signed.get(one.size)
        logs.append(
            CheckedLog(
                log=said["log"],
                origin=said["origin"],
                size=said["size"],
                entries=said["entries"],
                disclosed=said["disclosed"],
                end_is_proved=said["end_is_proved"],
                proved_until=said["proved_until"],
                root=None if root is None else base64.b64encode(root).decode(),
            )
        )
    damages = tuple(f"{one.kind}: {one.detail}" for one in result.found.named)
    return Checked(damages, tuple(logs), tuple(str(key) for key in trusted))
