"""Actions: what a stage does besides moving instances and traffic. `zdd.Perform` puts them before a strategy."""

from zdd.actions.command_action import CommandAction
from zdd.actions.function_action import FunctionAction

__all__ = ["CommandAction", "FunctionAction"]
