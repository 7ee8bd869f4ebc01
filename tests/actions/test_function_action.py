"""An action that is a user's function."""

from __future__ import annotations

from typing import Any

import pytest

from zdd import ActionContext, ConfigurationError, FunctionAction

CONTEXT = ActionContext("web", "web-2", "1.0", "2.0")


def test_it_is_called_with_what_the_deployment_is() -> None:
    assert (
        FunctionAction(lambda context: f"{context.from_version} to {context.to_version}").run(CONTEXT) == "1.0 to 2.0"
    )
    assert FunctionAction(lambda _: None).run(CONTEXT) == ""


def test_what_it_raises_comes_out() -> None:
    def fail(_: ActionContext) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        FunctionAction(fail).run(CONTEXT)
    assert FunctionAction(fail).name == "fail"
    assert FunctionAction(fail, "a backup").name == "a backup"


async def later(context: object) -> None:
    """Would never be run."""


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("backup.sh", "function of an action is 'backup.sh': use a function of one argument"),
        (lambda: None, "can't be called with one argument, an ActionContext"),
        (later, "function later of an action is async"),
    ],
)
def test_what_can_not_be_called_with_the_context_is_refused(function: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        FunctionAction(function)
