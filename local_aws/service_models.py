"""botocore's description of AWS, read once by each process of ours that makes many clients."""

from functools import cache

from botocore.loaders import JSONFileLoader


def read_service_models_once() -> None:
    """
    Let all boto3 sessions of this process share what they read of botocore's own JSON files.

    Each session reads them for itself, a tenth of a second for `endpoints.json` alone, and each task has its session.
    Source: botocore.loaders; what a loader returns is shared by the clients of a session too, so nobody changes it.
    """
    read = cache(JSONFileLoader().load_file)
    JSONFileLoader.load_file = lambda _, file_path: read(file_path)  # type: ignore[method-assign]
