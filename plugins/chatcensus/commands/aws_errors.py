"""What went wrong with AWS, in one line with a remedy; never what was sent or received."""

_OF_CODE = {
    "AccessDenied": "allow it to the role or user of these credentials",
    "ExpiredToken": "the credentials have expired: sign in again",
    "NoSuchBucket": "there is no such bucket: check its name, the account and the Region",
    "NotFound": "check the names of table, model and bucket, and the access",
    "ResourceNotFound": "check the names of table, model and bucket, the account and the Region",
    "Throttling": "AWS is asked too much at the moment: try again later",
    "ProvisionedThroughputExceeded": "the table is busy: try again later, or read fewer --items",
    "UnrecognizedClient": "these credentials are not known: check them, and AWS_ENDPOINT_URL if it is set",
    "InvalidSignature": "these credentials are not known: check them, and the clock of this machine",
}
_OF_TYPE = {
    "NoRegionError": "no Region is set: set AWS_DEFAULT_REGION, or `region` of the profile",
    "NoCredentialsError": "no credentials are found: sign in, or set AWS_PROFILE",
    "PartialCredentialsError": "the credentials are incomplete: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "ProfileNotFound": "the profile of AWS_PROFILE is not there: check its name and ~/.aws/config",
    "TokenRetrievalError": "the sign-in has expired: run `aws sso login`",
    "UnauthorizedSSOTokenError": "the sign-in has expired: run `aws sso login`",
    "SSOTokenLoadError": "nobody is signed in: run `aws sso login`",
}


def line_of(error: Exception) -> str | None:
    """Return the line about *error*; None when it is none of AWS."""
    from botocore.exceptions import BotoCoreError, ClientError

    if isinstance(error, ClientError):  # its message may quote the request
        code = error.response["Error"]["Code"]
        short = code.removesuffix("Exception")
        remedy = _OF_CODE.get(short, _OF_CODE["NotFound"])
        return f"{error.operation_name} answered {code}: {remedy}"
    if isinstance(error, BotoCoreError):
        what = type(error).__name__
        remedy = _OF_TYPE.get(what, "check Region, credentials, names and, if it is set, AWS_ENDPOINT_URL")
        return f"AWS cannot be asked ({what}): {remedy}"
    if isinstance(error, ValueError) and str(error).startswith("Invalid endpoint"):  # botocore has no class for it
        return f"{error}: correct AWS_ENDPOINT_URL, or the Region"
    return None
