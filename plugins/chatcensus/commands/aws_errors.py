"""What went wrong with AWS, in one line with a remedy; never what was sent or received."""

_ALLOW = "allow it to the role or user of these credentials"
_CREDENTIALS = "these credentials are not known: check them, and AWS_ENDPOINT_URL if it is set"
_CLOCK = "AWS refuses what is signed more than five minutes off: set the clock of this machine"
_REGION = "the bucket is in another Region: set AWS_DEFAULT_REGION to it"

_OF_CODE = {
    "301": _REGION,
    "403": _ALLOW,  # a HEAD has no body that could say more
    "AccessDenied": _ALLOW,
    "AuthorizationHeaderMalformed": _REGION,
    "ExpiredToken": "the credentials have expired: sign in again",
    "InvalidAccessKeyId": _CREDENTIALS,
    "InvalidClientTokenId": _CREDENTIALS,
    "InvalidSignature": "these credentials are not known: check them, and the clock of this machine",
    "NoSuchBucket": "there is no such bucket: check its name, the account and the Region",
    "NotFound": "check the names of table, model and bucket, and the access",
    "PermanentRedirect": _REGION,
    "ProvisionedThroughputExceeded": "the table is busy: try again later, or read fewer --items",
    "RequestExpired": _CLOCK,
    "RequestTimeTooSkewed": _CLOCK,
    "ResourceNotFound": "check the names of table, model and bucket, the account and the Region",
    "SignatureDoesNotMatch": "these credentials are not known: check them, and the clock of this machine",
    "Throttling": "AWS is asked too much at the moment: try again later",
    "UnrecognizedClient": _CREDENTIALS,
}
_OF_TYPE = {
    "NoRegionError": "no Region is set: set AWS_DEFAULT_REGION, or `region` of the profile",
    "NoCredentialsError": "no credentials are found: sign in, or set AWS_PROFILE",
    "ParamValidationError": "AWS allows no such name: check those of table and bucket",
    "PartialCredentialsError": "the credentials are incomplete: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "ProfileNotFound": "the profile of AWS_PROFILE is not there: check its name and ~/.aws/config",
    "TokenRetrievalError": "the sign-in has expired: run `aws sso login`",
    "UnauthorizedSSOTokenError": "the sign-in has expired: run `aws sso login`",
    "SSOTokenLoadError": "nobody is signed in: run `aws sso login`",
}


def line_of(error: Exception) -> str | None:
    """Return the line about *error*; None when it is none of AWS."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    from chatcensus.aws.probing import address_of, is_from_aws

    what = type(error).__name__
    if isinstance(error, ResponseParserError) or (isinstance(error, ClientError) and not is_from_aws(error)):
        return f"AWS cannot be asked ({what}): somebody answers who is not AWS: check the proxy, and AWS_ENDPOINT_URL"
    if isinstance(error, ClientError):  # its message may quote the request
        code = error.response["Error"]["Code"]
        remedy = _OF_CODE.get(code.removesuffix("Exception"), _OF_CODE["NotFound"])
        return f"{error.operation_name} answered {code}: {remedy}"
    if isinstance(error, BotoCoreError):
        if address := address_of(error):
            return f"no answer from {address} ({what}): check network, Region and, if it is set, AWS_ENDPOINT_URL"
        remedy = _OF_TYPE.get(what, "check Region, credentials, names and, if it is set, AWS_ENDPOINT_URL")
        return f"AWS cannot be asked ({what}): {remedy}"
    if isinstance(error, ValueError) and str(error).startswith("Invalid endpoint"):  # botocore has no class for it
        return f"{error}: correct AWS_ENDPOINT_URL, or the Region"
    return None
