"""A DynamoDB in memory with the control table, for the case in which several tasks share the quota; prints its port."""

import sys
import threading

import boto3
from moto.server import ThreadedMotoServer


def main() -> None:
    """Serve until the process is ended."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    names = {"pk": "HASH", "sk": "RANGE"}
    boto3.client("dynamodb", endpoint_url=f"http://{host}:{port}").create_table(
        TableName="chatcensus-control",
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in names.items()],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        BillingMode="PAY_PER_REQUEST",
    )
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
