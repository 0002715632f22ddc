"""The sample receiver of ``examples``, which is no package, as a module."""

import importlib.util
import sys
from types import ModuleType

from tests.support.project import PROJECT


def the_example() -> ModuleType:
    """Load it."""
    path = PROJECT / "examples/receiver/receiver.py"
    spec = importlib.util.spec_from_file_location("sample_receiver", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["sample_receiver"] = module
    spec.loader.exec_module(module)
    return module


EXAMPLE = the_example()
