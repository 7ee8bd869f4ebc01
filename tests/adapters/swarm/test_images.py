"""Images, built by a real engine and pushed to real registries."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from zdd.adapters.swarm.images import ImageProgress, Images
from zdd.adapters.swarm.orchestrator import SwarmOrchestrator
from zdd.adapters.swarm.pull_everywhere import PullEverywhere
from zdd.errors import AdapterError, ConfigurationError, PermanentError
from zdd.interfaces import Fence
from zdd.model.action import ActionContext
from zdd.model.cell import InstanceState
from zdd.model.command import Launch
from zdd.model.release import Revision
from zdd.model.service import Service

ONE = Fence(1, "first deployer")
CONTEXT = ActionContext("web", "web-1", "", "1")
NOBODY = "127.0.0.1:9"


@pytest.fixture
def images(swarm: Any) -> Iterator[Images]:
    with contextlib.closing(Images(swarm.engine)) as made:
        yield made


@pytest.fixture
def source(swarm: Any, tmp_path: Path) -> Path:
    """A folder with a Dockerfile."""
    folder = tmp_path / "web"
    folder.mkdir()
    lines = [f"FROM {swarm.image}", "ARG COLOUR=none", "ENV COLOUR=$COLOUR", "COPY greeting /greeting"]
    (folder / "Dockerfile").write_text("\n".join(lines))
    (folder / "greeting").write_text("hello")
    return folder


@pytest.fixture
def login(swarm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Write what `docker login` writes."""
    if not swarm.facts.private_registry:
        pytest.skip("a lab of its own is needed, with a registry that wants a login")

    def write(password: str) -> None:
        auth = base64.b64encode(f"{swarm.facts.login[0]}:{password}".encode()).decode()
        config = {"auths": {swarm.facts.private_registry: {"auth": auth}}}
        (tmp_path / "config.json").write_text(json.dumps(config))
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))

    return write


def forget(swarm: Any, repository: str) -> None:
    """Remove an image from the engine, so that it must be pulled."""
    for image in swarm.api.images(name=repository):
        for name in [*(image["RepoTags"] or ()), *(image["RepoDigests"] or ())]:
            with contextlib.suppress(docker.errors.ImageNotFound):
                swarm.api.remove_image(name, force=True)


def test_an_image_from_a_dockerfile_to_its_digest(swarm: Any, source: Path) -> None:
    told: list[ImageProgress] = []
    repository = f"{swarm.facts.registry}/shop/web"
    with contextlib.closing(Images(swarm.engine, listener=told.append)) as images:
        built = images.build(repository, source, arguments={"COLOUR": "blue"})
        pushed = images.push(built)
        assert images.pin(built) == pushed
        assert images.build(repository, source, arguments={"COLOUR": "blue"}) == built
    assert pushed.startswith(f"{built}@sha256:")
    assert "COLOUR=blue" in swarm.api.inspect_image(built)["Config"]["Env"]
    assert {one.doing for one in told} == {"build", "push"}
    assert any(one.text.startswith("Step 1/") for one in told)
    assert any(one.done_bytes for one in told if one.doing == "push")
    forget(swarm, repository)


def test_a_build_that_fails_shows_its_last_words(swarm: Any, images: Images, source: Path) -> None:
    (source / "Dockerfile").write_text(f"FROM {swarm.image}\nRUN echo no such thing; exit 3\n")
    with pytest.raises(PermanentError, match=r"(?s)returned a non-zero code: 3.*\n  no such thing"):
        images.build("shop/web", source)
    (source / "Dockerfile").write_text(f"FROM {NOBODY}/base:1\n")
    with pytest.raises(AdapterError, match="connection refused"):
        images.build("shop/web", source)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"repository": "Shop/Web"}, "repository 'Shop/Web': use small letters"),
        ({"repository": "shop/web:1"}, "use small letters and no tag"),
        ({"dockerfile": "Dockerfile.prod"}, r"Dockerfile\.prod is missing"),
        ({"tag": "a b"}, "tag 'a b' of shop/web"),
        ({"arguments": {"WORKERS": 4}}, "build argument WORKERS is of type int: use text, in quotes"),
    ],
)
def test_what_can_not_be_built_is_refused(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    with (
        contextlib.closing(Images(f"unix://{tmp_path}/nobody.sock")) as images,
        pytest.raises(ConfigurationError, match=words),
    ):
        images.build(**{"repository": "shop/web", "directory": tmp_path, "tag": "1", **options})


def test_what_is_not_there_or_not_allowed_is_refused_before_anything_is_touched(
    swarm: Any, orchestrator: SwarmOrchestrator, service: Service, login: Callable[[str], None]
) -> None:
    private = swarm.facts.private_registry
    login("a wrong one")
    for image, words in (
        (f"{swarm.facts.registry}/shop/web:absent", "not found|manifest unknown"),
        (f"{NOBODY}/shop/web:1", "connection refused"),
        (f"{private}/shop/web:1", "unauthorized"),
    ):
        with pytest.raises(ConfigurationError, match=f"image {image} can't be had from its registry: .*({words})"):
            orchestrator.check(service, swarm.workload(image=image))


def test_a_push_that_is_refused_says_why(
    swarm: Any, images: Images, source: Path, login: Callable[[str], None]
) -> None:
    for registry, words in ((NOBODY, "connection refused"), (swarm.facts.private_registry, "no basic auth|unauthor")):
        image = images.build(f"{registry}/shop/web", source)
        with pytest.raises(PermanentError, match=words):
            images.push(image)
        forget(swarm, image.rpartition(":")[0])
    with pytest.raises(ConfigurationError, match="'shop' has no tag"):
        images.push("shop")


def test_nodes_pull_with_the_credentials_of_the_docker_client(
    swarm: Any,
    source: Path,
    service: Service,
    login: Callable[[str], None],
    wait_until: Callable[..., Any],
) -> None:
    login(swarm.facts.login[1])
    repository = f"{swarm.facts.private_registry}/shop/web"
    with contextlib.closing(Images(swarm.engine)) as images:
        pushed = images.push(images.build(repository, source))
    forget(swarm, repository)
    assert PullEverywhere(pushed, swarm.engine, deadline_s=30).run(CONTEXT) == f"1 nodes have {pushed}"
    assert swarm.api.images(name=repository)
    assert not swarm.api.services()
    wait_until(lambda: not swarm.api.containers(all=True), "nothing is left of the pull")
    forget(swarm, repository)
    with contextlib.closing(swarm.orchestrator()) as orchestrator:
        workload = swarm.workload(image=pushed)
        orchestrator.check(service, workload)
        orchestrator.claim(service, ONE)
        orchestrator.launch(service, Revision("r-1", "1", workload), Launch("web", "r-1", 1), ONE)

        def runs() -> bool:
            (cell,) = orchestrator.observe(service)
            return [one.state for one in cell.instances] == [InstanceState.READY]

        wait_until(runs, "it runs")


def test_the_newest_images_stay_and_those_that_somebody_needs(
    swarm: Any, images: Images, orchestrator: SwarmOrchestrator, source: Path, service: Service
) -> None:
    repository = f"{swarm.facts.registry}/shop/cleaned"
    built = []
    for number in range(5):
        (source / "greeting").write_text(f"hello {number}")
        built.append(images.build(repository, source, tag=str(number)))
    oldest = images.push(built[0])
    orchestrator.claim(service, ONE)
    workload = swarm.workload(image=oldest)
    orchestrator.launch(service, Revision("r-1", "1", workload), Launch("web", "r-1", 1), ONE)
    swarm.api.remove_service("web")  # the record of the revision is all that needs it now
    cleaned = images.clean(repository, keep=2)
    assert set(cleaned.removed) == {built[1], built[2]}
    assert built[0] in cleaned.kept
    assert {name for image in swarm.api.images(name=repository) for name in image["RepoTags"]} == {
        built[0],
        built[3],
        built[4],
    }
    with pytest.raises(ConfigurationError, match="keep"):
        images.clean(repository, keep=0)
    forget(swarm, repository)
