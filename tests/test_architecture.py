"""The house stands as docs/conventions.md says: who may import whom, who may print, what `import motionseg` loads."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import motionseg
from motionseg.core import catalog

PACKAGE = Path(motionseg.__file__).parent
ROOMS = {"background", "camera", "flow", "cluster", "fuse", "regions", "refine", "track", "events", "metrics", "viz"}
ROOMS |= {"io"}
MAY_IMPORT = {
    "core": set(),
    **{room: {"core"} for room in ROOMS},
    "datasets": {"core", "io"},
    "pipeline": {"core", "datasets", *ROOMS},
    "testing": {"core", "background", "camera", "cluster", "flow", "track"},
    "apps": {"core", "datasets", "pipeline", "testing", *ROOMS},
}
FILES = sorted(PACKAGE.rglob("*.py"))


def floor(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path):
    """(line, module) of every import of a file, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def name(path):
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", FILES, ids=name)
def test_imports_go_down_only(path):
    here = floor(path)
    if here in {"__init__", "__main__"}:
        return
    assert here in MAY_IMPORT, f"{here} has no place in the house"
    for line, module in imports(path):
        parts = module.split(".")
        if parts[0] == "motionseg":
            target = parts[1] if len(parts) > 1 else "__init__"
            allowed = MAY_IMPORT[here] | {here} | ({"__init__"} if here == "apps" else set())
            assert target in allowed, f"{name(path)}:{line}: {here} imports {target}"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_heavy_libraries_have_one_door(path):
    for line, module in imports(path):
        library = module.split(".")[0]
        if library in {"torch", "torchvision", "kornia"}:
            allowed = floor(path) == "refine" or name(path) == "flow/raft.py"  # rooms do not share base classes
            assert allowed, f"{name(path)}:{line}: {library} belongs to refine/"
        if library == "numba":
            assert name(path) == "core/jit.py", f"{name(path)}:{line}: numba belongs to core/jit.py"
        if library == "av":
            assert floor(path) in {"io", "apps"}, f"{name(path)}:{line}: PyAV belongs to io/"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_nobody_below_the_roof_prints_or_exits(path):
    if floor(path) == "apps":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"print", "sys.exit", "exit", "quit"}, f"{name(path)}:{node.lineno}: {called}()"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_files_stay_short(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= 500, f"{name(path)} has {lines} lines"


def test_no_circles():
    """Files import one another in an order: each is importable first, in a fresh interpreter."""
    graph = {}
    for path in FILES:
        module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        top = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
        graph[module] = {node.module for node in top if (node.module or "").startswith("motionseg.")}
    done: set[str] = set()

    def visit(module, path):
        assert module not in path, " -> ".join([*path, module])
        if module not in done:
            for target in graph.get(module, ()):
                visit(target, [*path, module])
            done.add(module)

    for module in graph:
        visit(module, [])


def test_import_is_light():
    heavy = "('numba', 'cv2', 'sklearn', 'torch', 'scipy', 'av')"
    code = f"import motionseg, sys; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_public_name_resolves():
    for attribute in motionseg.__all__:
        assert getattr(motionseg, attribute) is not None
    rooms = (
        "background",
        "camera",
        "cluster",
        "fuse",
        "regions",
        "track",
        "events",
        "pipeline",
        "io",
        "viz",
        "datasets",
    )
    for room in (*rooms, "metrics", "testing"):
        module = getattr(motionseg, room)
        for attribute in dir(module):
            assert getattr(module, attribute) is not None, f"{room}.{attribute}"


@pytest.mark.parametrize("room", ["background", "camera", "cluster", "track", "datasets"])
def test_the_room_and_its_files_agree(room):
    package = getattr(motionseg, room)
    for algorithm in catalog.names(room):
        cls = catalog.find(room, algorithm)
        assert getattr(package, cls.__name__) is cls
        assert cls.__name__ in dir(package)


def test_public_things_have_docstrings():
    for path in FILES:
        if floor(path) == "apps" or (path.name.startswith("_") and path.name != "__init__.py"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert ast.get_docstring(tree), f"{name(path)} has no docstring"
        exported = next((ast.literal_eval(n.value) for n in tree.body if isinstance(n, ast.Assign)
                         and ast.unparse(n.targets[0]) == "__all__" and isinstance(n.value, ast.List)), [])  # fmt: skip
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name in exported:
                assert ast.get_docstring(node), f"{name(path)}: {node.name} has no docstring"
