"""An action that is a user's function."""

from __future__ import annotations

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


def test_something_that_can_not_be_called_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="give a function"):
        FunctionAction("backup.sh")  # type: ignore[arg-type]
