"""``./dev bench [name]``: list the measurements, or run one."""

import ast
import importlib
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def main(arguments: list[str]) -> int:
    measurements = {
        path.stem: path for path in sorted(FOLDER.glob("*.py")) if not path.stem.startswith("_")
    }
    if not arguments:
        print("./dev bench NAME measures one of:" if measurements else "nothing to measure yet")
        for name, path in measurements.items():
            print(f"  {name:<24} {_first_line(path)}")
        return 0
    name, *rest = arguments
    if name not in measurements:
        print(f"bench: there is no {name}; ./dev bench lists what there is", file=sys.stderr)
        return 2
    sys.argv = [f"./dev bench {name}", *rest]
    importlib.import_module(f"bench.{name}").main()
    return 0


def _first_line(path: Path) -> str:
    """Read a measurement's opening line without importing what it measures."""
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
