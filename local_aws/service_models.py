"""botocore's description of AWS, read once by each process of ours that makes many clients."""

from functools import cache

from botocore.loaders import JSONFileLoader, Loader


def read_service_models_once() -> None:
    """
    Let all boto3 sessions of this process share what they read of botocore's own JSON files, and which there are.

    Each session reads them for itself, a tenth of a second for `endpoints.json` alone, and each task has its session.
    Source: botocore.loaders; what a loader returns is shared by the clients of a session too, so nobody changes it.
    """
    read = cache(JSONFileLoader().load_file)
    JSONFileLoader.load_file = lambda _, file_path: read(file_path)  # type: ignore[method-assign]
    list_all = cache(Loader().list_available_services)
    Loader.list_available_services = lambda _, type_name: list_all(type_name)  # type: ignore[method-assign]
