"""A batch job goes through S3 and time as Bedrock's does."""

import itertools
import json
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from local_aws.bedrock.batch_inference import BatchJobs
from local_aws.bedrock.model_directory import ModelDirectory

MODEL = "jp.anthropic.claude-haiku-4-5-20251001-v1:0"
ROLE = "arn:aws:iam::123456789012:role/batch"
BUCKET = "batch-bucket"
ENDED = {"Completed", "PartiallyCompleted", "Failed", "Stopped", "Expired"}


def record(number, text=None, **others):
    content = [{"text": text or f"Conversation {number}, please explain."}]
    body = {"messages": [{"role": "user", "content": content}], "inferenceConfig": {"maxTokens": 100}, **others}
    return {"recordId": f"r{number:03}", "modelInput": body}


def job_request(**changes):
    return {
        "jobName": "census",
        "roleArn": ROLE,
        "modelId": MODEL,
        "inputDataConfig": {"s3InputDataConfig": {"s3Uri": f"s3://{BUCKET}/in/"}},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": f"s3://{BUCKET}/out/"}},
        "modelInvocationType": "Converse",
        **changes,
    }


class Batch:
    """The local AWS with a bucket, and jobs that are waited for."""

    def __init__(self, local_aws):
        self.local_aws, self.client, self.s3 = local_aws, local_aws.client("bedrock"), local_aws.client("s3")
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})

    def put(self, records, key="in/records.jsonl"):
        lines = [line if isinstance(line, str) else json.dumps(line) for line in records]
        self.s3.put_object(Bucket=BUCKET, Key=key, Body="\n".join(lines).encode())

    def run(self, **changes):
        arn = self.client.create_model_invocation_job(**job_request(**changes))["jobArn"]
        self.local_aws._aws._services.jobs.wait()
        return self.client.get_model_invocation_job(jobIdentifier=arn)

    def read(self, job, name):
        key = f"out/{job['jobArn'].rpartition('/')[2]}/{name}"
        return self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()

    def lines(self, job, name="records.jsonl.out"):
        return [json.loads(line) for line in self.read(job, name).splitlines()]


@pytest.fixture
def batch(local_aws):
    local_aws._aws._services.jobs._step_s = 0.01
    return Batch(local_aws)


def refusal(call, **given):
    with pytest.raises(ClientError) as caught:
        call(**given)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_every_record_is_answered_in_no_order_and_counted(batch):
    batch.put([record(number) for number in range(100)])

    job = batch.run()

    lines = batch.lines(job)
    ids = [line["recordId"] for line in lines]
    assert job["status"] == "Completed"
    assert sorted(ids) == [f"r{number:03}" for number in range(100)] != ids
    assert all(line["modelInput"] == record(int(line["recordId"][1:]))["modelInput"] for line in lines)
    usages = [line["modelOutput"]["usage"] for line in lines]
    assert json.loads(lines[0]["modelOutput"]["output"]["message"]["content"][0]["text"]).keys() == {
        "category",
        "inquiry_score",
    }
    assert json.loads(batch.read(job, "manifest.json.out")) == {
        "totalRecordCount": 100,
        "processedRecordCount": 100,
        "successRecordCount": 100,
        "errorRecordCount": 0,
        "inputTokenCount": sum(usage["inputTokens"] for usage in usages),
        "outputTokenCount": sum(usage["outputTokens"] for usage in usages),
    }
    assert (job["totalRecordCount"], job["successRecordCount"], job["errorRecordCount"]) == (100, 100, 0)
    assert job["jobExpirationTime"] - job["submitTime"] == timedelta(hours=24)
    assert job["endTime"] >= job["submitTime"]


def test_each_file_of_a_folder_has_an_output_of_its_own(batch):
    batch.put([record(number) for number in range(60)], "in/a.jsonl")
    batch.put([record(number) for number in range(60, 100)], "in/day/b.jsonl")
    batch.put(["not a record"], "in/readme.txt")

    job = batch.run()

    assert (len(batch.lines(job, "a.jsonl.out")), len(batch.lines(job, "day/b.jsonl.out"))) == (60, 40)


def test_the_plans_faults_and_bad_requests_are_errors_of_their_records(batch):
    plan = {"rules": [{"fault": "throttle", "match": "albatross"}, {"fault": "truncated", "match": "gull"}]}
    request = urllib.request.Request(
        f"{batch.local_aws.endpoint_url}/_local/faults", json.dumps(plan).encode(), method="PUT"
    )
    urllib.request.urlopen(request).close()
    special = [
        record(0, "the albatross"),
        record(1, "the gull"),
        record(2, toolConfig={"tools": [{"toolSpec": {"name": "t", "inputSchema": {"json": {}}}}]}),
        record(3, inferenceConfig={"temperature": 0, "topP": 1}),
        record(4, modelId=MODEL),
    ]
    batch.put([*special, *(record(number) for number in range(5, 100))])

    job = batch.run()

    lines = {line["recordId"]: line for line in batch.lines(job)}
    errors = {key: line["error"] for key, line in lines.items() if "error" in line}
    assert job["status"] == "Completed"
    assert (job["successRecordCount"], job["errorRecordCount"]) == (96, 4)
    assert errors["r000"] == {"errorCode": 429, "errorMessage": "Too many tokens, please wait before trying again."}
    assert lines["r001"]["modelOutput"]["stopReason"] == "max_tokens"
    assert {key: error["errorCode"] for key, error in errors.items()} == {
        "r000": 429,
        "r002": 400,
        "r003": 400,
        "r004": 400,
    }
    assert "cannot use tools" in errors["r002"]["errorMessage"]
    assert not any("modelOutput" in lines[key] for key in errors)


def test_nothing_is_read_from_the_cache(batch):
    system = [{"text": "Rules. " * 4000}, {"cachePoint": {"type": "default"}}]
    batch.put([record(number, system=system) for number in range(100)])

    usages = [line["modelOutput"]["usage"] for line in batch.lines(batch.run())]

    assert all(usage["cacheReadInputTokens"] == usage["cacheWriteInputTokens"] == 0 for usage in usages)


def test_a_record_without_an_id_gets_one(batch):
    batch.put([{"modelInput": record(number)["modelInput"]} for number in range(100)])

    assert len({line["recordId"] for line in batch.lines(batch.run())}) == 100


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([record(number) for number in range(99)], "contains less records (99) than the required minimum of: 100"),
        ([record(0), "{broken", *map(record, range(100))], "line 2 of in/records.jsonl is no JSON object"),
        ([record(0), {"recordId": "x"}], "line 2 of in/records.jsonl is no JSON object with a modelInput"),
        (None, "s3://batch-bucket/in/ holds no .jsonl file"),
    ],
    ids=["too few", "no JSON", "no input", "no file"],
)
def test_a_job_whose_input_cannot_be_fails_and_says_why(batch, records, message):
    if records:
        batch.put(records)

    job = batch.run()

    assert job["status"] == "Failed"
    assert message in job["message"]


def test_a_bucket_that_is_not_there_fails_the_job(batch):
    job = batch.run(inputDataConfig={"s3InputDataConfig": {"s3Uri": "s3://no-such-bucket/in.jsonl"}})

    assert (job["status"], job["message"]) == ("Failed", "s3://no-such-bucket/in.jsonl cannot be read: NoSuchBucket")
    batch.put([record(number) for number in range(100)])

    job = batch.run(jobName="again", outputDataConfig={"s3OutputDataConfig": {"s3Uri": "s3://no-such-bucket"}})

    assert (job["status"], job["message"]) == ("Failed", "s3://no-such-bucket cannot be written: NoSuchBucket")


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"jobName": "-census"}, "ValidationException", "'jobName' failed to satisfy constraint"),
        ({"roleArn": "batch"}, "ValidationException", "'roleArn' failed to satisfy constraint"),
        ({"roleArn": ROLE.replace("123456789012", "210987654321")}, "AccessDeniedException", "Cross-account pass role"),
        ({"clientRequestToken": "-"}, "ValidationException", "'clientRequestToken' failed"),
        ({"timeoutDurationInHours": 23}, "ValidationException", "'timeoutDurationInHours' failed"),
        ({"timeoutDurationInHours": 169}, "ValidationException", "between 24 and 168"),
        (
            {"inputDataConfig": {"s3InputDataConfig": {"s3Uri": "in.jsonl"}}},
            "ValidationException",
            "s3InputDataConfig.s3Uri' failed",
        ),
        ({"modelInvocationType": "InvokeModel"}, "ValidationException", "modelInvocationType Converse alone"),
        (
            {"modelId": "jp.anthropic.claude-haiku-5-5"},
            "ValidationException",
            "Batch inference is not supported for the",
        ),
        ({"modelId": "anthropic.nothing"}, "ValidationException", "model identifier is invalid"),
        ({"modelId": "anthropic.claude-3-haiku-20240307-v1:0"}, "ResourceNotFoundException", "end of its life"),
        (
            {"vpcConfig": {"subnetIds": ["s"], "securityGroupIds": ["g"]}},
            "ValidationException",
            "local AWS does not make batch jobs with 'vpcConfig'",
        ),
    ],
)
def test_a_job_that_cannot_be_meant_is_not_made(batch, changes, code, message):
    import boto3
    from botocore.config import Config

    unchecked = boto3.client("bedrock", config=Config(parameter_validation=False, proxies={}))

    refused = refusal(unchecked.create_model_invocation_job, **job_request(**changes))
    unchecked.close()

    assert refused[0] == code
    assert message in refused[1]
    assert batch.client.list_model_invocation_jobs()["invocationJobSummaries"] == []


def test_a_repeated_request_is_the_same_job_and_a_repeated_name_a_conflict(batch):
    token = {"clientRequestToken": "run-7"}
    first, again = (batch.client.create_model_invocation_job(**job_request(**token))["jobArn"] for _ in range(2))

    assert first == again
    assert refusal(batch.client.create_model_invocation_job, **job_request())[0] == "ConflictException"


def test_an_account_has_no_room_for_more_open_jobs_of_a_model_than_its_quota(batch):
    jobs = batch.local_aws._aws._services.jobs
    jobs._step_s, jobs._most_open = 30, 2
    create = batch.client.create_model_invocation_job
    for number in range(2):
        create(**job_request(jobName=f"census-{number}"))

    code, message = refusal(create, **job_request(jobName="census-2"))

    assert (code, "quota of 2" in message) == ("ServiceQuotaExceededException", True)
    assert create(**job_request(jobName="census-2", modelId=MODEL.replace("jp.", "us.")))["jobArn"]


def test_jobs_are_listed_the_latest_first_by_state_and_name_in_pages(batch):
    for name in ("census-a", "census-b", "other"):
        batch.run(jobName=name)

    def names(**given):
        pages = batch.client.get_paginator("list_model_invocation_jobs").paginate(**given)
        return [job["jobName"] for page in pages for job in page["invocationJobSummaries"]]

    assert names() == ["other", "census-b", "census-a"]
    assert names(nameContains="census", sortBy="CreationTime", sortOrder="Ascending") == ["census-a", "census-b"]
    assert names(statusEquals="Completed") == []
    assert len(names(statusEquals="Failed", PaginationConfig={"PageSize": 2})) == 3
    assert names(submitTimeAfter=datetime(2100, 1, 1, tzinfo=UTC)) == []


def test_an_ended_job_cannot_be_stopped_and_an_unknown_one_is_not_found(batch):
    job = batch.run()

    assert refusal(batch.client.stop_model_invocation_job, jobIdentifier=job["jobArn"])[0] == "ConflictException"
    assert refusal(batch.client.get_model_invocation_job, jobIdentifier="a" * 12)[0] == "ResourceNotFoundException"


class Jobs:
    """Jobs whose clock a test moves; S3 is the local AWS's."""

    def __init__(self, batch, answer):
        self.now = datetime(2026, 11, 22, tzinfo=UTC)
        self.seen = []
        self.jobs = BatchJobs(
            ModelDirectory(lambda: self.now), lambda service, _: batch.local_aws.client(service), answer, step_s=0.0
        )
        walk = self.jobs._set
        self.jobs._set = lambda job, status, message=None: (self.seen.append(status), walk(job, status, message))

    def run(self):
        arn = self.jobs.create(job_request(), "ap-northeast-1")["jobArn"]
        self.jobs.wait()
        return self.jobs.job(arn, "ap-northeast-1")


REPLY = {"usage": {"inputTokens": 1, "outputTokens": 1}}


def test_a_job_walks_through_its_states_in_order(batch):
    batch.put([record(number) for number in range(100)])
    jobs = Jobs(batch, lambda *_: REPLY)

    jobs.run()

    assert jobs.seen == ["Validating", "Scheduled", "InProgress", "Completed"]


def test_a_job_whose_time_runs_out_keeps_what_is_done(batch):
    batch.put([record(number) for number in range(100)])
    calls = itertools.count(1)

    def answer(*_):
        if next(calls) == 40:
            jobs.now += timedelta(hours=24)
        return REPLY

    jobs = Jobs(batch, answer)
    job = jobs.run()

    done = len(batch.lines(job))
    assert job["status"] == "PartiallyCompleted"
    assert 40 <= done == job["processedRecordCount"] < 100
    assert json.loads(batch.read(job, "manifest.json.out"))["processedRecordCount"] == done


def test_a_job_that_never_began_in_its_time_expires(batch):
    batch.put([record(number) for number in range(100)])
    jobs = Jobs(batch, lambda *_: REPLY)
    read = jobs.jobs._read

    def read_slowly(job):
        jobs.now += timedelta(hours=25)
        return read(job)

    jobs.jobs._read = read_slowly

    assert jobs.run()["status"] == "Expired"
    assert "InProgress" not in jobs.seen


def test_a_stopped_job_is_stopping_and_then_stopped_with_what_is_done(batch):
    batch.put([record(number) for number in range(100)])
    calls = itertools.count(1)

    def answer(*_):
        if next(calls) == 30:
            (job,) = jobs.jobs.jobs({}, "ap-northeast-1")["invocationJobSummaries"]
            jobs.jobs.stop(job["jobArn"].rpartition("/")[2], "ap-northeast-1")
        return REPLY

    jobs = Jobs(batch, answer)
    job = jobs.run()

    assert jobs.seen[-2:] == ["Stopping", "Stopped"]
    assert 30 <= len(batch.lines(job)) < 100


def test_the_same_seed_gives_the_same_ids(local_aws):
    arns = []
    for _ in range(2):
        local_aws.reset()
        batch = Batch(local_aws)
        batch.put([record(1)])
        arns.append(batch.run()["jobArn"])

    assert arns[0] == arns[1]


def test_a_name_that_is_nearly_one_is_refused_at_once(local_aws):
    with pytest.raises(ClientError, match="regular expression"):
        local_aws.client("bedrock").create_model_invocation_job(**job_request(jobName="a" + "-" * 61 + "!"))
