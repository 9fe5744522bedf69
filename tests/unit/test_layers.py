"""The house's floors: each package of ``src`` imports only from those below it, and no import runs in a circle."""

import ast
from collections import defaultdict
from pathlib import Path

SRC = Path(__file__).parents[2] / "src"
LAYERS = (
    "errors",
    "data",
    "tinyworld",
    "execution",
    "profiles",
    "pretrained",
    "diffusion",
    "tracking",
    "training",
    "sources",
    "judging",
    "curation",
    "synthesis",
    "editors",
    "evaluation",
    "lineage",
    "pretraining",
    "claims",
    "retraining",
    "cli",
    "__main__",
)
"""From the lowest to the highest."""
PLANNED = ("synthesis", "editors/families")
"""Folders whose sub-folders are rooms of one plan: a ``config.py`` in each means the same thing in each."""
SUBJECTS = (
    "claims/rows", "cli", "data/exchange", "evaluation/benchmarks", "pretrained", "pretraining/recipes",
    "tinyworld/tasks",
)  # fmt: skip
"""Folders whose files are named after what each is about: a role, a benchmark, a format, a group of commands."""


def modules() -> dict[str, Path]:
    """Return dotted name -> file of everything in ``src/editfoundry``."""
    found = {}
    for path in (SRC / "editfoundry").rglob("*.py"):
        parts = path.relative_to(SRC).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(known: dict[str, Path], for_types: bool = True) -> dict[str, set[str]]:
    """Return module -> the modules of this package that it imports anywhere, within functions too.

    ``for_types``: whether those under ``if TYPE_CHECKING`` count, which nothing runs.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for name, path in known.items():
        tree = ast.parse(path.read_text())
        if not for_types:
            tree.body = [node for node in tree.body if not (isinstance(node, ast.If) and _is_for_types(node))]
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("editfoundry"):
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    found[name].add(inner if inner in known else str(node.module))
            elif isinstance(node, ast.Import):
                found[name] |= {alias.name for alias in node.names if alias.name in known}
    return found


def _is_for_types(node: ast.If) -> bool:
    return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def layer(module: str) -> str:
    """Return the package that a module belongs to."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "editfoundry"


def test_every_package_has_its_layer() -> None:
    packages = {layer(name) for name in modules()} - {"editfoundry", "embedded"}
    assert packages == set(LAYERS)


def test_no_package_imports_from_one_above_it() -> None:
    known = modules()
    wrong = [
        f"{name} -> {target}"
        for name, targets in imports(known).items()
        for target in targets
        if layer(name) in LAYERS and layer(target) in LAYERS and LAYERS.index(layer(name)) < LAYERS.index(layer(target))
    ]
    assert not wrong, "\n".join(sorted(wrong))


def test_no_imports_run_in_a_circle() -> None:
    graph = imports(modules(), for_types=False)
    done: set[str] = set()

    def visit(name: str, way: list[str]) -> None:
        if name in way:
            raise AssertionError(" -> ".join([*way[way.index(name) :], name]))
        if name not in done:
            for target in sorted(graph.get(name, ())):
                # A package's __init__ that gathers its own modules is no circle.
                if not (name.startswith(f"{target}.") or target == name):
                    visit(target, [*way, name])
            done.add(name)

    for name in sorted(graph):
        visit(name, [])


def test_src_imports_no_dagster() -> None:
    for path in modules().values():
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] == "dagster"], path


def test_a_name_stands_for_one_thing() -> None:
    """No two public classes share a name, and no two files but in the rooms of one plan."""
    classes: dict[str, list[str]] = defaultdict(list)
    files: dict[str, list[str]] = defaultdict(list)
    for name, path in modules().items():
        place = path.relative_to(SRC / "editfoundry").as_posix()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                classes[node.name].append(name)
        folder = place.rpartition("/")[0]
        is_room = folder in SUBJECTS or any(folder.startswith(f"{plan}/") for plan in PLANNED)
        if path.name not in ("__init__.py", "__main__.py") and not is_room:
            files[path.name].append(place)
    twice = {n: where for n, where in {**classes, **files}.items() if len(where) > 1}
    assert not twice, twice
