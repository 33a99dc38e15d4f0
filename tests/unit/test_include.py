import traceback
from pathlib import Path

import pytest
import yaml

from chatcensus.errors import SetupError
from chatcensus.include import _LOADER, include_dir, read_yaml
from chatcensus.mapping import TableMapping
from chatcensus.model_catalog import ModelCatalog
from chatcensus.summaries import Summaries
from chatcensus.taxonomy import Taxonomy
from tests.fakes import INCLUDE

SECRET = "do-not-show-me"
TABLE = "partition_key: id\nturns: turns\nrole: role\ntext: content\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "table.yaml"


def read_wrong(file: Path, content: str | bytes) -> str:
    """Return the message with which *content* is refused."""
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SetupError) as raised:
        read_yaml(file, TableMapping)
    return str(raised.value)


@pytest.mark.parametrize("dag", ["dags/chat_census.py", "chat_census.py"], ids=["repository", "MWAA"])
def test_the_nearest_include_folder_at_or_above_the_dag_is_found(tmp_path: Path, dag: str):
    for folder in ("include", "home/include", "home/dags"):
        (tmp_path / folder).mkdir(parents=True)

    assert include_dir(tmp_path / "home" / dag) == (tmp_path / "home/include").resolve()


def test_a_file_named_include_is_not_the_folder(tmp_path: Path):
    (tmp_path / "include").mkdir()
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags/include").touch()

    assert include_dir(tmp_path / "dags/chat_census.py") == (tmp_path / "include").resolve()


def test_no_include_folder_is_an_error_with_the_remedy(tmp_path: Path):
    with pytest.raises(SetupError, match="upload include/ beside the DAG files"):
        include_dir(tmp_path / "chat_census.py")


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("table.yaml", TableMapping),
        ("prompts/taxonomy.yaml", Taxonomy),
        ("prompts/models.yaml", ModelCatalog),
        ("sql/summaries.yaml", Summaries),
    ],
)
def test_each_file_we_ship_is_valid(path: str, model: type):
    assert isinstance(read_yaml(INCLUDE / path, model), model)


@pytest.mark.parametrize("path", sorted(INCLUDE.rglob("*.yaml")), ids=lambda path: path.name)
def test_libyaml_reads_what_the_reader_in_python_reads(path: Path):
    assert _LOADER is yaml.CSafeLoader
    text = path.read_text(encoding="utf-8")

    assert yaml.load(text, Loader=_LOADER) == yaml.safe_load(text)  # noqa: S506 - it is a safe one


def test_a_missing_file_is_named(file: Path):
    with pytest.raises(SetupError, match=r"table\.yaml: cannot be read \(FileNotFoundError\): check that the file was"):
        read_yaml(file, TableMapping)


def test_a_file_that_is_not_utf_8_is_named(file: Path):
    message = read_wrong(file, "turns: 会話".encode("shift_jis"))

    assert message == f"{file}: cannot be read (UnicodeDecodeError): check that the file was deployed"


def test_a_file_that_is_not_yaml_is_named_with_the_line(file: Path):
    message = read_wrong(file, f"{TABLE}user: [{SECRET}\ncreated_at: x\n")

    assert message == f"{file}: not YAML at line 6: correct the file and deploy it again"


def test_yaml_cannot_make_objects(file: Path):
    assert "not YAML" in read_wrong(file, f"{TABLE}user: !!python/name:os.system\n")


@pytest.mark.parametrize(
    ("content", "named"),
    [
        pytest.param(f"{TABLE}users: {SECRET}\n", ["users: Extra inputs are not permitted"], id="unknown field"),
        pytest.param(f"{TABLE}user: [{SECRET}]\n", ["user: Input should be a valid string"], id="wrong type"),
        pytest.param(f"turns: {SECRET}\nrole: role\ntext: content\n", ["partition_key: Field required"], id="missing"),
        pytest.param(f"turns: ''\nrole: {SECRET}\n", ["partition_key: ", "turns: ", "text: "], id="several"),
        pytest.param("", ["the file: Input should be a valid dictionary"], id="empty file"),
        pytest.param(f"- {SECRET}\n", ["the file: Input should be a valid dictionary"], id="a list"),
        pytest.param(SECRET, ["the file: Input should be a valid dictionary"], id="a text"),
    ],
)
def test_what_is_wrong_is_named_by_file_and_field_and_never_shown(file: Path, content: str, named: list[str]):
    message = read_wrong(file, content)

    assert message.startswith(f"{file}: ")
    assert all(field in message for field in named)
    assert SECRET not in message


def test_a_field_inside_a_list_is_named_by_its_place(file: Path):
    file.write_text(f"models:\n  - model_id: {SECRET}\n    max_tokens: many\n")

    with pytest.raises(SetupError) as raised:
        read_yaml(file, ModelCatalog)

    assert SECRET not in "".join(traceback.format_exception(raised.value))
    assert "models.0.max_tokens: Input should be a valid integer" in str(raised.value)
    assert "models.0.prices: Field required" in str(raised.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(
            f"{TABLE}\nusers: x\n",
            "users: Extra inputs are not permitted (line 6: correct its name or remove it)",
            id="unknown",
        ),
        pytest.param("\nturns: t\nrole: r\ntext: c\n", "partition_key: Field required (line 2: add it)", id="missing"),
        pytest.param(f"{TABLE}user: 7\n", "user: Input should be a valid string (line 5: correct it)", id="type"),
        pytest.param(
            f"{TABLE}created_at:\n  attribute: at\n  form: epoch\n",
            "created_at.form: Input should be 'iso', 'epoch_s' or 'epoch_ms' (line 7: correct it)",
            id="inside",
        ),
        pytest.param(
            f"{TABLE}only:\n- {{attribute: a}}\n- begins_with: b\n",
            "only.1.attribute: Field required (line 7: add it)",
            id="in a list",
        ),
        pytest.param(
            f"{TABLE}partition:\n  strategy: date-index\n  index: i\n  first_day: today\n",
            "partition.date-index.first_day: String should match pattern '^\\d{4}-\\d\\d-\\d\\d$' (line 8: correct it)",
            id="of a strategy",
        ),
        pytest.param(
            f"{TABLE}one_item_is: conversation\nlanguage: evaluation\n",
            "language: the attribute 'evaluation' is the one that the census writes: it cannot be mapped (line 6)",
            id="refused by the mapping",
        ),
        pytest.param(
            "",
            "the file: Input should be a valid dictionary or instance of TableMapping (line 1: correct it)",
            id="empty",
        ),
    ],
)
def test_a_wrong_field_is_named_with_its_line_and_the_remedy(file: Path, content: str, said: str):
    assert read_wrong(file, content) == f"{file}: {said}"
