"""
`make deploy` and `make rollback`: the package goes to the bucket of an MWAA environment, or an earlier one comes back.

Every release stays in the bucket. Both commands may be interrupted and run again; docs/mwaa.md tells the whole way.
"""

import argparse
import re
import sys
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from deploy.package import DIST, BadPackage, read_package
from deploy.releases import NotDeployable, Releases
from deploy.switch import PLUGINS, REQUIREMENTS, Change, switch


def main(arguments: list[str] | None = None) -> int:
    """Deploy or roll back; 0 when the release is live."""
    options = _options(arguments)
    try:
        _go_live(options)
    except (BadPackage, NotDeployable) as error:
        print(error, file=sys.stderr)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        print(f"{error.operation_name} answered {code}: check the access, then run the same again", file=sys.stderr)
    except BotoCoreError as error:
        why = str(error).strip().splitlines()[-1]
        print(f"AWS cannot be asked, check bucket, Region and credentials: {why}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted: run the same again, or go back with make rollback", file=sys.stderr)
    else:
        return 0
    return 1


def _go_live(options: argparse.Namespace) -> None:
    package = None if options.rollback else read_package(options.package)
    releases = Releases(boto3.client("s3"), options.bucket, options.prefix)
    releases.check_bucket()
    if package:
        manifest, contents = package
        releases.store(manifest, contents)
    else:
        wanted = releases.live().previous() if options.rollback == "previous" else options.rollback
        manifest = releases.manifest(wanted)
    if (unfinished := releases.live().target) and unfinished != manifest["release"]:
        print(f"release {unfinished} was begun and is not finished. If somebody deploys it just now, stop one of you.")
    print(f"release {manifest['release']} to {releases.address('')}")
    must_restart = switch(releases, manifest, _print_change, is_rollback=package is None)
    if must_restart:
        print(_restart_text(releases))
    print(f"release {manifest['release']} is live{'' if must_restart else ': no restart is needed'}")


def _print_change(change: Change) -> None:
    print(f"  {change.what:<8} {change.size:>10,}  {change.path}", flush=True)


def _restart_text(releases: Releases) -> str:
    """Return how the environment takes up new plugins and requirements."""
    command = ["aws mwaa update-environment --name <environment>"]
    for option, path in (("plugins", PLUGINS), ("requirements", REQUIREMENTS)):
        command += [f"--{option}-s3-path {releases.key(path)}"]
        command += [f"--{option}-s3-object-version {releases.version(path)}"]
    return (
        "Plugins or requirements changed. Pause chat_census until the environment has taken them up, half an hour:\n"
        + " \\\n    ".join(command)
    )


def _prefix(text: str) -> str:
    """Return *text* as deploy/mwaa.yaml takes it. Errors: ArgumentTypeError for what an environment could not use."""
    prefix = text.strip("/")
    if not re.fullmatch(r"([A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*)?", prefix):
        raise argparse.ArgumentTypeError(f"{text!r}: letters, digits, dots, hyphens and underscores, and / between")
    if "dags" in prefix.split("/"):
        raise argparse.ArgumentTypeError(f"{text!r} is in a DAG folder, where Airflow would load every release kept")
    return prefix


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make deploy", description=__doc__)
    parser.add_argument("--bucket", required=True, help="the bucket of the environment")
    parser.add_argument("--prefix", type=_prefix, default="", help="folder in the bucket under which everything lies")
    parser.add_argument("--package", type=Path, default=DIST, help="what make package made")
    parser.add_argument("--rollback", metavar="RELEASE", help="an earlier release, or `previous`")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
