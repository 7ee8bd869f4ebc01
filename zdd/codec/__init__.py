"""zdd's values as plain JSON data, and back, exactly: ``decode(encode(value)) == value``.

A journal outlives the process, the release of zdd and the layout of its modules, so nothing in it depends on them:

=======================  ============================================================================================
in memory                in JSON
=======================  ============================================================================================
text, numbers, None      themselves; what JSON has no number for is ``{"$float": "inf"}``
tuple                    an array
list                     ``{"$list": […]}``
mapping                  an object; ``{"$map": [[key, value], …]}`` where keys aren't text or begin with ``$``
one of zdd's own values  ``{"$": "goal", "cell": "web", …}``, with its name in `tags.CLASSES` and *every* field
enumeration              ``{"$": "direction", "name": "BACK"}``
gate                     ``{"$gate": NAME, "text": …, "fields": {…}}``; likewise ``$action`` and ``$strategy``
a user's attrs class     ``{"$object": "package.module:Name", "fields": {…}}``; likewise ``$enum``
function                 ``{"$function": "package.module:name"}``
=======================  ============================================================================================

NAME is a short one from `tags.PARTS` for zdd's own gates, actions and strategies, ``package.module:Name`` for a user's.

Every field is written, also where it has its default, so that a default that changes later does not change what
happened. Reading is strict where guessing would be needed: an unknown name or field is an error; a field that an older
zdd did not write takes its default. A user's gate, action or strategy is different: it may be gone, and the journal
must stay readable, so it is read as a `MissingGate`, `MissingAction` or `MissingStrategy`. Names are imported and
nothing else: no code is evaluated, and what was imported must be what the journal says before it is used.
"""

from zdd.codec.event_text import event_text, read_event
from zdd.codec.missing import MissingAction, MissingGate, MissingStrategy
from zdd.codec.reading import decode
from zdd.codec.tags import FORMAT, kind_of
from zdd.codec.writing import Json, encode

__all__ = [
    "FORMAT",
    "Json",
    "MissingAction",
    "MissingGate",
    "MissingStrategy",
    "decode",
    "encode",
    "event_text",
    "kind_of",
    "read_event",
]
