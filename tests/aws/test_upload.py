"""Deployments to a bucket: what is written and in which order, interruptions at every write, and the way back."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from deploy.package import MANIFEST, manifest_of
from deploy.releases import Live, NotDeployable, Releases
from deploy.switch import AT_START, Change, live_files, switch
from deploy.upload import main
from tests.conftest import LocalAwsForTests

BUCKET, PREFIX = "airflow-environment", "census"
Files = dict[str, bytes]

A: Files = {
    "dags/.airflowignore": b"include/\n",
    "dags/chat_census.py": b"# the first",
    "dags/old.py": b"# a DAG that is gone later",
    "dags/constraints.txt": b"boto3==1\n",
    "dags/include/sql/kept.sql": b"select 1",
    "dags/include/sql/old.sql": b"select 2",
    "plugins.zip": b"zip 1",
    "requirements.txt": b"boto3\n",
    "sbom.cdx.json": b"{}",
}
B: Files = {name: content for name, content in A.items() if "old" not in name} | {
    "dags/chat_census.py": b"# the second",
    "dags/new.py": b"# a DAG that is new",
    "dags/constraints.txt": b"boto3==2\n",
    "dags/include/sql/new.sql": b"select 3",
    "plugins.zip": b"zip 2",
}


class Cut(Exception):
    """The network went away."""


class CutOff:
    """A client of S3 that loses its network at its *nth* write: before it arrives, or its reply."""

    def __init__(self, s3: Any, nth: int, *, is_reply_lost: bool = False) -> None:
        self._s3, self._left, self._is_reply_lost = s3, nth, is_reply_lost

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._s3, name)
        return self._cut(call) if name in ("put_object", "copy_object", "delete_object") else call

    def _cut(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def write(**arguments: Any) -> Any:
            self._left -= 1
            if self._left < 0 or (self._left == 0 and not self._is_reply_lost):
                raise Cut
            reply = call(**arguments)
            if self._left == 0:
                raise Cut
            return reply

        return write


@pytest.fixture
def s3(local_aws: LocalAwsForTests) -> Any:
    s3 = local_aws.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    return s3


def packaged(folder: Path, files: Files) -> Path:
    """Write *files* as `make package` does."""
    for name, content in [*files.items(), (MANIFEST, json.dumps(manifest_of(files, "1.0")).encode())]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def release(files: Files) -> str:
    return manifest_of(files, "1.0")["release"]


def deploy(s3: Any, files: Files) -> None:
    """Deploy without the command, through a client that may fail."""
    releases, manifest = Releases(s3, BUCKET, PREFIX), manifest_of(files, "1.0")
    releases.store(manifest, files)
    switch(releases, manifest, unheard)


def roll_back(s3: Any) -> None:
    releases = Releases(s3, BUCKET, PREFIX)
    switch(releases, releases.manifest(releases.live().previous()), unheard, is_rollback=True)


def unheard(change: Change) -> None:
    """Nobody reads along."""


def told(output: str) -> dict[str, str]:
    """What the command said of each file, in its order."""
    lines = [line.split() for line in output.splitlines() if re.match("  [a-z]", line)]
    return {path: what for what, _, path in lines}


def live(s3: Any) -> Files:
    """What MWAA reads, by path."""
    found = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{PREFIX}/").get("Contents", [])
    paths = [entry["Key"].removeprefix(f"{PREFIX}/") for entry in found]
    return {
        path: s3.get_object(Bucket=BUCKET, Key=f"{PREFIX}/{path}")["Body"].read()
        for path in paths
        if not path.startswith("releases/")
    }


def as_live(files: Files) -> Files:
    return {name: content for name, content in files.items() if name != "sbom.cdx.json"}


def command(folder: Path, *more: str) -> int:
    return main(["--bucket", BUCKET, "--prefix", PREFIX, "--package", str(folder), *more])


def interrupted(attempt: Callable[[Any], None], s3: Any, *, is_reply_lost: bool) -> Iterator[int]:
    """Repeat *attempt*, each time cut off one write later, until one goes through; yield after each that was cut."""
    for nth in range(1, 100):
        try:
            attempt(CutOff(s3, nth, is_reply_lost=is_reply_lost))
        except Cut:
            yield nth
        else:
            assert nth > 5, "nothing was cut off"
            return


def test_a_deployment_writes_what_a_restart_reads_first_and_dag_files_last(
    s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(packaged(tmp_path, A)) == 0

    written = told(capsys.readouterr().out)
    assert set(written.values()) == {"new"}
    assert list(written) == [
        *AT_START,
        "dags/.airflowignore",
        "dags/include/sql/kept.sql",
        "dags/include/sql/old.sql",
        "dags/chat_census.py",
        "dags/old.py",
    ]
    assert live(s3) == as_live(A)


def test_only_what_changed_is_written_and_what_is_gone_is_deleted(
    s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command(packaged(tmp_path / "a", A))
    capsys.readouterr()

    assert command(packaged(tmp_path / "b", B)) == 0

    changes = told(capsys.readouterr().out)
    assert changes == {
        "dags/constraints.txt": "changed",
        "requirements.txt": "same",
        "plugins.zip": "changed",
        "dags/.airflowignore": "same",
        "dags/include/sql/kept.sql": "same",
        "dags/include/sql/new.sql": "new",
        "dags/chat_census.py": "changed",
        "dags/new.py": "new",
        "dags/old.py": "deleted",
        "dags/include/sql/old.sql": "deleted",
    }
    assert list(changes)[-2:] == ["dags/old.py", "dags/include/sql/old.sql"]
    assert live(s3) == as_live(B)
    versions = s3.list_object_versions(Bucket=BUCKET, Prefix=f"{PREFIX}/requirements.txt")["Versions"]
    assert len(versions) == 1


def test_a_rollback_brings_the_release_before_back_byte_for_byte(s3: Any, tmp_path: Path) -> None:
    command(packaged(tmp_path / "a", A))
    command(packaged(tmp_path / "b", B))

    assert command(tmp_path / "b", "--rollback", "previous") == 0

    assert live(s3) == as_live(A)


def test_a_rollback_to_a_named_release_needs_no_package(s3: Any, tmp_path: Path) -> None:
    for name, files in (("a", A), ("b", B), ("c", B | {"dags/new.py": b"# a third"})):
        command(packaged(tmp_path / name, files))

    assert command(tmp_path / "none", "--rollback", release(A)) == 0

    assert live(s3) == as_live(A)


def test_repeated_rollbacks_walk_back_one_release_each(s3: Any, tmp_path: Path) -> None:
    third = B | {"dags/new.py": b"# a third"}
    for name, files in (("a", A), ("b", B), ("c", third)):
        command(packaged(tmp_path / name, files))

    command(tmp_path, "--rollback", "previous")
    assert live(s3) == as_live(B)
    command(tmp_path, "--rollback", "previous")
    assert live(s3) == as_live(A)
    command(tmp_path / "c")
    assert live(s3) == as_live(third)


@pytest.mark.parametrize("is_reply_lost", [False, True])
def test_a_deployment_that_is_cut_off_anywhere_leaves_what_works_and_running_it_again_completes_it(
    s3: Any, *, is_reply_lost: bool
) -> None:
    deploy(s3, A)
    newer = {name for name in as_live(B) if A.get(name) != B[name]}

    for _ in interrupted(lambda client: deploy(client, B), s3, is_reply_lost=is_reply_lost):
        found = live(s3)
        new = {name for name in newer if found.get(name) == B[name]}
        if any(name.endswith(".py") for name in new):
            assert {name for name in newer if not name.endswith(".py")} <= new
        if new - set(AT_START):
            assert newer & set(AT_START) <= new
        if "dags/old.py" in found:
            assert "dags/include/sql/old.sql" in found
        deploy(s3, B)
        assert live(s3) == as_live(B)
        roll_back(s3)
        assert live(s3) == as_live(A)

    assert live(s3) == as_live(B)


def test_a_deployment_that_was_cut_off_anywhere_can_be_given_up(s3: Any) -> None:
    deploy(s3, A)

    for _ in interrupted(lambda client: deploy(client, B), s3, is_reply_lost=False):
        if Releases(s3, BUCKET, PREFIX).live().target:  # else nothing live was touched yet
            roll_back(s3)
        assert live(s3) == as_live(A)


def test_a_rollback_that_was_cut_off_anywhere_is_completed_by_running_it_again(s3: Any) -> None:
    deploy(s3, A)
    deploy(s3, B)

    for _ in interrupted(roll_back, s3, is_reply_lost=False):
        roll_back(s3)
        assert live(s3) == as_live(A)
        deploy(s3, B)

    assert live(s3) == as_live(A)


def test_what_an_unfinished_deployment_wrote_is_deleted_by_the_next_one(s3: Any) -> None:
    deploy(s3, A)
    everything_but_the_end = len(B) + 1 + 1 + len({name for name in as_live(B) if A.get(name) != B[name]})
    with pytest.raises(Cut):
        deploy(CutOff(s3, everything_but_the_end + 1), B)
    assert "dags/new.py" in live(s3)
    third = A | {"dags/chat_census.py": b"# a third"}

    deploy(s3, third)

    assert live(s3) == as_live(third)


def test_files_that_no_deployment_wrote_stay(s3: Any, tmp_path: Path) -> None:
    theirs = {"dags/theirs.py": b"# another team's", "dags/old.py": b"# theirs now"}
    command(packaged(tmp_path / "a", A))
    for name, content in theirs.items():
        s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}/{name}", Body=content)

    assert command(packaged(tmp_path / "b", B)) == 0

    assert live(s3) == as_live(B) | theirs


def test_a_live_file_that_somebody_changed_is_put_right(s3: Any, tmp_path: Path) -> None:
    command(packaged(tmp_path, A))
    s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}/dags/chat_census.py", Body=b"# by hand")

    command(tmp_path)

    assert live(s3) == as_live(A)


def test_the_command_for_the_environment_names_the_versions_that_are_live(
    s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command(packaged(tmp_path, A))

    words = capsys.readouterr().out.partition("aws mwaa update-environment ")[2].partition("\nrelease")[0].split()
    words = iter(word for word in words if word != "\\")
    options = dict(zip(words, words, strict=True))
    model = botocore.session.get_session().get_service_model("mwaa").operation_model("UpdateEnvironment")
    known = {"--" + botocore.xform_name(name, "-") for name in model.input_shape.members}
    assert set(options) <= known
    for path in ("plugins.zip", "requirements.txt"):
        name = path.split(".")[0]
        assert options[f"--{name}-s3-path"] == f"{PREFIX}/{path}"
        version = options[f"--{name}-s3-object-version"]
        body = s3.get_object(Bucket=BUCKET, Key=f"{PREFIX}/{path}", VersionId=version)["Body"].read()
        assert body == A[path]


def test_a_change_of_dag_files_alone_needs_no_restart(
    s3: Any,  # noqa: ARG001 - the bucket
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command(packaged(tmp_path / "a", A))
    capsys.readouterr()

    command(packaged(tmp_path / "b", A | {"dags/chat_census.py": b"# a correction"}))

    said = capsys.readouterr().out
    assert "update-environment" not in said
    assert "no restart is needed" in said


def test_a_restart_is_still_asked_for_when_the_deployment_was_cut_off_after_the_plugins(
    s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(s3, A)
    with pytest.raises(Cut):
        deploy(CutOff(s3, len(B) + 1 + 1 + 3), B)
    assert live(s3)["plugins.zip"] == B["plugins.zip"]

    command(packaged(tmp_path, B))

    assert "update-environment" in capsys.readouterr().out


def test_a_bucket_without_versions_is_refused(s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})

    assert command(packaged(tmp_path, A)) == 1

    assert f"versioning of bucket {BUCKET!r} is suspended, and MWAA demands it" in capsys.readouterr().err
    assert live(s3) == {}


def test_a_bucket_that_is_not_there_is_named(
    s3: Any,  # noqa: ARG001 - the AWS without that bucket
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--bucket", "no-such-bucket", "--package", str(packaged(tmp_path, A))]) == 1

    assert "bucket 'no-such-bucket' answered NoSuchBucket: check its name" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("dags/chat_census.py", b"# edited", id="changed"),
        pytest.param("dags/secret.env", b"KEY=1", id="added"),
        pytest.param("plugins.zip", None, id="missing"),
        pytest.param(MANIFEST, None, id="without a manifest"),
    ],
)
def test_a_package_that_is_not_as_it_was_built_is_refused(
    s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes | None
) -> None:
    packaged(tmp_path, A)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)

    assert command(tmp_path) == 1

    assert "make package" in capsys.readouterr().err
    assert s3.list_objects_v2(Bucket=BUCKET).get("Contents", []) == []


def test_an_unknown_release_is_answered_with_those_that_are_there(
    s3: Any,  # noqa: ARG001 - the bucket
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command(packaged(tmp_path, A))

    assert command(tmp_path, "--rollback", "0.9") == 1

    assert f"no release '0.9' in s3://{BUCKET}/{PREFIX}/releases/, only: {release(A)}" in capsys.readouterr().err


def test_the_first_release_has_nothing_to_go_back_to(
    s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command(packaged(tmp_path, A))

    assert command(tmp_path, "--rollback", "previous") == 1

    assert "no earlier release" in capsys.readouterr().err
    assert live(s3) == as_live(A)


def test_everything_may_lie_at_the_top_of_the_bucket(s3: Any, tmp_path: Path) -> None:
    assert main(["--bucket", BUCKET, "--package", str(packaged(tmp_path, A))]) == 0

    keys = {entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET)["Contents"]}
    assert live_files(manifest_of(A, "1.0")) == {key for key in keys if not key.startswith("releases/")}


@pytest.mark.parametrize("path", ["plugins.zip", "requirements.txt", "dags/.airflowignore", "dags/chat_census.py"])
def test_a_file_of_others_is_never_written_over(
    s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], path: str
) -> None:
    s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}/{path}", Body=b"another team's")

    assert command(packaged(tmp_path, A)) == 1

    assert f"s3://{BUCKET}/{PREFIX}/{path} is there already, and no deployment of ours" in capsys.readouterr().err
    assert live(s3) == {path: b"another team's"}
    s3.delete_object(Bucket=BUCKET, Key=f"{PREFIX}/{path}")
    assert command(tmp_path) == 0
    assert live(s3) == as_live(A)


def test_of_two_deployments_at_a_time_one_is_told(s3: Any) -> None:
    deploy(s3, A)
    releases, third = Releases(s3, BUCKET, PREFIX), A | {"dags/chat_census.py": b"# a third"}
    releases.store(manifest_of(B, "1.0"), B)

    def somebody_else(change: Change) -> None:
        if change.path == "plugins.zip":
            deploy(s3, third)

    with pytest.raises(NotDeployable, match="by a second deployment at the same time"):
        switch(releases, manifest_of(B, "1.0"), somebody_else)

    deploy(s3, B)
    assert live(s3) == as_live(B)


def test_the_first_deployment_of_two_at_a_time_is_told_too(s3: Any) -> None:
    releases = Releases(s3, BUCKET, PREFIX)
    before = releases.live()
    deploy(s3, A)

    with pytest.raises(NotDeployable, match="by a second deployment at the same time"):
        releases.write_live(before)


def test_a_deployment_says_that_another_one_is_not_finished(
    s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(s3, A)
    with pytest.raises(Cut):
        deploy(CutOff(s3, len(B) + 1 + 1 + 1), B)

    command(packaged(tmp_path, A))

    assert f"release {release(B)} was begun and is not finished" in capsys.readouterr().out
    assert live(s3) == as_live(A)


def test_a_release_of_which_files_are_gone_is_refused_before_anything_is_touched(
    s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command(packaged(tmp_path / "a", A))
    command(packaged(tmp_path / "b", B))
    s3.delete_object(Bucket=BUCKET, Key=f"{PREFIX}/releases/{release(A)}/dags/old.py")

    assert command(tmp_path, "--rollback", "previous") == 1

    assert f"release {release(A)!r} is not whole, 1 files are gone, dags/old.py" in capsys.readouterr().err
    assert live(s3) == as_live(B)
    assert command(tmp_path / "a") == 0
    assert live(s3) == as_live(A)


def test_a_live_release_that_somebody_deleted_from_the_bucket_stops_no_deployment(
    s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command(packaged(tmp_path / "a", A))
    for path in [*A, MANIFEST]:
        s3.delete_object(Bucket=BUCKET, Key=f"{PREFIX}/releases/{release(A)}/{path}")
    capsys.readouterr()

    assert command(packaged(tmp_path / "b", B)) == 0

    assert live(s3) == as_live(B)
    assert "update-environment" in capsys.readouterr().out


def test_names_with_spaces_and_letters_of_other_alphabets_go_up_and_come_back(s3: Any, tmp_path: Path) -> None:
    odd = A | {"dags/include/a note + 集計 100%.md": b"# what a census is"}
    command(packaged(tmp_path / "a", odd))
    command(packaged(tmp_path / "b", B))
    assert live(s3) == as_live(B)

    assert command(tmp_path, "--rollback", "previous") == 0

    assert live(s3) == as_live(odd)


def test_a_rollback_can_itself_be_taken_back(s3: Any, tmp_path: Path) -> None:
    command(packaged(tmp_path / "a", A))
    command(packaged(tmp_path / "b", B))
    command(tmp_path, "--rollback", "previous")

    command(tmp_path, "--rollback", release(B))
    assert live(s3) == as_live(B)
    command(tmp_path, "--rollback", "previous")
    assert live(s3) == as_live(A)


@pytest.mark.parametrize(
    ("prefix", "says"),
    [
        ("census prod", "letters, digits"),
        ("../up; rm", "letters, digits"),
        ("dags", "in a DAG folder"),
        ("a/dags/b",) * 2,
    ],
)
def test_a_prefix_that_an_environment_could_not_use_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], prefix: str, says: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--bucket", BUCKET, "--prefix", prefix, "--package", str(packaged(tmp_path, A))])

    assert says in capsys.readouterr().err


def test_what_is_no_name_of_a_bucket_is_said(
    s3: Any,  # noqa: ARG001 - an AWS to ask
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--bucket", "my bucket", "--package", str(packaged(tmp_path, A))]) == 1

    assert 'Invalid bucket name "my bucket"' in capsys.readouterr().err


def test_deploying_the_live_release_again_keeps_the_way_back() -> None:
    done = Live(("a", "b")).ended("b", set(), is_rollback=False)

    assert done.previous() == "a"
