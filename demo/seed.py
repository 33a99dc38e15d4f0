"""Create the stack and load conversations into it, for `make up` and the `seed` service of docker-compose.yaml."""

import argparse
import sys
from pathlib import Path

from demo.load import UnreadableFile, load_conversations, read_conversations


def seed(endpoint_url: str, data: str) -> int:
    """
    Load the conversations of the file *data*, or the shipped ones when it is empty, and return how many are new.

    Raises: UnreadableFile. A bad line is reported by its number and passed over.
    """
    if not data:
        return load_conversations(endpoint_url)
    loaded = read_conversations(Path(data))
    for number, problem in loaded.bad_lines[:20]:
        print(f"line {number}: {problem}")
    if loaded.bad_lines:
        print(f"{len(loaded.bad_lines)} lines hold no conversation and are passed over.")
    return load_conversations(endpoint_url, loaded.conversations)


def main() -> None:
    """Load them and say how many, or why not."""
    parser = argparse.ArgumentParser(prog="demo.seed", description=__doc__)
    parser.add_argument("endpoint_url", help="of the local AWS")
    parser.add_argument("data", nargs="?", default="", help="a file as docs/conversations-file.md describes it")
    options = parser.parse_args()
    try:
        print(f"{seed(options.endpoint_url, options.data)} conversations loaded.")
    except UnreadableFile as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
