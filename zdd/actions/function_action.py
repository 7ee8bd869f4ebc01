"""An action that is a user's function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import field, frozen

from zdd.model.action import ActionContext
from zdd.model.function import function_name, function_of_one
from zdd.model.names import check_number, check_text


def _function(value: Any) -> Callable[[ActionContext], object]:
    return function_of_one(value, "an action", "an ActionContext")


@frozen
class FunctionAction:
    """Calls a user's function with the `ActionContext`. What it returns is the note in the report; raising is failing.

    Nothing can cut a function short that blocks: past its deadline the stage has failed, and the function goes on in
    its thread. It may be called again by a deployer that resumes, so it must be safe to run twice.

    Attributes:
        function: What is called.
        title: What a person sees. Empty: the function's own name.
        deadline_s: Seconds within which it must return.

    Raises:
        ConfigurationError: The function can't be called with one argument, or the deadline is no number.
    """

    function: Callable[[ActionContext], object] = field(converter=_function)
    title: str = ""
    deadline_s: float = 600.0

    def __attrs_post_init__(self) -> None:
        check_text("title of FunctionAction", self.title)
        check_number(f"deadline_s of {self.name}", self.deadline_s, least=0)

    @property
    def name(self) -> str:
        """What a person sees."""
        return self.title or function_name(self.function)

    def run(self, context: ActionContext) -> str:
        """Call it once."""
        note = self.function(context)
        return "" if note is None else str(note)
