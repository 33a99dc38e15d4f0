"""Who is measured: the program, the environment it needs, and what a reader should know about its row."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Contender:
    """
    One row of the table.

    Shape: *environment* names a file of `bench/requirements/`. *max_scale* is how fast time may run before the client's
    own CPU, and not its pacing, would be measured; *slice_of* limits the records, and the row is extrapolated.
    """

    name: str
    module: str
    environment: str
    arguments: tuple[str, ...] = ()
    max_scale: float = 10
    slice_of: int | None = None
    knows_quota: bool = False


ENGINE = Contender("chat census", "census_engine", "engine", ("--workers", "64"), knows_quota=True)
BARE = Contender("bare boto3 pool", "boto3_threads", "boto3", ("--workers", "64"))
CONTENDERS = (
    ENGINE,
    Contender("plain loop", "plain_loop", "boto3", slice_of=60),
    Contender("boto3 threads, standard", "boto3_threads", "boto3", max_scale=5),
    Contender("boto3 threads, adaptive + re-ask", "boto3_threads", "boto3", ("--retries", "adaptive"), max_scale=5),
    Contender("langchain-aws batch", "langchain_aws_batch", "langchain_aws", max_scale=2),
    Contender("langchain-aws batch, adaptive", "langchain_aws_batch", "langchain_aws", ("--retries", "adaptive"), 2),
    Contender("instructor, adaptive", "instructor_client", "instructor", ("--retries", "adaptive"), max_scale=3),
    Contender(
        "LiteLLM router", "litellm_router", "litellm", ("--retries", "adaptive", "--workers", "64"), 1, knows_quota=True
    ),
)
