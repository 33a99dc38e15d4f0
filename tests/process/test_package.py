"""The package for MWAA: the same bytes everywhere, nothing in it that does not belong, and it works where it lands."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from jsonschema import Draft7Validator

from demo.airflow_home import REPOSITORY
from deploy import package
from deploy.mwaa_check import CONVERSATIONS, check_home
from deploy.mwaa_environment import ON_MWAA, NotInstalled, find_python, install_ours
from deploy.mwaa_home import run_steps, settings, unpack
from deploy.package import BadPackage, package_files, read_package, write_package
from deploy.sources import SourcesUnclear, is_of_a_known_kind, sources

FOLDERS, FILES = ("plugins", "dags", "include"), ("constraints.txt", "requirements.txt", "pyproject.toml")


def copied(folder: Path) -> Path:
    """Copy what a package is made of, without git, as an archive of a release holds it."""
    for name in FOLDERS:
        for path in _present(name):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / path, folder / path)
    for name in FILES:
        shutil.copyfile(REPOSITORY / name, folder / name)
    return folder


def _present(name: str) -> Iterator[str]:
    """What lies in a folder of this repository, be it tracked yet or not."""
    for path in sorted((REPOSITORY / name).rglob("*")):
        inside = path.relative_to(REPOSITORY)
        if path.is_file() and is_of_a_known_kind(PurePosixPath(inside)):
            yield inside.as_posix()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(tmp_path_factory.mktemp("repository"))


@pytest.fixture(scope="module")
def built(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist") / "dist"
    write_package(repository, folder)
    return folder


def test_two_copies_with_other_times_rights_and_order_of_files_give_the_same_bytes(tmp_path: Path, built: Path) -> None:
    with umask(0o077):
        other = copied(tmp_path / "other")
        for number, path in enumerate(sorted(other.rglob("*"), reverse=True)):
            os.utime(path, (1e9 + number, 1e9 + number))
            path.chmod(0o700 if path.is_dir() or number % 2 else 0o600)
        write_package(other, tmp_path / "dist")

    assert contents(tmp_path / "dist") == contents(built)


def test_the_zip_holds_the_plugins_at_its_top_level_as_they_are_in_the_repository(built: Path) -> None:
    with zipfile.ZipFile(built / "plugins.zip") as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        held = {name: archive.read(name) for name in entries}

    assert {".airflowignore", "chatcensus_plugin.py", "chatcensus/__init__.py"} <= held.keys()
    assert list(entries) == sorted(entries)
    assert held == {name.removeprefix("plugins/"): (REPOSITORY / name).read_bytes() for name in _present("plugins")}
    assert {(entry.date_time, entry.external_attr >> 16) for entry in entries.values()} == {
        ((1980, 1, 1, 0, 0, 0), 0o100644)
    }


def test_the_dag_folder_holds_what_requirements_and_dags_look_for_beside_them(built: Path) -> None:
    requirements = (built / "requirements.txt").read_text()
    [constraints] = re.findall(r'--constraint "/usr/local/airflow/(.+)"', requirements)

    assert (built / constraints).read_bytes() == (REPOSITORY / "constraints.txt").read_bytes()
    assert (built / "dags/.airflowignore").read_text() == "include/\n"
    assert (built / "dags/chat_census.py").read_bytes() == (REPOSITORY / "dags/chat_census.py").read_bytes()
    assert contents(built / "dags/include") == contents(REPOSITORY / "include")


def test_the_manifest_is_of_these_files_and_its_release_of_nothing_else(built: Path, repository: Path) -> None:
    manifest, held = read_package(built)

    assert held == package_files(repository)
    assert manifest["files"].keys() == held.keys()
    assert manifest["files"]["plugins.zip"]["size"] == (built / "plugins.zip").stat().st_size
    changed = package.manifest_of(held | {"dags/chat_census.py": b"# other"}, manifest["version"])
    assert changed["release"] != manifest["release"]
    assert re.fullmatch(r"\d+\.\d+\.\d+-[0-9a-f]{12}", manifest["release"])


def test_the_bill_of_materials_names_every_pin_and_the_vendored_scripts_and_is_valid(built: Path) -> None:
    text = (built / "sbom.cdx.json").read_text()
    bill = json.loads(text)
    pins = set((REPOSITORY / "constraints.txt").read_text().split())
    vendored = {component["purl"] for component in bill["components"] if component["purl"].startswith("pkg:npm/")}

    urls = [each["url"] for one in bill["components"] for each in one.get("externalReferences", [])]

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    for url in urls:  # the lock leaves out what would check the schema's iri-reference
        Draft7Validator.FORMAT_CHECKER.check(url, "uri-reference")
    assert {f"{each['name']}=={each['version']}" for each in bill["components"] if "pypi" in each["purl"]} == pins
    assert {purl.partition("@")[0] for purl in vendored} == {"pkg:npm/echarts", "pkg:npm/zrender"}
    assert "serialNumber" not in bill
    assert "timestamp" not in bill["metadata"]


STRAY = ("plugins/.env", "plugins/chatcensus/.mapping.py.swp", "include/table.yaml~", "dags/__pycache__/a.cpython.pyc")


def test_stray_files_are_not_packed_without_git(tmp_path: Path, built: Path) -> None:
    stray(tmp_path)

    assert package_files(tmp_path) == read_package(built)[1]


def test_in_a_clone_only_what_git_tracks_is_packed_and_the_rest_is_named(
    tmp_path: Path, built: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied(tmp_path)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    stray(tmp_path)
    (tmp_path / "include/gold.yaml").write_text("not added yet")

    assert package_files(tmp_path) == read_package(built)[1]
    assert "left out, because git does not track it: include/gold.yaml" in capsys.readouterr().err


def test_a_clone_that_git_cannot_read_is_refused(tmp_path: Path) -> None:
    copied(tmp_path)
    (tmp_path / ".git").write_text("gitdir: nowhere")

    with pytest.raises(SourcesUnclear, match="git cannot list the files: fatal: not a git repository"):
        package_files(tmp_path)


@pytest.mark.parametrize("is_clone", [True, False])
@pytest.mark.parametrize("link", ["include/prompts/house.yaml", "include/house"])
def test_a_link_is_refused_since_it_would_pack_what_lies_elsewhere(
    tmp_path: Path, link: str, *, is_clone: bool
) -> None:
    outside = tmp_path / "secrets/credentials.yaml"
    outside.parent.mkdir()
    outside.write_text("aws_secret_access_key: made-up")
    repository = copied(tmp_path / "repository")
    (repository / link).symlink_to(outside if link.endswith(".yaml") else outside.parent)
    if is_clone:
        git(repository, "init", "--quiet")
        git(repository, "add", ".")

    # A linked folder is one path to git, and no folder at all to a walk through an archive.
    if is_clone or link.endswith(".yaml"):
        with pytest.raises(SourcesUnclear, match=f"{link} is a link"):
            package_files(repository)
    else:
        assert "credentials" not in str(package_files(repository).keys())


def test_what_is_packed_otherwise_than_git_has_it_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copied(tmp_path)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    (tmp_path / "dags/chat_census.py").write_text("# tried something")
    (tmp_path / "dags/census_doctor.py").unlink()

    files = package_files(tmp_path)

    assert files["dags/chat_census.py"] == b"# tried something"
    assert "dags/census_doctor.py" not in files
    told = capsys.readouterr().err
    assert "packed as it is here, and not as git has it: dags/chat_census.py" in told
    assert "left out, because it is gone here, and not as git has it: dags/census_doctor.py" in told


def test_language_time_zone_and_package_index_of_a_machine_change_nothing(built: Path, repository: Path) -> None:
    program = "import sys; from pathlib import Path; from deploy.package import package_files, manifest_of\n"
    program += "print(manifest_of(package_files(Path(sys.argv[1])), '0')['release'])"
    elsewhere = {
        "LC_ALL": "C",
        "TZ": "Asia/Tokyo",
        "PYTHONHASHSEED": "7",
        "PIP_INDEX_URL": "https://mirror.example.org",
    }
    elsewhere |= {"SOURCE_DATE_EPOCH": "1"}

    done = subprocess.run(
        [sys.executable, "-c", program, str(repository)],
        env={**os.environ, **elsewhere},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == package.manifest_of(read_package(built)[1], "0")["release"]


def stray(folder: Path) -> None:
    if not (folder / "plugins").exists():
        copied(folder)
    for name in STRAY:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("AWS_SECRET_ACCESS_KEY=made-up")


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)


@pytest.mark.parametrize("folder", FOLDERS)
def test_what_git_tracks_is_of_the_kinds_that_are_packed_without_git(folder: str) -> None:
    paths = sources(REPOSITORY, folder)

    assert paths
    assert [path for path in paths if not is_of_a_known_kind(PurePosixPath(path))] == []


def test_a_package_replaces_the_one_before_as_a_whole(repository: Path, tmp_path: Path, built: Path) -> None:
    write_package(repository, tmp_path / "dist")
    (tmp_path / "dist/dags/gone.py").write_text("# of an older package")

    write_package(repository, tmp_path / "dist")

    assert contents(tmp_path / "dist") == contents(built)
    assert [path.name for path in tmp_path.iterdir()] == ["dist"]


def test_a_folder_with_other_files_is_never_replaced(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.odt").write_text("years of work")

    with pytest.raises(BadPackage, match="holds other files"):
        write_package(repository, tmp_path)

    assert (tmp_path / "thesis.odt").read_text() == "years of work"


@pytest.mark.airflow
def test_what_was_packed_judges_conversations_in_an_airflow_that_has_nothing_else(built: Path, tmp_path: Path) -> None:
    home = tmp_path / "airflow"
    unpack(built, home)

    # This environment knows the repository's own plugins, too: those that were unpacked come first.
    image = {"PYTHONPATH": str(home / "plugins")}
    steps = list(check_home(Path(sys.executable), home, tmp_path, image, ["chat_census", "review"]))

    assert [step.note for step in steps if not step.is_good] == []
    assert steps[-1].name == "result"
    assert steps[-1].note.startswith(f"{CONVERSATIONS} of {CONVERSATIONS} conversations judged")


@pytest.mark.airflow
def test_a_package_without_include_is_found_to_fail(built: Path, tmp_path: Path) -> None:
    home = tmp_path / "airflow"
    unpack(built, home)
    shutil.rmtree(home / "dags/include")

    environment = settings(home, "http://127.0.0.1:1") | {"PYTHONPATH": str(home / "plugins")}
    steps = {step.name: step for step in run_steps(Path(sys.executable), home, environment, ["chat_census"])}

    assert not steps["parse"].is_good
    assert "no include/ folder" in steps["parse"].note
    assert "run chat_census" not in steps


@pytest.mark.airflow
@pytest.mark.parametrize(
    ("broken", "content", "step", "note"),
    [
        # Airflow reads no file without these two words.
        ("dags/broken.py", "import airflow  # no dag\nraise SystemExit(0)", "parse", "SystemExit: 0"),
        ("plugins/broken.py", "1 / 0", "plugin", "division by zero"),
    ],
)
def test_a_broken_file_is_named_by_the_step_that_meets_it(
    built: Path, tmp_path: Path, broken: str, content: str, step: str, note: str
) -> None:
    home = tmp_path / "airflow"
    unpack(built, home)
    (home / broken).write_text(content)

    environment = settings(home, "http://127.0.0.1:1") | {"PYTHONPATH": str(home / "plugins")}
    steps = list(run_steps(Path(sys.executable), home, environment, ["chat_census"]))

    assert [each.is_good for each in steps] == [True] * (len(steps) - 1) + [False]
    assert steps[-1].name == step
    assert note in steps[-1].note


@pytest.mark.parametrize(
    ("requirements", "says"),
    [
        ("boto3==1.43.56", "does not name /usr/local/airflow/dags/constraints.txt: MWAA would force"),
        ('--constraint "{place}"\nours @ file:///no-such-wheel.whl', "uv pip install failed: (.|\n)*no-such-wheel"),
    ],
)
def test_requirements_that_mwaa_could_not_install_are_said(tmp_path: Path, requirements: str, says: str) -> None:
    (tmp_path / "constraints.txt").write_text("six==1.17.0\n")
    (tmp_path / "ours.txt").write_text(requirements.format(place=ON_MWAA))

    with pytest.raises(NotInstalled, match=says):
        install_ours(Path(sys.executable), tmp_path, tmp_path / "ours.txt", tmp_path / "constraints.txt")


@pytest.fixture
def only_these(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make a machine that has only the interpreters that a test puts there."""
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setattr("deploy.mwaa_environment.OTHERS", ())

    def put(path: str, script: str) -> Path:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / path).chmod(0o755)
        return tmp_path / path

    return put


def test_a_python_of_pyenv_counts_although_its_shim_does_not_answer(only_these: Any) -> None:
    only_these("bin/python3.12", "echo 'pyenv: python3.12: command not found' >&2; exit 127")
    python = only_these("pyenv/versions/3.12.9/bin/python", 'echo "$0"')

    assert find_python() == (python, "3.12")


def test_a_machine_without_a_python_that_fits_says_which_to_install(only_these: Any) -> None:
    only_these("bin/python3.12", "exit 127")

    with pytest.raises(NotInstalled, match=r"install python3\.12"):
        find_python()
