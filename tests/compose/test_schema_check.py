"""Keys and types of the published schema: what is refused, in which words, and what later formats have besides."""

from __future__ import annotations

from typing import Any

import pytest

SERVICE = [
    ("imag: x", "4:5: services.web has the unknown key 'imag': did you mean image?"),
    ("mem_limit: 1g", "4:5: mem_limit of service web: use deploy.resources.limits.memory"),
    ("ports: x", '4:5: services.web.ports is "x": use a list'),
    ("deploy: {replicas: two}", "4:14: services.web.deploy.replicas is \"two\": use a whole number"),
    ("stop_grace_period: 10", "4:5: services.web.stop_grace_period is 10: use text"),
    ("ports: ['80', '80']", '4:5: services.web.ports names something twice: ["80", "80"]'),
    ("deploy: {placement: {max_replicas_per_node: 1.5}}", "4:26: services.web.deploy.placement.max_replicas"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), SERVICE)
def test_a_service_that_is_not_as_the_schema_wants_it_is_refused(project: Any, text: str, message: str) -> None:
    assert project.service_refusal(text).startswith(message)


FILE = [
    ("servces: {}", "1:1: the file has the unknown key 'servces': did you mean services?"),
    ('version: "2"\nservices: {web: {image: a}}', "1:1: version '2' is not known"),
    ("version: 3.8\nservices: {web: {image: a}}", "1:1: version 3.8 is not known"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), FILE)
def test_a_file_that_is_not_as_the_schema_wants_it_is_refused(project: Any, text: str, message: str) -> None:
    assert project.refusal(text).startswith(message)


def test_the_first_error_of_the_file_is_told(project: Any) -> None:
    assert project.service_refusal("zzz: 1\n    aaa: 1").startswith("4:5: services.web has the unknown key 'zzz'")


@pytest.mark.parametrize(
    "text",
    [
        "oom_score_adj: 100",
        "cgroupns_mode: host",
        "healthcheck: {test: x, start_interval: 1s}",
        "deploy: {resources: {limits: {pids: 10}}}",
    ],
)
def test_what_later_formats_have_is_known(project: Any, text: str) -> None:
    assert project.service(text).name == "web"


@pytest.mark.parametrize("version", ["3", "3.0", "3.8", "3.13"])
def test_versions_that_are_known(project: Any, version: str) -> None:
    (web,) = project.stack(f'version: "{version}"\nservices: {{web: {{image: web}}}}').services
    assert web.name == "web"
