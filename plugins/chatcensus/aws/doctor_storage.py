"""The Athena workgroup, the Glue database and the two buckets. Whether a bucket may be written, only a run can tell."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from chatcensus.aws.probing import Probe, is_from_aws
from chatcensus.doctor import Finding, Names, fail, ok, warn

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client

_ENGINE = "Athena engine version 3"
_TEMPLATE = "deploy deploy/chatcensus.yaml"
_MOST_DAYS = 30  # that whole conversations should lie in the snapshot bucket


def storage_probes(names: Names) -> Iterator[Probe]:
    """Yield the looks at what has a name."""
    if workgroup := names.workgroup:
        yield Probe("workgroup", "athena", "athena:GetWorkGroup", lambda client: _workgroup(client, workgroup))
    if database := names.database:
        yield Probe("database", "glue", "glue:GetDatabase", lambda client: [_database(client, database)])
        yield Probe("database-tables", "glue", "glue:GetTables", lambda client: _tables(client, database))
    for check, bucket in (("snapshot-bucket", names.snapshot_bucket), ("result-bucket", names.result_bucket)):
        if bucket:
            yield from _bucket_probes(check, bucket)


def _workgroup(athena: "AthenaClient", name: str) -> Iterator[Finding]:
    try:
        group = athena.get_work_group(WorkGroup=name)["WorkGroup"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "InvalidRequestException":
            raise
        yield fail("workgroup", f"there is no workgroup {name}", f"correct chatcensus_workgroup, or {_TEMPLATE}")
        return
    settings: Any = group.get("Configuration", {})
    update = f"aws athena update-work-group --work-group {name}"
    engine = settings.get("EngineVersion", {}).get("EffectiveEngineVersion", "")
    if group.get("State") != "ENABLED":
        yield fail("workgroup", f"{name} is {group.get('State')}", f"{update} --state ENABLED")
    elif engine != _ENGINE:
        remedy = f"{update} --configuration-updates 'EngineVersion={{SelectedEngineVersion=\"{_ENGINE}\"}}'"
        yield fail("workgroup", f"{name} runs {engine or 'an engine that it does not name'}, not {_ENGINE}", remedy)
    else:
        yield ok("workgroup", f"{name}, {engine}")
    results = settings.get("ResultConfiguration", {})
    yield _output(update, settings, results.get("OutputLocation", ""))
    if limit := settings.get("BytesScannedCutoffPerQuery"):
        yield ok("workgroup-limit", f"a statement ends at {limit:,} bytes scanned")
    else:
        remedy = f"{update} --configuration-updates BytesScannedCutoffPerQuery=107374182400"
        yield warn("workgroup-limit", "no limit to what a statement may scan, and cost", remedy)
    if encryption := results.get("EncryptionConfiguration", {}).get("EncryptionOption"):
        yield ok("workgroup-encryption", encryption)
    else:
        yield warn("workgroup-encryption", "results are encrypted by their bucket alone", _TEMPLATE)


def _output(update: str, settings: Any, location: str) -> Finding:
    if not location:
        remedy = f"{update} --configuration-updates ResultConfigurationUpdates={{OutputLocation=s3://BUCKET/athena/}}"
        return fail("workgroup-output", "no place for results, and our statements name none", remedy)
    if not settings.get("EnforceWorkGroupConfiguration"):
        remedy = f"{update} --configuration-updates EnforceWorkGroupConfiguration=true"
        return warn("workgroup-output", f"{location}, but not enforced: a client may write elsewhere", remedy)
    return ok("workgroup-output", f"{location}, enforced")


def _database(glue: "GlueClient", name: str) -> Finding:
    try:
        glue.get_database(Name=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "EntityNotFoundException":
            raise
        return fail("database", f"there is no Glue database {name}", f"correct chatcensus_database, or {_TEMPLATE}")
    return ok("database", name)


def _tables(glue: "GlueClient", database: str) -> Iterator[Finding]:
    try:
        tables = glue.get_tables(DatabaseName=database, MaxResults=100)["TableList"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "EntityNotFoundException":
            raise
        return  # `database` says so
    told = f"{len(tables)} can be read" if tables else "none yet: the first run makes them"
    yield ok("database-tables", told)


def _bucket_probes(check: str, bucket: str) -> Iterator[Probe]:
    looks: list[tuple[str, str, Callable[..., Finding]]] = [
        ("", "s3:ListBucket (without a condition on the prefix)", _bucket),
        ("-public", "s3:GetBucketPublicAccessBlock", _public),
        ("-encryption", "s3:GetEncryptionConfiguration", _bucket_encryption),
    ]
    if check == "snapshot-bucket":
        looks.append(("-lifecycle", "s3:GetLifecycleConfiguration", _lifecycle))
    for suffix, action, look in looks:
        yield Probe(check + suffix, "s3", action, partial(_unless_absent, look, check + suffix, bucket))


def _unless_absent(look: Callable[..., Finding], check: str, bucket: str, s3: "S3Client") -> Iterator[Finding]:
    """Yield what *look* finds; nothing where the bucket is not there, which its first look says."""
    try:
        yield look(check, bucket, s3)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucket":
            raise


def _bucket(check: str, bucket: str, s3: "S3Client") -> Finding:
    variable = f"chatcensus_{check.replace('-', '_')}"
    try:
        region = s3.head_bucket(Bucket=bucket).get("BucketRegion", s3.meta.region_name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchBucket") or not is_from_aws(error):
            raise
        return fail(check, f"there is no bucket {bucket}", f"correct {variable}, or {_TEMPLATE}")
    if region != s3.meta.region_name:
        found = f"{bucket} is in {region}, and all else in {s3.meta.region_name}"
        return fail(check, found, f"set {variable} to a bucket of {s3.meta.region_name}")
    return ok(check, f"{bucket} in {region}; whether it may be written, the first run tells")


def _public(check: str, bucket: str, s3: "S3Client") -> Finding:
    try:
        block: dict[str, Any] = dict(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchPublicAccessBlockConfiguration":
            raise
        block = {}
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    if off := [name for name in names if not block.get(name)]:
        on = ",".join(f"{name}=true" for name in names)
        remedy = f"aws s3api put-public-access-block --bucket {bucket} --public-access-block-configuration {on}"
        return fail(check, f"{bucket} could be opened to everybody: {', '.join(off)} off", remedy)
    return ok(check, "public access is blocked")


def _bucket_encryption(check: str, bucket: str, s3: "S3Client") -> Finding:
    try:
        rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ServerSideEncryptionConfigurationNotFoundError":
            raise
        return warn(check, f"{bucket} names no encryption", f"{_TEMPLATE}, which sets AES256")
    default = rules[0].get("ApplyServerSideEncryptionByDefault", {}) if rules else {}
    return ok(check, " ".join(filter(None, (default.get("SSEAlgorithm", "by S3"), default.get("KMSMasterKeyID")))))


def _lifecycle(check: str, bucket: str, s3: "S3Client") -> Finding:
    try:
        rules: list[Any] = list(s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchLifecycleConfiguration":
            raise
        rules = []
    days = [
        rule["Expiration"]["Days"]
        for rule in rules
        if rule["Status"] == "Enabled" and "Days" in rule.get("Expiration", {}) and _covers_exports(rule)
    ]
    remedy = f"{_TEMPLATE}, or give {bucket} a rule that ends `exports/` after 7 to {_MOST_DAYS} days"
    if not days:
        return warn(check, "whole conversations stay for ever: no rule ends the exports", remedy)
    if min(days) > _MOST_DAYS:
        return warn(check, f"whole conversations stay {min(days)} days, more than {_MOST_DAYS}", remedy)
    return ok(check, f"exports end after {min(days)} days")


def _covers_exports(rule: Any) -> bool:
    narrower = set(rule.get("Filter", {})) - {"Prefix"}
    return not narrower and "exports/".startswith(rule.get("Filter", rule).get("Prefix", ""))
