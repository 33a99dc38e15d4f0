"""Publishers that are killed anywhere, that meet one another, and readers who watch: all old or all new, never back."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any

import boto3
import pytest

from chatcensus.aws.athena import Athena
from chatcensus.aws.editions import CURRENT
from tests.aws.edition_files import BUCKET, DATABASE, SUMMARIES, Shelf, edition, is_whole, seen_in_files, seen_in_views
from tests.process.publisher import dying_shelf

REPOSITORY = Path(__file__).parents[2]
PUBLISHES, READS, VIEW_READS = 50, 1_000, 100


class Killed(BaseException):
    """The end of a publisher."""


@pytest.fixture
def shelf(athena):
    clients = boto3.session.Session()
    shelf = Shelf(clients.client("glue"), clients.client("s3"))
    shelf.editions.prepare(SUMMARIES, athena)
    return shelf


@pytest.fixture
def athena(local_aws):
    local_aws.create_stack()
    return Athena(boto3.session.Session().client("athena"), DATABASE, "chatcensus", sleep=lambda _: time.sleep(0.03))


def _calls_of_a_publish(shelf: Shelf) -> int:
    """Publish the first edition, and return how many calls a publish makes."""
    prefixes = shelf.write(edition(1))
    counting, calls = dying_shelf(shelf.glue, shelf.s3, 0, "never", None)
    counting.publish(edition(1), None, prefixes)
    return len(calls)


def _kill() -> None:
    raise Killed


def test_a_publisher_killed_before_or_after_any_call_leaves_all_old_or_all_new_and_a_rerun_completes(
    shelf, athena, record_testsuite_property
):
    steps = [(n, moment) for n in range(1, _calls_of_a_publish(shelf) + 1) for moment in ("before", "after")]
    for hour, (number, moment) in enumerate(steps, 2):
        old, new = edition(hour - 1), edition(hour)
        prefixes = shelf.write(new)
        dying, calls = dying_shelf(shelf.glue, shelf.s3, number, moment, _kill)

        with pytest.raises(Killed):
            dying.publish(new, old.id, prefixes)
        seen = [seen_in_views(athena), seen_in_files(shelf.s3)]

        step = f"{moment} call {number}, {calls[-1]}"
        assert all(map(is_whole, seen)), step
        assert {rows[0][0] for rows in seen} <= {old.id, new.id}, step
        assert shelf.publish(new, old.id, prefixes), step
        assert shelf.editions.published().edition == seen_in_files(shelf.s3)[0][0] == new.id, step
    record_testsuite_property("kills", len(steps))


def test_a_process_that_ends_around_the_switch_leaves_all_old_or_all_new_and_a_rerun_completes(
    local_aws, shelf, athena
):
    last = _calls_of_a_publish(shelf)
    for hour, (number, moment) in enumerate([(last - 3, "before"), (last - 3, "after"), (last, "before")], 2):
        old, new = edition(hour - 1), edition(hour)
        command = [
            sys.executable,
            "-m",
            "tests.process.publisher",
            local_aws.endpoint_url,
            hour,
            old.id,
            number,
            moment,
        ]
        paths = f"{REPOSITORY / 'plugins'}{os.pathsep}{REPOSITORY}"
        ended = subprocess.run(list(map(str, command)), cwd=REPOSITORY, env=os.environ | {"PYTHONPATH": paths})

        views, files = seen_in_views(athena), seen_in_files(shelf.s3)

        assert ended.returncode == 9
        assert is_whole(views)
        assert is_whole(files)
        assert views[0][0] == (old.id if (number, moment) == (last - 3, "before") else new.id)
        assert files[0][0] == old.id
        assert shelf.publish(new, old.id, shelf.write(new))
        assert seen_in_files(shelf.s3)[0][0] == new.id


@contextmanager
def _watching(*looks: Callable[[], Any]) -> Iterator[list[list[Any]]]:
    """Repeat each look in a thread of its own until the block is left, and give what each has seen."""
    is_over, seen = threading.Event(), [[] for _ in looks]

    def watch(look: Callable[[], Any], found: list[Any]) -> None:
        while not is_over.is_set():
            found.append(look())

    with ThreadPoolExecutor(len(looks)) as pool:
        watchers = [pool.submit(watch, look, found) for look, found in zip(looks, seen, strict=True)]
        try:
            yield seen
        finally:
            is_over.set()
            for watcher in watchers:
                watcher.result()


def _publish_until_told(shelf: Shelf, made: Any, prefixes: dict[str, str], start: threading.Barrier) -> None:
    """Publish as runs do one after the other: again while another edition comes between, until a newer one is shown."""
    start.wait()
    while (shown := shelf.editions.published()) is None or shown.time <= made.time:
        if shelf.publish(made, shown and shown.edition, prefixes):
            return


def test_whoever_publishes_at_once_and_in_whatever_order_the_shown_export_never_goes_back(
    shelf, record_testsuite_property
):
    first = edition(1)
    shelf.publish(first, None, shelf.write(first))
    published, named = (lambda: shelf.editions.published().export_time), (lambda: _current(shelf)["export_time"])

    with _watching(published, named) as (seen_published, seen_named):
        for lap, order in enumerate(permutations((1, 2, 3))):
            editions = [edition(3 * lap + hour, suffix) for hour in order for suffix in "ab"]
            start = threading.Barrier(len(editions))
            prefixes = [shelf.write(made) for made in editions]
            with ThreadPoolExecutor(len(editions)) as pool:
                for done in [
                    pool.submit(_publish_until_told, shelf, made, where, start)
                    for made, where in zip(editions, prefixes, strict=True)
                ]:
                    done.result()

            newest = edition(3 * lap + 3)
            assert shelf.editions.published().export_id == newest.export_id
            assert _current(shelf)["edition"] == shelf.editions.published().edition

    assert seen_published == sorted(seen_published)
    assert seen_named == sorted(seen_named)
    record_testsuite_property("looks", len(seen_published) + len(seen_named))


def _current(shelf: Shelf) -> dict[str, Any]:
    return json.loads(shelf.s3.get_object(Bucket=BUCKET, Key=CURRENT)["Body"].read())


def test_of_a_thousand_reads_during_fifty_publishes_none_is_mixed(shelf, athena, record_testsuite_property):
    editions = [edition(hour) for hour in range(PUBLISHES + 1)]
    prefixes = {made.id: shelf.write(made) for made in editions}
    shelf.publish(editions[0], None, prefixes[editions[0].id])

    with _watching(lambda: seen_in_views(athena), lambda: seen_in_files(shelf.s3)) as (views, files):
        for number, (old, new) in enumerate(pairwise(editions), 1):
            assert shelf.publish(new, old.id, prefixes[new.id])
            share = number / PUBLISHES
            while len(views) < VIEW_READS * share or len(views) + len(files) < READS * share:
                time.sleep(0.01)

    mixed = [seen for seen in [*views, *files] if not is_whole(seen)]
    record_testsuite_property("publishes", PUBLISHES)
    record_testsuite_property("reads_of_views", len(views))
    record_testsuite_property("reads_of_files", len(files))
    record_testsuite_property("mixed", len(mixed))
    assert mixed == []
    assert len(views) + len(files) >= READS
    assert len({seen[0][0] for seen in views}) > PUBLISHES // 2
