"""MiniStack: API Gateway, Lambda, DynamoDB and S3 on this machine, in a process of their own.

It checks every signature, and what a function's role is permitted to do. An environment of a
function is a child process of it, and one function has one environment: events of all connections
follow each other there. What needs two environments takes two functions, told apart by the route.
"""

from __future__ import annotations

import base64
import io
import json
import os
import sys
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.servers import HOST, Server

ROOT = Path(__file__).parent.parent.parent
REGION = "us-east-1"
STAGE = "prod"

FUNCTION_TIMEOUT_S = 20

SETTINGS = {
    "AUTH": "true",
    "BIND_HOST": HOST,
    "IOT_MTLS_ENABLED": "0",  # it would listen on all interfaces
    "LAMBDA_EXECUTOR": "local",
    "PERSIST_STATE": "0",
    "SFTP_ENABLED": "0",
}
LAMBDA = {"Service": "lambda.amazonaws.com"}
PERMITTED = ("dynamodb:*", "execute-api:ManageConnections", "s3:*")


class Invocation(NamedTuple):
    """What a function gave back to whoever called it without a gateway between."""

    result: Any  # of a failed one `{"errorMessage": …}`
    failed: bool
    log: str


class Api(NamedTuple):
    """A WebSocket API that was deployed, and the functions behind it."""

    url: str
    endpoint_url: str
    functions: list[str]


class MiniStack:
    """A running MiniStack. To be closed."""

    functions = f"{__package__}.functions"
    """The package of the modules with handlers."""

    def __init__(self) -> None:
        self._server = Server(_command)
        self._clients: dict[str, Any] = {}
        self.authority = f"{HOST}:{self._server.port}"
        self.url = f"http://{self.authority}"

    def client(self, service: str) -> Any:
        """AWS's own client, with the rights of the account's owner."""
        if service not in self._clients:
            import boto3

            self._clients[service] = boto3.client(
                service,
                endpoint_url=self.url,
                region_name=REGION,
                aws_access_key_id="test",
                aws_secret_access_key="test",
            )
        return self._clients[service]

    def deploy(
        self,
        handler: str,
        environ: Mapping[str, str] | None = None,
        *,
        elsewhere: Iterable[str] = (),
        permitted: Iterable[str] = PERMITTED,
    ) -> Api:
        """Make a WebSocket API of a handler, `"chat.handler"` in tests/websockets/functions.

        The routes named by `elsewhere` are served by a second environment. A message goes to the
        route that its `action` names, if it is JSON, and otherwise to `$default`.
        """
        gateway = self.client("apigatewayv2")
        api_id = gateway.create_api(
            Name=handler,
            ProtocolType="WEBSOCKET",
            RouteSelectionExpression="$request.body.action",
        )["ApiId"]
        path = f"{self.authority}/_aws/execute-api/{api_id}/{STAGE}"
        variables = {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": f"http://{path}",
            **(environ or {}),
        }
        routes = dict.fromkeys(("$connect", "$disconnect", "$default"), 0) | dict.fromkeys(
            elsewhere, 1
        )
        role = self._make_role(api_id, permitted)
        functions = []
        for number in sorted(set(routes.values())):
            name = f"{api_id}-{number}"
            uri = self._make_function(name, handler, role, variables)
            integration = gateway.create_integration(
                ApiId=api_id, IntegrationType="AWS_PROXY", IntegrationUri=uri
            )["IntegrationId"]
            for route in (key for key, value in routes.items() if value == number):
                target = f"integrations/{integration}"
                gateway.create_route(ApiId=api_id, RouteKey=route, Target=target)
            functions.append(name)
        gateway.create_stage(ApiId=api_id, StageName=STAGE, AutoDeploy=True)
        return Api(f"ws://{path}", f"http://{path}", functions)

    def set_variables(self, function: str, environ: Mapping[str, str]) -> None:
        """Change variables of a function; its next event comes to a new environment."""
        before = self.client("lambda").get_function_configuration(FunctionName=function)
        variables = before["Environment"]["Variables"] | environ
        self.client("lambda").update_function_configuration(
            FunctionName=function, Environment={"Variables": variables}
        )

    def invoke(self, function: str, event: Mapping[str, Any]) -> Invocation:
        """Call the function with an event of one's own, in the environment that serves the API."""
        answer = self.client("lambda").invoke(
            FunctionName=function, LogType="Tail", Payload=json.dumps(event)
        )
        log = base64.b64decode(answer.get("LogResult", "")).decode()
        return Invocation(json.load(answer["Payload"]), "FunctionError" in answer, log)

    def close(self) -> None:
        """End it; the environments that it started end with it."""
        for client in self._clients.values():
            client.close()
        self._server.close()

    def _make_role(self, name: str, permitted: Iterable[str]) -> str:
        iam = self.client("iam")
        trust = {"Effect": "Allow", "Principal": LAMBDA, "Action": "sts:AssumeRole"}
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))
        allowed = {"Effect": "Allow", "Action": [*permitted], "Resource": "*"}
        iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=_policy(allowed))
        arn: str = role["Role"]["Arn"]
        return arn

    def _make_function(
        self, name: str, handler: str, role: str, variables: Mapping[str, str]
    ) -> str:
        """The function as an integration names it."""
        arn = self.client("lambda").create_function(
            FunctionName=name,
            Runtime="python{}.{}".format(*sys.version_info),  # it takes the Python it runs on
            Role=role,
            Handler=f"{self.functions}.{handler}",
            Code={"ZipFile": _zipped({"empty": ""})},  # the module is imported from this tree
            Timeout=FUNCTION_TIMEOUT_S,
            Environment={"Variables": variables},
        )["FunctionArn"]
        return f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn}/invocations"


def _command(folder: Path, port: int) -> list[str]:
    """The command, and the variables that it and its environments start with."""
    nowhere = str(folder / "nothing")
    variables = {
        **SETTINGS,
        **{name: value for name, value in os.environ.items() if name.startswith("MANGUM_")},
        "AWS_CONFIG_FILE": nowhere,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": nowhere,
        "GATEWAY_PORT": str(port),
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(folder),
    }
    assigned = [f"{name}={value}" for name, value in variables.items()]
    return ["env", *assigned, sys.executable, "-m", "ministack"]


def _policy(statement: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _zipped(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()
