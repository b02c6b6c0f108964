"""The gateways that are measured, each with the same function behind every source that it has."""

from __future__ import annotations

import io
import os
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

from benchmarks.contenders import ROOT
from mangum.local.sources import SOURCES
from tests.local.serving import Serving, descendants, descriptors
from tests.servers import HOST, Server
from tests.websockets.ministack import REGION, SETTINGS

OURS, MINISTACK = "ours", "MiniStack"
FUNCTION = "benchmarks.gateway_function"
HANDLER = f"{FUNCTION}:handler"
MAIN = "http"
LOGGED = "http, a line logged"
PATH, LOGGED_PATH = "items/42", "log"
STAGE = "prod"


class Ours:
    """`mangum serve`, with all sources at one port."""

    name = OURS

    def __init__(self, *options: str) -> None:
        others = [name for name in SOURCES if name != MAIN]
        also = [word for name in others for word in ("--also", f"{name}:/{name}")]
        self.serving = Serving(HANDLER, "--source", MAIN, *also, *options)
        self.pid = self.serving.pid
        url = self.serving.url
        self.urls = {MAIN: f"{url}{PATH}", LOGGED: f"{url}{LOGGED_PATH}"}
        self.urls |= {name: f"{url}{name}/{PATH}" for name in others}

    def close(self) -> None:
        self.serving.stop()
        self.serving.kill()


class MiniStack:
    """MiniStack, with the function in processes that it starts. It need not check signatures."""

    name = MINISTACK

    def __init__(self) -> None:
        self._server = Server(_command)
        self.pid = self._server.pid
        self._url = f"http://{HOST}:{self._server.port}/_aws"
        try:
            self.urls = self._deploy()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._server.close()

    def _deploy(self) -> dict[str, str]:
        arn = self._client("lambda").create_function(
            FunctionName="bare",
            Runtime="python{}.{}".format(*sys.version_info),
            Role="arn:aws:iam::000000000000:role/bare",
            Handler=f"{FUNCTION}.handler",
            Code={"ZipFile": _empty_archive()},  # the module is imported from this tree
            Timeout=20,
        )["FunctionArn"]
        url = self._deploy_http(arn, "2.0")
        return {
            MAIN: f"{url}{PATH}",
            LOGGED: f"{url}{LOGGED_PATH}",
            "rest": f"{self._deploy_rest(arn)}{PATH}",
            "http-1": f"{self._deploy_http(arn, '1.0')}{PATH}",
            "url": f"{self._deploy_url()}{PATH}",
        }

    def _deploy_rest(self, arn: str) -> str:
        client = self._client("apigateway")
        api = client.create_rest_api(name="bare")["id"]
        root = client.get_resources(restApiId=api)["items"][0]["id"]
        where = {
            "restApiId": api,
            "resourceId": client.create_resource(restApiId=api, parentId=root, pathPart="{proxy+}")[
                "id"
            ],
            "httpMethod": "ANY",
        }
        client.put_method(**where, authorizationType="NONE")
        uri = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn}/invocations"
        client.put_integration(**where, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
        client.create_deployment(restApiId=api, stageName=STAGE)
        return f"{self._url}/execute-api/{api}/{STAGE}/"

    def _deploy_http(self, arn: str, version: str) -> str:
        client = self._client("apigatewayv2")
        api = client.create_api(Name="bare", ProtocolType="HTTP")["ApiId"]
        integration = client.create_integration(
            ApiId=api,
            IntegrationType="AWS_PROXY",
            IntegrationUri=arn,
            PayloadFormatVersion=version,
        )["IntegrationId"]
        client.create_route(ApiId=api, RouteKey="$default", Target=f"integrations/{integration}")
        client.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
        return f"{self._url}/execute-api/{api}/"

    def _deploy_url(self) -> str:
        made = self._client("lambda").create_function_url_config(
            FunctionName="bare", AuthType="NONE"
        )
        identifier = made["FunctionUrl"].removeprefix("http://").removeprefix("https://")
        return f"{self._url}/lambda-url/{identifier.partition('.')[0]}/"

    def _client(self, service: str) -> Any:
        import boto3

        return boto3.client(
            service,
            endpoint_url=self._url.removesuffix("/_aws"),
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )


class Usage:
    """What the processes of a gateway use, where /proc tells."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._before = self._cpu_s()

    def per_request_us(self, requests: int) -> tuple[float, float]:
        """Processor time of the gateway and of everything that it has started, since the last."""
        now = self._cpu_s()
        gateway, others = (after - before for after, before in zip(now, self._before, strict=True))
        self._before = now
        return 1e6 * gateway / requests, 1e6 * others / requests

    def memory_mb(self) -> tuple[float, list[float]]:
        """What is resident of the gateway, and of each process that it has started."""
        return _resident_mb(self._pid), [_resident_mb(it) for it in descendants(self._pid)]

    def counts(self) -> tuple[int, int]:
        """How many descriptors it has open, and how many processes it has started."""
        return descriptors(self._pid), len(descendants(self._pid))

    def _cpu_s(self) -> tuple[float, float]:
        return _cpu_s(self._pid), sum(map(_cpu_s, descendants(self._pid)))


def _cpu_s(pid: int) -> float:
    """Source: CPUCLOCK_SCHED and MAKE_PROCESS_CPUCLOCK of Linux's posix-timers.h"""
    return time.clock_gettime((~pid << 3) | 2)


def _resident_mb(pid: int) -> float:
    statm = Path(f"/proc/{pid}/statm").read_text(encoding="ascii")
    return int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _command(folder: Path, port: int) -> list[str]:
    variables = {
        **SETTINGS,
        "AUTH": "false",
        "AWS_EC2_METADATA_DISABLED": "true",
        "GATEWAY_PORT": str(port),
        "LOG_LEVEL": "WARNING",
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(folder),
    }
    assigned = [f"{name}={value}" for name, value in variables.items()]
    return ["env", *assigned, sys.executable, "-m", "ministack"]


def _empty_archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("empty", "")
    return buffer.getvalue()
