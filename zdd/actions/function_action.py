"""An action that is a user's function."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from zdd.errors import ConfigurationError
from zdd.model.action import ActionContext
from zdd.model.names import check_number


@frozen
class FunctionAction:
    """Calls a user's function with the `ActionContext`. What it returns is the note in the report; raising is failing.

    Nothing can cut a function short that blocks: past its deadline the stage has failed, and the function goes on in
    its thread. It may be called again by a deployer that resumes, so it must be safe to run twice.

    Attributes:
        function: What is called.
        title: What a person sees. Empty: the function's own name.
        deadline_s: Seconds within which it must return.
    """

    function: Callable[[ActionContext], object]
    title: str = ""
    deadline_s: float = 600.0

    def __attrs_post_init__(self) -> None:
        if not callable(self.function):
            raise ConfigurationError(f"FunctionAction({self.function!r}): give a function that takes an ActionContext")
        check_number(f"deadline_s of {self.name}", self.deadline_s, least=0)

    @property
    def name(self) -> str:
        """What a person sees."""
        return self.title or getattr(self.function, "__name__", "function")

    def run(self, context: ActionContext) -> str:
        """Call it once."""
        note = self.function(context)
        return "" if note is None else str(note)
