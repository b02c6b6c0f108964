"""The context object of one invocation, with what Lambda's Python runtime gives it.

Source: https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
"""

from __future__ import annotations

import os
import sys
import time
import uuid
from dataclasses import dataclass
from typing import Any

ACCOUNT_ID = "123456789012"


@dataclass
class Identity:
    cognito_identity_id: str | None = None
    cognito_identity_pool_id: str | None = None


class Context:
    """What Lambda passes beside the event; its own environment variables count if they are set."""

    def __init__(self, function_name: str, timeout_s: float) -> None:
        env = os.environ
        region = env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or "us-east-1"
        self.function_name = env.get("AWS_LAMBDA_FUNCTION_NAME") or function_name
        self.function_version = env.get("AWS_LAMBDA_FUNCTION_VERSION") or "$LATEST"
        self.invoked_function_arn = (
            f"arn:aws:lambda:{region}:{ACCOUNT_ID}:function:{self.function_name}"
        )
        self.memory_limit_in_mb = env.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE") or "128"
        self.aws_request_id = str(uuid.uuid4())
        self.log_group_name = (
            env.get("AWS_LAMBDA_LOG_GROUP_NAME") or f"/aws/lambda/{self.function_name}"
        )
        day = time.strftime("%Y/%m/%d", time.gmtime())
        self.log_stream_name = (
            env.get("AWS_LAMBDA_LOG_STREAM_NAME")
            or f"{day}/[{self.function_version}]{uuid.uuid4().hex}"
        )
        self.identity = Identity()
        self.client_context: Any = None
        self.tenant_id: str | None = None
        self._deadline_s = time.monotonic() + timeout_s

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline_s - time.monotonic()) * 1000))

    def log(self, message: object) -> None:
        """Lambda's logs go to stderr here."""
        sys.stderr.write(str(message))
