"""The scan for secrets of `make secrets`: what it finds, and what it lets pass. Each secret here is put together."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCAN = [Path(sys.executable).with_name("detect-secrets-hook"), "--no-verify", "--baseline", ".secrets.baseline"]
LETTERS = "Qz7RkW2mXv9TbL4nYc8H"
PLANTED = {
    "aws_key_id.py": f'client(key="AKIA{LETTERS[:16].upper()}")',
    "aws_secret.env": f"aws_secret_key = '{LETTERS * 2}'",
    "private.pem": "-----BEGIN RSA PRIVATE " + "KEY-----",
    "slack.yaml": "url: xo" + f"xb-123456789012-123456789012-{LETTERS}abcd",
    "github.md": f"Use ghp_{LETTERS}{LETTERS[:16]} to read it.",
    "address.toml": f'database = "postgresql://ann:{LETTERS}@db.example.org/chat"',
}
HARMLESS = """
AWS_SECRET_ACCESS_KEY: local
url: "https://{user}:{password}@example.org"
secret_arn: "arn:aws:secretsmanager:ap-northeast-1:123456789012:secret:chat"
checksum: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
database: "postgresql://ann:made-up@db.example.org/chat"  # pragma: allowlist secret
"""


def _scan(*paths: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SCAN, *paths], cwd=ROOT, capture_output=True, text=True, check=False)


def test_every_kind_of_secret_is_found(tmp_path: Path) -> None:
    for name, text in PLANTED.items():
        (tmp_path / name).write_text(f"first line\n{text}\n")

    scan = _scan(*(tmp_path / name for name in PLANTED))

    assert scan.returncode == 1
    assert {name for name in PLANTED if f"{tmp_path / name}:2" in scan.stdout} == set(PLANTED)
    assert LETTERS not in scan.stdout, "a log of the scan must not tell the secret"


def test_what_is_made_up_or_no_secret_passes(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(HARMLESS)

    scan = _scan(tmp_path / "compose.yaml")

    assert (scan.returncode, scan.stdout) == (0, "")
