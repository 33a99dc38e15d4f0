"""`python -m local_aws`: the local AWS as a process of its own."""

import argparse
import json
import logging
import math
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from local_aws.bedrock.openai_model import OpenAiModel
from local_aws.server import LocalAws
from local_aws.settings import REGION, Settings

log = logging.getLogger("local_aws")

_LAST_PORT = 65_535


def main() -> int:
    options = read_arguments()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    stopped = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: stopped.set())
    if options.ready_file:
        options.ready_file.unlink(missing_ok=True)
    try:
        model = OpenAiModel.of_environment(os.environ)
        aws = LocalAws(
            Settings(
                host=options.host,
                port=options.port,
                data=options.data,
                latency_s=options.latency,
                seed=options.seed,
                region=options.region,
                faults=json.loads(options.faults.read_bytes()) if options.faults else {},
            ),
            model=model,
        ).start()
    except (OSError, RuntimeError, ValueError) as error:
        print(error, file=sys.stderr)  # noqa: T201  the one message a person at a terminal gets
        return 1
    if options.ready_file:
        # Renamed into place: whoever sees the file sees the whole address.
        draft = options.ready_file.with_name(options.ready_file.name + ".draft")
        draft.write_text(aws.endpoint_url)
        draft.replace(options.ready_file)
    log.info("local AWS at %s, %s stored changes replayed", aws.endpoint_url, aws.replayed)
    judge = f"{model.name} at {model.url}" if model else "the stand-in, a keyword model and no real one"
    log.info("Bedrock is answered by %s", judge)
    if options.until_stdin_closes:
        threading.Thread(target=_set_at_end_of_stdin, args=(stopped,), daemon=True).start()
    stopped.wait()
    aws.stop()
    return 0


def _set_at_end_of_stdin(stopped: threading.Event) -> None:
    # The descriptor itself: a buffered reader that a thread is waiting in cannot be taken apart at exit.
    while os.read(0, 4096):
        pass
    stopped.set()


def read_arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line, or end the process with what is wrong with them."""
    parser = argparse.ArgumentParser(
        prog="python -m local_aws",
        description=__doc__,
        epilog="LOCAL_MODEL_URL and LOCAL_MODEL_NAME let a real model answer Bedrock; see docs/local-aws.md.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=_port, default=4566, help="0 takes any free port; see --ready-file")
    parser.add_argument("--data", type=Path, help="directory that keeps the state across restarts")
    parser.add_argument("--latency", type=_seconds, default=0.3, help="median seconds of a model call, 0 for none")
    parser.add_argument("--seed", type=int, default=1, help="of latencies and ids: the same one gives the same again")
    parser.add_argument("--region", default=REGION, help="Region of the server's own calls")
    parser.add_argument(
        "--faults", type=Path, help="plan of what goes wrong with model calls: local_aws/bedrock/faults.py"
    )
    parser.add_argument("--ready-file", type=Path, help="gets the address once the server answers")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end with the process that started it")
    return parser.parse_args(given)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"a port is a whole number from 0 to {_LAST_PORT}, not {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"seconds are a number from 0 up, not {text!r}")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
