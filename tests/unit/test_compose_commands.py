"""Every `docker compose` command that the documents and the compose files show names what there is."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from demo.airflow_home import REPOSITORY
from tests.compose_files import BASE, CELERY, compose

DOCUMENTS = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md"), REPOSITORY / BASE, REPOSITORY / CELERY]
SUBCOMMANDS = {"build", "config", "down", "exec", "logs", "ps", "restart", "run", "stop", "up"}
COMMAND = re.compile(
    r"(?:^|`|#\s+|: )((?:[A-Z_]+=\S+ )*)docker compose ((?:-f \S+ )*)([a-z]+\b[^`\n|,]*)", re.MULTILINE
)


def commands_of(path: Path) -> Iterator[re.Match[str]]:
    """Yield the commands of a document: those in blocks and between backticks; of a compose file, those in comments."""
    text = path.read_text()
    if path.suffix == ".md":
        blocks = re.findall(r"^ *```sh[^\n]*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
        text = "\n".join([*blocks, *re.findall(r"`[^`\n]+`", text)])
    yield from COMMAND.finditer(text)


def test_every_docker_compose_command_in_the_documents_names_what_is_there() -> None:
    known = set(re.findall(r"\$\{(\w+)", "".join((REPOSITORY / name).read_text() for name in (BASE, CELERY))))
    commands = [(path.name, command) for path in DOCUMENTS for command in commands_of(path)]
    assert {"docker-compose.md", BASE, CELERY} <= {name for name, _ in commands}

    for name, command in commands:
        variables, files, rest = command.groups()
        files = files.replace("-f ", "").split() or [BASE]
        assert {variable.partition("=")[0] for variable in variables.split()} <= known, (name, command[0])
        assert set(files) <= {BASE, CELERY}, (name, command[0])
        subcommand, *words = shlex.split(rest)
        assert subcommand in SUBCOMMANDS, (name, command[0])
        named = [word.partition("=")[0] for word in words if not word.startswith("-")]
        if subcommand in {"exec", "run"}:
            named = named[:1]  # what follows is the command
        assert set(named) <= set(compose(*files)["services"]), (name, command[0])
