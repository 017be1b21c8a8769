"""The import rules of design section 11, read from the source."""

import ast
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "huidu"

# Which of our packages each package may import, beside itself. `wire` names the concrete adapters.
ALLOWED = {
    "core": set(),
    "ports": {"core"},
    "yaml_file": {"core"},
    "settings": {"core", "yaml_file"},
    "files": {"core"},
    "unix_http": set(),
    "owner": {"core", "files"},
    "settings_changes": {"core", "settings"},
    "adapters": {"core", "ports", "files", "unix_http"},
    "recognition": {"core", "ports"},
    "evaluation": {"core", "ports", "files"},
    "control": {"core", "ports", "evaluation"},
    "client": set(),
    "wire": {
        "core",
        "ports",
        "owner",
        "settings",
        "settings_changes",
        "adapters",
        "recognition",
        "evaluation",
        "control",
    },
    "cli": {
        "core",
        "files",
        "unix_http",
        "owner",
        "ports",
        "settings",
        "settings_changes",
        "wire",
        "evaluation",
        "control",
        "recognition",
        "demo",
        "adapters",
    },
    "demo": {"core", "cli", "owner"},
    "__main__": {"cli"},
    "__init__": set(),
}
CORE_LIBRARIES = {"numpy", "rapidfuzz", "opencc", "sacrebleu"}
NOT_PURE = {"time", "random", "secrets", "os", "socket", "threading", "subprocess", "asyncio", "logging"}


def modules() -> list[Path]:
    return [path for path in sorted(SOURCE.rglob("*.py")) if not path.name.endswith(("_test.py", "conftest.py"))]


def imported(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [f"{node.module}.{alias.name}" if node.module == "huidu" else node.module for alias in node.names]
    return found


def package(path: Path) -> str:
    return path.relative_to(SOURCE).with_suffix("").parts[0]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_imports_only_what_its_package_may(path: Path) -> None:
    mine = package(path)
    for name in imported(path):
        if name.startswith("huidu."):
            theirs = name.split(".")[1]
            assert theirs == mine or theirs in ALLOWED[mine] or theirs == "__version__", f"{mine} imports {name}"


@pytest.mark.parametrize("path", [p for p in modules() if package(p) == "adapters"], ids=lambda p: p.stem)
def test_adapters_never_import_each_other(path: Path) -> None:
    mine = path.relative_to(SOURCE).parts[1]
    for name in imported(path):
        if name.startswith("huidu.adapters."):
            assert name.split(".")[2] == mine, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", [p for p in modules() if package(p) == "core"], ids=lambda p: p.stem)
def test_the_core_is_pure(path: Path) -> None:
    for name in imported(path):
        top = name.split(".")[0]
        assert top == "huidu" or top in CORE_LIBRARIES or top in sys.stdlib_module_names, f"core imports {name}"
        assert top not in NOT_PURE, f"core imports {name}: time, chance and the machine come in as arguments"


def test_only_wire_names_concrete_adapters() -> None:
    # The command line may use the parts that lay out processes and swap files: they are no choice of adapter.
    lent = {"huidu.adapters.gateways.folder", "huidu.adapters.gateways.installed"}
    lent |= {"huidu.adapters.gateways.tokens", "huidu.adapters.runtimes.supervisor"}
    lent |= {"huidu.adapters.runtimes.instance", "huidu.adapters.store.database"}
    lent |= {"huidu.adapters.store.importing", "huidu.adapters.testsets.sound", "huidu.adapters.report.html"}
    lent |= {"huidu.adapters.report.hypotheses_csv", "huidu.adapters.store.observed"}
    lent |= {"huidu.adapters.store.deleting"}
    for path in modules():
        if package(path) in ("adapters", "wire"):
            continue
        named = {name for name in imported(path) if name.startswith("huidu.adapters.")}
        assert named <= lent, f"{path.relative_to(SOURCE)} imports {named - lent}"


def test_there_are_no_cycles() -> None:
    order: dict[str, set[str]] = {}
    for path in modules():
        name = ".".join(("huidu", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")
        tree = ast.parse(path.read_text())
        top = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module]
        order[name] = {node.module for node in top if node.module and node.module.startswith("huidu.")}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"cycle: {' → '.join((*trail, name))}"
        if name not in done:
            for other in order.get(name, set()):
                visit(other, (*trail, name))
            done.add(name)

    for name in order:
        # Commands register themselves on the application, which imports them last.
        if not name.startswith("huidu.cli"):
            visit(name, ())
