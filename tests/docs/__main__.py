"""`make docs-commands`: run the heavy commands of the documents in a copy of the repository, and count all of them."""

import sys
import tempfile
import time
from pathlib import Path

from demo.up import free_port
from tests.docs.accounts import ELSEWHERE, is_checked_by_its_model, is_run_here
from tests.docs.pages import PAGES, Command, blocks, commands
from tests.docs.scratch import Failed, environment_of, make_copy, run

PATIENCE_S = 1800


def main() -> int:
    """Run them; 0 when all ended well."""
    failed = 0
    lanes = {told.lane: command for command, told in ELSEWHERE.items() if told.lane}
    port = str(free_port())
    with tempfile.TemporaryDirectory(prefix="chatcensus-docs-") as folder:
        copy = make_copy(Path(folder) / "clone")
        environment = environment_of(copy, "http://127.0.0.1:9") | {"FREE_PORT": port}
        for number, lane in enumerate(lanes):
            since = time.monotonic()
            try:
                run([Command("lane", number, lane)], copy, environment, PATIENCE_S)
                ended = "ok"
            except Failed as problem:
                failed, ended = failed + 1, f"FAILED\n{problem}"
            print(f"{lane}: {ended}, {time.monotonic() - since:.0f} s", flush=True)  # noqa: T201 - it speaks to a person
    print(counted())  # noqa: T201 - as above
    return 1 if failed else 0


def counted() -> str:
    """Return how many commands there are, and where each is run."""
    texts = [command.text for page in PAGES for command in commands(page)]
    here = sum(is_run_here(text) for text in texts)
    modelled = sum(is_checked_by_its_model(text) for text in texts)
    lane = sum(text in ELSEWHERE and ELSEWHERE[text].lane is not None for text in texts)
    other = sum(text in ELSEWHERE and ELSEWHERE[text].lane is None for text in texts)
    docker = sum(block.info == "sh docker" for page in PAGES for block in blocks(page))
    left = len(texts) - here - modelled - lane - other
    return (
        f"{len(texts)} commands in {len(PAGES)} pages: {here} run by the suite, {lane} by make docs-commands, "
        f"{other} by another test or CI, {modelled} held to AWS's own model, {left} not accounted for; "
        f"{docker} blocks for docker are read by tests/unit/test_compose_commands.py."
    )


if __name__ == "__main__":
    sys.exit(main())
