"""Who may import whom: what runs without Airflow and AWS stays so, and nothing is kept that nobody uses."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS, DAGS, INCLUDE = ROOT / "plugins", ROOT / "dags", ROOT / "include"
LIBRARY = PLUGINS / "chatcensus"
KNOWS_AIRFLOW = ("operators", "dashboard")
# Of several operators.
HELPERS = {f"chatcensus.operators.{name}" for name in ("aws_client", "secret", "lineage", "run_link", "taxonomy_task")}
HELPERS |= {f"chatcensus.commands.{name}" for name in ("options", "terminal")}  # of several commands

SOURCES = sorted([*PLUGINS.rglob("*.py"), *DAGS.rglob("*.py")])
COMMAND_LIST = LIBRARY / "__main__.py"
PURE = sorted(path for path in LIBRARY.glob("*.py") if path.stem != "__init__" and path != COMMAND_LIST)
COMMANDS = sorted(path for path in (LIBRARY / "commands").glob("*.py") if path.stem != "__init__")
ADAPTERS = sorted((LIBRARY / "aws").glob("*.py"))
STANDARD = sys.stdlib_module_names


def module_name(path: Path) -> str:
    """The name by which *path* is imported."""
    parts = path.relative_to(PLUGINS if path.is_relative_to(PLUGINS) else DAGS).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path, *, only_for_types: bool = False) -> set[str]:
    """The modules that *path* imports when it runs, or those that only its type checker needs."""
    return set(_imports(ast.parse(path.read_text(encoding="utf-8")), only_for_types))


def _imports(node: ast.AST, only_for_types: bool) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            yield from (name for inner in child.body if only_for_types for name in _imports_of(inner))
        elif isinstance(child, ast.Import | ast.ImportFrom):
            yield from () if only_for_types else _imports_of(child)
        else:
            yield from _imports(child, only_for_types)


def _imports_of(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        assert node.module
        yield from {f"{node.module}.{alias.name}" for alias in node.names} & MODULES or {node.module}


def package(name: str) -> str:
    return name.partition(".")[0]


MODULES = {module_name(path) for path in SOURCES}
PURE_NAMES = {module_name(path) for path in PURE}
each_pure = pytest.mark.parametrize("path", PURE, ids=[path.stem for path in PURE])
each_adapter = pytest.mark.parametrize("path", ADAPTERS, ids=[path.stem for path in ADAPTERS])


@each_pure
def test_a_pure_module_imports_the_standard_library_pydantic_and_pure_modules(path: Path):
    its_own = {"include": {"yaml"}, "price_refresh": {"yaml"}, "instructions": {"jinja2"}}.get(path.stem, set())
    foreign = {"pydantic", "pydantic_core"} | its_own

    for name in imported(path) | imported(path, only_for_types=True):
        assert name in PURE_NAMES or package(name) in STANDARD | foreign, name


@each_adapter
def test_an_adapter_imports_pure_modules_adapters_and_boto3(path: Path):
    ours = PURE_NAMES | {module_name(other) for other in ADAPTERS}
    for name in imported(path):
        assert name in ours or package(name) in STANDARD | {"boto3", "botocore"}, name
    for name in imported(path, only_for_types=True):
        assert name.startswith("mypy_boto3_"), name


@pytest.mark.parametrize("path", [*COMMANDS, COMMAND_LIST], ids=lambda path: path.stem)
def test_a_command_imports_what_runs_without_airflow(path: Path):
    ours = PURE_NAMES | {module_name(other) for other in [*ADAPTERS, *COMMANDS]}
    for name in imported(path):
        foreign = {"boto3", "botocore", "rich", "typer", *({"genai_prices"} if path.stem == "models" else ())}
        assert name in ours or package(name) in STANDARD | foreign, name


def modules_after_importing(paths: list[Path]) -> set[str]:
    """The packages that a fresh interpreter holds after it has imported *paths*."""
    statement = "; ".join(f"import {module_name(path)}" for path in paths)
    program = f"import sys; sys.path.insert(0, {str(PLUGINS)!r}); {statement}; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return {package(name) for name in ended.stdout.split()}


def test_the_pure_modules_run_where_there_is_neither_airflow_nor_boto3():
    held = modules_after_importing(PURE)

    assert "chatcensus" in held
    assert not held & {"airflow", "boto3", "botocore"}


def test_the_adapters_run_where_there_is_no_airflow():
    held = modules_after_importing(ADAPTERS)

    assert "botocore" in held
    assert "airflow" not in held


def test_only_operators_dashboard_plugin_and_dags_know_airflow():
    may = {path for folder in KNOWS_AIRFLOW for path in (LIBRARY / folder).rglob("*.py")}
    may |= {PLUGINS / "chatcensus_plugin.py", *DAGS.rglob("*.py")}

    know = {path for path in SOURCES if "airflow" in {package(name) for name in imported(path)}}

    assert know
    assert know <= may


def test_nothing_imports_upward():
    order = ["pure", "aws", "census", "commands", "__main__", "dashboard", "operators", "dags"]
    allowed_beside = {"pure", "aws", "dashboard"}

    for path in SOURCES:
        for name in imported(path) & {module_name(source) for source in SOURCES}:
            above, below = order.index(layer(module_name(path))), order.index(layer(name))
            is_helper = name in HELPERS or path.stem == "__init__"
            assert below < above or (below == above and (order[above] in allowed_beside or is_helper)), (
                f"{path} → {name}"
            )


def layer(name: str) -> str:
    """The layer that a module of ours belongs to."""
    if package(name) != "chatcensus":
        return "dags"
    if name == "chatcensus.census":
        return "census"
    return "pure" if name in PURE_NAMES or name == "chatcensus" else name.split(".")[1]


def test_production_code_does_not_know_whether_its_aws_is_real():
    for path in SOURCES:
        assert not {package(name) for name in imported(path)} & {"local_aws", "demo", "tests"}, path


def test_no_module_has_the_name_of_a_standard_one():
    names = {path.stem for path in PLUGINS.rglob("*.py")} | {path.name for path in PLUGINS.rglob("*") if path.is_dir()}

    assert not names & STANDARD


def test_the_plugin_manager_does_not_run_the_library():
    assert (PLUGINS / ".airflowignore").read_text().split() == ["chatcensus/"]


def test_every_module_of_the_library_is_imported_by_another():
    used = set().union(*(imported(path) for path in SOURCES))
    modules = {module_name(path) for path in LIBRARY.rglob("*.py") if path.stem not in ("__init__", "__main__")}

    assert modules - used == set()


def test_every_file_of_include_is_named_by_a_dag_or_the_library():
    code = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)

    for path in (path for path in INCLUDE.rglob("*") if path.is_file()):
        name = path.relative_to(INCLUDE).as_posix()
        folder = f"{path.parent.relative_to(INCLUDE).as_posix()}/*{path.suffix}"
        assert name in code or folder in code, f"nothing reads include/{name}"
