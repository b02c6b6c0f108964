"""What must hold of the workflows, read as data, beside what zizmor and actionlint look for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parent.parent
GITHUB = ROOT / ".github"
PATHS = sorted((GITHUB / "workflows").glob("*.yml"))
WORKFLOWS: dict[str, dict[str, Any]] = {
    path.name: yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader) for path in PATHS
}
"""By the file's name. The base loader leaves all scalars text, and the key `on` as it is."""

pytestmark = pytest.mark.skipif(not PATHS, reason="an sdist holds no workflows")
each_workflow = pytest.mark.parametrize("name", WORKFLOWS)

OURS = re.compile(
    r"(?<![\w./-])((?:\.github|benchmarks|mangum|scripts|tests|examples)/[\w./-]*[\w/])"
)
WRITES = {
    ("release.yml", "attest"): {"attestations": "write", "id-token": "write"},
    ("release.yml", "publish"): {"id-token": "write"},
    ("release.yml", "release"): {"contents": "write"},
}
"""Every job that may write anything. The others read the repository, or not even that."""


def jobs(name: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = WORKFLOWS[name]["jobs"]
    return found


def steps(name: str) -> Iterator[dict[str, Any]]:
    for job in jobs(name).values():
        yield from job["steps"]


def commands(name: str) -> str:
    return "\n".join(step["run"] for step in steps(name) if "run" in step)


def supported() -> list[str]:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return re.findall(r'"Programming Language :: Python :: (3\.\d+)"', text)


def matrix(name: str, job: str) -> dict[str, Any]:
    found: dict[str, Any] = jobs(name)[job]["strategy"]["matrix"]
    return found


# --- all of them ----------------------------------------------------------------------------------


@each_workflow
def test_actions_are_pinned_by_commit_with_their_version_beside(name: str) -> None:
    text = (GITHUB / "workflows" / name).read_text(encoding="utf-8")
    used = re.findall(r"uses: *(.+)", text)
    pinned = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [it for it in used if not pinned.fullmatch(it)] == []


def test_an_action_has_the_same_pin_wherever_it_is_used() -> None:
    used = {step["uses"] for name in WORKFLOWS for step in steps(name) if "uses" in step}
    names = [it.partition("@")[0] for it in used]
    assert sorted(names) == sorted(set(names))


@each_workflow
def test_a_job_has_no_permission_that_it_does_not_name(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] == {}
    for job, content in jobs(name).items():
        writes = WRITES.get((name, job))
        assert content["permissions"] in ([writes] if writes else [{}, {"contents": "read"}]), job


@each_workflow
def test_a_job_ends_and_gives_way(name: str) -> None:
    assert WORKFLOWS[name]["concurrency"]["group"]
    for content in jobs(name).values():
        assert 0 < int(content["timeout-minutes"]) <= 60


@each_workflow
def test_a_checkout_leaves_no_credentials_behind(name: str) -> None:
    checkouts = [it for it in steps(name) if it.get("uses", "").startswith("actions/checkout@")]
    assert all(it["with"] == {"persist-credentials": "false"} for it in checkouts)


@each_workflow
def test_nothing_is_pasted_into_a_command(name: str) -> None:
    assert "${{" not in commands(name)


@each_workflow
def test_nothing_runs_on_what_a_fork_may_write_with_our_permissions(name: str) -> None:
    assert (
        not {"pull_request_target", "workflow_run", "issue_comment"} & WORKFLOWS[name]["on"].keys()
    )


@each_workflow
def test_make_targets_that_are_called_exist(name: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
    called = re.findall(r"^\s*make (?:--\w+ )*(\w+)", commands(name), re.MULTILINE)
    assert set(called) <= targets


@each_workflow
def test_files_that_are_named_exist(name: str) -> None:
    paths = [it for step in steps(name) for it in OURS.findall(str(step.get("run", "")))]
    on = WORKFLOWS[name]["on"]
    triggers = (on.get("pull_request") or {}).get("paths", []) if isinstance(on, dict) else []
    paths += [it.removesuffix("/**") for it in triggers]
    assert [it for it in paths if not (ROOT / it).exists()] == []


@each_workflow
def test_stages_that_are_called_exist(name: str) -> None:
    suite = (ROOT / "scripts" / "suite.py").read_text(encoding="utf-8")
    known = re.findall(r'^        "(\w+)": (?:\[|testing)', suite, re.MULTILINE)
    called = re.findall(r"scripts/suite\.py ((?:\w+ ?)+)", commands(name))
    for job in jobs(name).values():
        matrix = job.get("strategy", {}).get("matrix", {})
        called += matrix.get("stages", [])
        called += [it["stages"] for it in matrix.get("include", []) if "stages" in it]
    assert {it for stages in called for it in stages.split()} <= set(known)


# --- each -----------------------------------------------------------------------------------------


def test_every_supported_python_is_tested_on_both_architectures() -> None:
    found = matrix("ci.yml", "tests")
    cells = {(os, python) for os in found["os"] for python in found["python"]}
    cells -= {(it["os"], it["python"]) for it in found["exclude"]}
    cells |= {(it["os"], it["python"]) for it in found["include"]}
    runners = ("ubuntu-24.04", "ubuntu-24.04-arm")
    assert cells == {(os, python) for os in runners for python in supported()}


def test_the_coverage_of_both_halves_is_measured_once_on_the_newest_python() -> None:
    (measured,) = matrix("ci.yml", "tests")["include"]
    assert measured["python"] == supported()[-1]
    assert measured["stages"].split() == ["tests", "trace", "coverage"]


def test_what_may_fail_is_beyond_what_is_supported() -> None:
    may_fail = {job for job, it in jobs("ci.yml").items() if it.get("continue-on-error") == "true"}
    assert may_fail == {"preview"}
    newest = supported()[-1]
    following = f"3.{int(newest.partition('.')[2]) + 1}"
    pythons = [it["python"] for it in matrix("ci.yml", "preview")["include"]]
    assert pythons == [f"{newest}t", following]


def test_one_job_stands_for_all_that_must_pass() -> None:
    last = jobs("ci.yml")["passed"]
    assert last["if"] == "always()"
    # A vulnerability that is found today must not hold up another fix.
    assert set(last["needs"]) == jobs("ci.yml").keys() - {"passed", "preview", "audit"}


def test_a_layer_has_the_bytecode_of_every_python() -> None:
    (setup,) = (
        step["with"]["python-version"]
        for step in jobs("release.yml")["layers"]["steps"]
        if step.get("uses", "").startswith("actions/setup-python@")
    )
    assert setup.split() == supported()


def test_a_release_restores_no_cache() -> None:
    text = (GITHUB / "workflows" / "release.yml").read_text(encoding="utf-8")
    assert "actions/cache" not in text
    assert not re.search(r"^ +cache:", text, re.MULTILINE)
    setups = [it for it in steps("release.yml") if "/setup-uv@" in it.get("uses", "")]
    assert setups
    assert all(it["with"]["enable-cache"] == "false" for it in setups)


def test_nothing_is_published_but_from_a_tag_and_after_all_else() -> None:
    found = jobs("release.yml")
    assert found["attest"]["if"] == "github.event_name == 'push' && github.ref_type == 'tag'"
    assert [found[it]["needs"] for it in ("attest", "publish", "release")] == [
        ["sdist", "wheels", "layers"],
        "attest",
        "publish",
    ]
    assert found["publish"]["environment"]["name"] == "pypi"


def test_what_builds_never_holds_what_signs_or_publishes() -> None:
    for job in ("attest", "publish", "release"):
        used = [step.get("uses", "") for step in jobs("release.yml")[job]["steps"]]
        assert not any("checkout" in it or "setup-" in it for it in used)


def test_benchmarks_run_when_someone_asks() -> None:
    assert WORKFLOWS["bench.yml"]["on"]["pull_request"] == {"types": ["labeled"]}
    assert "github.event.label.name == 'benchmark'" in jobs("bench.yml")["bench"]["if"]


# --- Dependabot -----------------------------------------------------------------------------------


def test_dependabot_waits_and_looks_where_something_is() -> None:
    text = (GITHUB / "dependabot.yml").read_text(encoding="utf-8")
    updates = yaml.load(text, yaml.BaseLoader)["updates"]
    needed = {
        "github-actions": ".github/workflows/ci.yml",
        "npm": "package-lock.json",
        "pip": "requirements.txt",
        "uv": "uv.lock",
    }
    assert {it["package-ecosystem"] for it in updates} == needed.keys()
    for update in updates:
        assert int(update["cooldown"]["default-days"]) >= 7
        for folder in update.get("directories", [update.get("directory")]):
            assert (ROOT / folder.lstrip("/") / needed[update["package-ecosystem"]]).exists()
