"""A bucket by its address: `s3://bucket/folder?endpoint=https://host:port&region=eu-west-1`."""

from functools import partial
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote

import boto3
from botocore.config import Config

from studio.blobs.s3 import S3Store
from studio.blobs.store import check_key

OPTIONS = {"endpoint", "region", "addressing"}
CONFIG: dict[str, Any] = {
    "connect_timeout": 5,
    "read_timeout": 30,
    # The first try, and three more of what may have passed meanwhile.
    "retries": {"mode": "standard", "total_max_attempts": 4},
    "max_pool_connections": 32,
    # We send the SHA-256 of everything; services other than Amazon's know no other sums.
    "request_checksum_calculation": "when_required",
    "response_checksum_validation": "when_required",
}


def open_s3(parts: SplitResult) -> S3Store:
    """The store at the address. No request is made. Raises ValueError for an address it can't be;
    the message quotes nothing of it, which may hold secrets."""
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if not parts.hostname or parts.username or parts.password or parts.port or parts.fragment:
        raise ValueError(
            "An S3 store is written s3://bucket/folder?endpoint=…&region=…; its secrets belong in "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    if set(options) - OPTIONS:
        raise ValueError(f"An S3 store takes only {', '.join(sorted(OPTIONS))} behind the '?'.")
    endpoint = options.get("endpoint", "")
    if endpoint and not endpoint.startswith(("https://", "http://")):
        raise ValueError("The endpoint of an S3 store begins with https:// or http://.")
    folder = unquote(parts.path).strip("/")
    prefix = f"{check_key(folder)}/" if folder else ""
    # As written: urlsplit makes host names lower-case, and so are buckets.
    return S3Store(partial(_client, options), parts.netloc, prefix)


def _client(options: dict[str, str]) -> Any:
    style: Any = {"addressing_style": options.get("addressing") or "auto"}
    return boto3.session.Session().client(
        "s3",
        endpoint_url=options.get("endpoint") or None,
        region_name=options.get("region") or None,
        config=Config(s3=style, **CONFIG),
    )
