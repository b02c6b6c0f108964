"""The deployment files: tools accept them, they name what exists, and all three say the same."""

from __future__ import annotations

import ast
import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mangum.packaging.application import collect
from mangum.packaging.handlers import find_handler
from tests.examples.folders import EXAMPLES, HANDLER, NAMES, read, read_yaml, sources

FILES = ("template.yaml", "serverless.yml", "main.tf", "Dockerfile", "README.md")
SOCKETS = ["chat", "django", "facade"]
REMEMBERED = ["chat", "django"]  # by Mangum; `MangumWS` remembers nothing
ROUTES = {"$connect", "$default", "$disconnect"}
SENDING = "execute-api:ManageConnections"
LONGEST_S = 30
OLDER = sys.version_info < (3, 13)
PLUGINS = os.environ.get("MANGUM_TERRAFORM_PLUGINS", "")
"""A folder with Terraform's provider for AWS, as `terraform providers mirror` fills it."""

SERVERLESS_KEYS = {
    "": {"service", "frameworkVersion", "provider", "package", "functions", "resources"},
    "provider": {
        *("name", "runtime", "architecture", "memorySize", "timeout", "environment", "iam")
    },
    "provider.iam": {"role"},
    "provider.iam.role": {"statements"},
    "package": {"artifact"},
    "functions": {"function"},
    "functions.function": {"handler", "events"},
    "resources": {"Resources"},
}
"""What may stand where: what the examples use of the Serverless Framework's own schema."""

EVENT_KEYS = {"httpApi": None, "websocket": None, "schedule": None, "sqs": {"arn", "batchSize"}}

every_example = pytest.mark.parametrize("name", NAMES)
newest = pytest.mark.skipif(OLDER, reason="the tools are tried on the newest Python alone")


def resources(name: str, kind: str) -> dict[str, Any]:
    """The properties of a template's resources of a kind."""
    found = read_yaml(name, "template.yaml")["Resources"]
    return {key: it.get("Properties", {}) for key, it in found.items() if it["Type"] == kind}


def function(name: str) -> Any:
    (found,) = resources(name, "AWS::Serverless::Function").values()
    return found


# --- what all files agree upon --------------------------------------------------------------------


@every_example
def test_every_way_to_deploy_is_there(name: str) -> None:
    assert [file for file in FILES if not (EXAMPLES / name / file).exists()] == []


@every_example
def test_the_handler_that_the_files_name_exists(name: str) -> None:
    tree = ast.parse(read(name, "main.py"))
    assigned = [ast.unparse(it.targets[0]) for it in tree.body if isinstance(it, ast.Assign)]
    assert assigned.count("handler") == 1
    assert function(name)["Handler"] == HANDLER
    assert read_yaml(name, "serverless.yml")["functions"]["function"]["handler"] == HANDLER
    assert json.loads(command(name)) == [HANDLER]
    assert (find_handler(EXAMPLES / name) or "").replace(":", ".") == HANDLER
    assert f'"{HANDLER}"' in read("terraform", "function/main.tf")


@every_example
def test_the_files_set_the_same_variables_and_the_example_reads_them(name: str) -> None:
    variables = set(function(name).get("Environment", {}).get("Variables", {}))
    assert set(read_yaml(name, "serverless.yml")["provider"].get("environment", {})) == variables
    block = re.search(r"environment = \{\n(.*?)\n  \}", read(name, "main.tf"), re.DOTALL)
    assert set(re.findall(r"^\s+(\w+) ", block[1] if block else "", re.MULTILINE)) == variables
    assert [it for it in variables if f'"{it}"' not in sources(name)] == []
    assert [it for it in variables if f"\n| `{it}` |" not in read(name, "README.md")] == []


@every_example
def test_the_files_agree_upon_runtime_and_time(name: str) -> None:
    provider = read_yaml(name, "serverless.yml")["provider"]
    properties = function(name)
    assert properties["Runtime"] == provider["runtime"] == "python3.13"
    assert properties["Timeout"] == provider["timeout"] <= LONGEST_S
    assert properties["MemorySize"] == provider["memorySize"]
    terraform = read("terraform", "function/main.tf")
    assert 'runtime          = "python3.13"' in terraform
    given = re.search(r"timeout_s = (\d+)", read(name, "main.tf"))
    default = re.search(r'"timeout_s" \{\n.*\n  default = (\d+)', terraform)
    assert default is not None
    assert int((given or default)[1]) == properties["Timeout"]


@every_example
def test_the_files_allow_the_same_actions(name: str) -> None:
    """SAM and the Serverless Framework add by themselves what a queue takes."""
    policies = function(name).get("Policies", [])
    sam = {it for policy in policies for it in actions(policy["Statement"])}
    role = read_yaml(name, "serverless.yml")["provider"].get("iam", {"role": {"statements": []}})
    assert set(actions(role["role"]["statements"])) == sam
    text = read(name, "main.tf")
    for module, statement in (("connections", "use"), ("websocket_api", "manage_connections")):
        if f"module.{module}.{statement}" in text:
            text += read("terraform", f"{module}/main.tf")
    allowed = set(re.findall(r'"((?:dynamodb|execute-api|sqs):\w+)"', text))
    assert {it for it in allowed if not it.startswith("sqs:")} == sam
    assert (SENDING in sam) == (name in SOCKETS)


def actions(statements: list[dict[str, Any]]) -> list[str]:
    found = [it["Action"] for it in statements]
    return [name for it in found for name in ([it] if isinstance(it, str) else it)]


# --- AWS SAM --------------------------------------------------------------------------------------


@newest
def test_cfn_lint_finds_nothing_in_the_templates() -> None:
    pytest.importorskip("cfnlint")
    templates = [str(EXAMPLES / name / "template.yaml") for name in NAMES]
    code = "from cfnlint.runner import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--", *templates],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("name", SOCKETS)
def test_a_websocket_api_has_its_routes_and_may_call_the_function(name: str) -> None:
    (api,) = resources(name, "AWS::ApiGatewayV2::Api").values()
    (integration,) = resources(name, "AWS::ApiGatewayV2::Integration").values()
    (permission,) = resources(name, "AWS::Lambda::Permission").values()
    routes = resources(name, "AWS::ApiGatewayV2::Route")
    assert api["ProtocolType"] == "WEBSOCKET"
    assert integration["IntegrationType"] == "AWS_PROXY"
    assert permission["Principal"] == "apigateway.amazonaws.com"
    assert {it["RouteKey"] for it in routes.values()} == ROUTES
    deployment = read_yaml(name, "template.yaml")["Resources"]["Deployment"]
    assert set(deployment["DependsOn"]) == set(routes)  # else it may have none of them
    events = read_yaml(name, "serverless.yml")["functions"]["function"]["events"]
    assert {it["websocket"] for it in events if "websocket" in it} == ROUTES


@pytest.mark.parametrize("name", REMEMBERED)
def test_the_table_of_connections_is_as_the_documentation_has_it(name: str) -> None:
    expected = {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "connectionId", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "connectionId", "KeyType": "HASH"}],
        "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True},
    }
    assert resources(name, "AWS::DynamoDB::Table")["Connections"] == expected


@pytest.mark.parametrize("name", NAMES)
def test_sam_and_serverless_make_the_same_tables_and_queues(name: str) -> None:
    kinds = ("AWS::DynamoDB::Table", "AWS::SQS::Queue")
    sam = read_yaml(name, "template.yaml")["Resources"]
    serverless = read_yaml(name, "serverless.yml").get("resources", {"Resources": {}})
    expected = {key: it for key, it in sam.items() if it["Type"] in kinds}
    assert serverless["Resources"] == expected


def test_the_queue_of_the_worker_takes_back_what_failed() -> None:
    queue = function("worker")["Events"]["Orders"]["Properties"]
    assert queue["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    hidden_s = resources("worker", "AWS::SQS::Queue")["Orders"]["VisibilityTimeout"]
    assert hidden_s >= 6 * function("worker")["Timeout"]  # as AWS's guide to queues advises
    events = read_yaml("worker", "serverless.yml")["functions"]["function"]["events"]
    assert events[0]["sqs"]["functionResponseType"] == "ReportBatchItemFailures"
    assert 'function_response_types = ["ReportBatchItemFailures"]' in read("worker", "main.tf")


# --- the Serverless Framework ---------------------------------------------------------------------


@every_example
def test_serverless_files_have_known_keys_alone(name: str) -> None:
    document = read_yaml(name, "serverless.yml")
    for path, keys in SERVERLESS_KEYS.items():
        part: Any = document
        for step in filter(None, path.split(".")):
            part = part.get(step, {})
        assert set(part) <= keys, path
    events = document["functions"]["function"]["events"]
    assert {key for event in events for key in event} <= set(EVENT_KEYS)
    assert re.fullmatch(r"[a-z][a-z-]*", document["service"])


@every_example
def test_the_package_that_is_deployed_is_the_one_that_is_told_to_make(name: str) -> None:
    made = re.findall(r"^\$ mangum package .*-o (\S+)$", read("", "README.md"), re.MULTILINE)
    assert set(made) == {read_yaml(name, "serverless.yml")["package"]["artifact"]}
    terraform = read("terraform", "function/main.tf")
    assert re.findall(r'"package" \{\n.*\n  default = "(\S+)"', terraform) == list(set(made))


# --- Terraform ------------------------------------------------------------------------------------


def terraform(folder: Path, *arguments: str) -> str:
    """What it says. Skips the test where it is not installed."""
    program = shutil.which("terraform")
    if program is None:
        pytest.skip("Terraform is not installed")
    environment = {**os.environ, "CHECKPOINT_DISABLE": "1"}
    environment.pop("TF_CLI_CONFIG_FILE", None)
    done = subprocess.run(
        [program, *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@newest
def test_terraform_files_are_formatted() -> None:
    assert terraform(EXAMPLES, "fmt", "-check", "-recursive", "-diff") == ""


@newest
def test_terraform_finds_all_examples_valid(tmp_path: Path) -> None:
    """They are modules of one configuration, so that the provider is started once."""
    if not PLUGINS:
        pytest.skip("MANGUM_TERRAFORM_PLUGINS names no folder with the provider for AWS")
    for file in EXAMPLES.rglob("*.tf"):
        copy = tmp_path / file.relative_to(EXAMPLES)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    modules = [f'module "{name}" {{\n  source = "./{name}"\n}}\n' for name in NAMES]
    (tmp_path / "main.tf").write_text("".join(modules), encoding="utf-8")
    terraform(tmp_path, "init", "-backend=false", "-input=false", f"-plugin-dir={PLUGINS}")
    result = json.loads(terraform(tmp_path, "validate", "-json"))
    assert (result["valid"], result["diagnostics"]) == (True, [])


# --- the image ------------------------------------------------------------------------------------


def instructions(name: str) -> list[tuple[str, str]]:
    """`[("FROM", "public.ecr.aws/lambda/python:3.13"), …]`"""
    lines = read(name, "Dockerfile").replace("\\\n", "").splitlines()
    return [(verb, rest) for line in lines for verb, _, rest in [line.partition(" ")]]


def command(name: str) -> str:
    (found,) = [rest for verb, rest in instructions(name) if verb == "CMD"]
    return found


@every_example
def test_an_image_is_made_for_lambda(name: str) -> None:
    verbs = [verb for verb, _ in instructions(name)]
    assert verbs[0] == "FROM"
    assert set(verbs) == {"FROM", "COPY", "RUN", "CMD"}
    assert instructions(name)[0][1] == "public.ecr.aws/lambda/python:3.13"


@every_example
def test_an_image_has_every_file_that_the_function_needs(name: str) -> None:
    copied: set[str] = set()
    for verb, rest in instructions(name):
        if verb == "COPY":
            copied.update(rest.split()[:-1])
    exact = {it for it in copied if "*" not in it}
    assert [it for it in exact if not (EXAMPLES / name / it).exists()] == []

    folder = EXAMPLES / name
    needed = {path.partition("/")[0] for path in collect(folder).files}
    not_of_the_function = {"README.md", "demo.py", "events"}
    assert [
        it
        for it in needed - not_of_the_function
        if not any(fnmatch.fnmatch(it, pattern) for pattern in copied)
    ] == []
