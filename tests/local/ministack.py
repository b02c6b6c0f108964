"""MiniStack with one function behind a REST API, an HTTP API, a function URL and load balancers."""

from __future__ import annotations

import http.client
from collections.abc import Iterable
from dataclasses import dataclass

from mangum.local.messages import Answer
from tests.servers import HOST
from tests.websockets.ministack import REGION, STAGE, MiniStack

HANG_S = 30


@dataclass(frozen=True)
class Front:
    """One way to the function: the host, and what the path begins with."""

    host: str
    prefix: str = ""


class Fronts(MiniStack):
    """To be closed."""

    functions = f"{__package__}.functions"

    def deploy_fronts(self, handler: str) -> dict[str, Front]:
        """Make all of them for a handler, `"mirror.handler"` in tests/local/functions."""
        uri = self._make_function("fronts", handler, self._make_role("fronts", ["s3:*"]), {})
        arn = uri.partition("functions/")[2].removesuffix("/invocations")
        return {
            "rest": self._rest(uri),
            "http": self._http(uri),
            "url": self._url(),
            "alb": self._load_balancer("single", arn, multi_value=False),
            "alb-multi": self._load_balancer("multi", arn, multi_value=True),
        }

    def ask(
        self,
        front: Front,
        method: str,
        target: str,
        headers: Iterable[tuple[str, str]],
        body: bytes,
    ) -> Answer:
        """Send a request as it is, with nothing added."""
        connection = http.client.HTTPConnection(HOST, int(self.authority.partition(":")[2]), HANG_S)
        try:
            connection.putrequest(
                method, f"{front.prefix}{target}", skip_host=True, skip_accept_encoding=True
            )
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    def _rest(self, uri: str) -> Front:
        client = self.client("apigateway")
        api_id = client.create_rest_api(name="rest", binaryMediaTypes=["image/*"])["id"]
        root = client.get_resources(restApiId=api_id)["items"][0]["id"]
        proxy = client.create_resource(restApiId=api_id, parentId=root, pathPart="{proxy+}")["id"]
        for resource in (root, proxy):
            where = {"restApiId": api_id, "resourceId": resource, "httpMethod": "ANY"}
            client.put_method(**where, authorizationType="NONE")
            client.put_integration(**where, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
        client.create_deployment(restApiId=api_id, stageName=STAGE)
        return Front(f"{api_id}.execute-api.localhost", f"/{STAGE}")

    def _http(self, uri: str) -> Front:
        client = self.client("apigatewayv2")
        api_id = client.create_api(Name="http", ProtocolType="HTTP")["ApiId"]
        integration = client.create_integration(
            ApiId=api_id,
            IntegrationType="AWS_PROXY",
            IntegrationUri=uri,
            PayloadFormatVersion="2.0",
        )["IntegrationId"]
        target = f"integrations/{integration}"
        client.create_route(ApiId=api_id, RouteKey="$default", Target=target)
        client.create_stage(ApiId=api_id, StageName=STAGE, AutoDeploy=True)
        return Front(f"{api_id}.execute-api.localhost", f"/{STAGE}")

    def _url(self) -> Front:
        client = self.client("lambda")
        made = client.create_function_url_config(FunctionName="fronts", AuthType="NONE")
        client.add_permission(
            FunctionName="fronts",
            StatementId="public",
            Action="lambda:InvokeFunctionUrl",
            Principal="*",
            FunctionUrlAuthType="NONE",
        )
        url_id = made["FunctionUrl"].partition("://")[2].partition(".")[0]
        return Front(f"{url_id}.lambda-url.{REGION}.localhost")

    def _load_balancer(self, name: str, arn: str, *, multi_value: bool) -> Front:
        client = self.client("elbv2")
        balancer = client.create_load_balancer(Name=name, Subnets=["subnet-1", "subnet-2"])
        group = client.create_target_group(Name=name, TargetType="lambda")
        group_arn = group["TargetGroups"][0]["TargetGroupArn"]
        client.modify_target_group_attributes(
            TargetGroupArn=group_arn,
            Attributes=[
                {
                    "Key": "lambda.multi_value_headers.enabled",
                    "Value": "true" if multi_value else "false",
                }
            ],
        )
        client.register_targets(TargetGroupArn=group_arn, Targets=[{"Id": arn}])
        client.create_listener(
            LoadBalancerArn=balancer["LoadBalancers"][0]["LoadBalancerArn"],
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": group_arn}],
        )
        return Front(f"{name}.alb.localhost")
