"""Gates: what must be true before something goes on. A user's own is a `FunctionGate`, or any class like these.

``HttpGate`` and ``TcpGate`` look from where the deployer runs, ``CommandGate`` runs a program there, ``FunctionGate``
calls a function. ``AllOf``, ``AnyOf``, ``Not`` and ``InARow`` are made of other gates.
"""

from zdd.gates.all_of import AllOf
from zdd.gates.any_of import AnyOf
from zdd.gates.command_gate import CommandGate
from zdd.gates.function_gate import FunctionGate
from zdd.gates.http_gate import HttpGate
from zdd.gates.in_a_row import InARow
from zdd.gates.negation import Not
from zdd.gates.tcp_gate import TcpGate

__all__ = ["AllOf", "AnyOf", "CommandGate", "FunctionGate", "HttpGate", "InARow", "Not", "TcpGate"]
