import json
from pathlib import Path

import boto3
import pytest
from botocore.loaders import JSONFileLoader, Loader

from local_aws.service_models import read_service_models_once
from tests.conftest import REGION


@pytest.fixture(autouse=True)
def _read_by_others(monkeypatch: pytest.MonkeyPatch):
    """What these tests let all sessions share is no longer shared afterwards."""
    monkeypatch.setattr(JSONFileLoader, "load_file", JSONFileLoader.load_file)


def test_sessions_share_what_they_have_read(tmp_path: Path):
    file = tmp_path / "model.json"
    file.write_text(json.dumps({"of": "AWS"}))
    read_service_models_once()

    first, second = (Loader().file_loader.load_file(str(file.with_suffix(""))) for _ in range(2))

    assert first == {"of": "AWS"}
    assert first is second


def test_a_client_is_made_as_before():
    def operations() -> dict[str, object]:
        client = boto3.session.Session(region_name=REGION).client("athena")
        model = client.meta.service_model
        return {name: sorted(model.operation_model(name).input_shape.members) for name in model.operation_names}

    before = operations()
    read_service_models_once()

    assert operations() == operations() == before
    assert "StartQueryExecution" in before
