"""A DynamoDB in memory with the control table of our engine; prints its port."""

import sys
import threading

CONTROL_TABLE = "chatcensus-control"


def main() -> None:
    """Serve until the process is ended."""
    import boto3
    from moto.server import ThreadedMotoServer  # not in the environment of the engine, which needs the name alone

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    names = {"pk": "HASH", "sk": "RANGE"}
    boto3.client("dynamodb", endpoint_url=f"http://{host}:{port}").create_table(
        TableName=CONTROL_TABLE,
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in names.items()],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        BillingMode="PAY_PER_REQUEST",
    )
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
