"""Faults: which are switched on, which calls they hit, and how they are named on a command line.

A fault is `NAME[:RATE][:OPTION=VALUE]…`, such as `http_500:0.5:path=*description*:first=10`. What each one does stands
in the tables of `fault_transport.py`, `fault_listings.py`, `fault_payloads.py` and `fault_orders.py`; the gateway asks
here at three moments: instead of serving a call, over an endpoint's body, over the encoded answer.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import count
from typing import Any

import orjson

from dropship_pipeline.sandbox.accounts import Accounts
from dropship_pipeline.sandbox.answers import Answer
from dropship_pipeline.sandbox.api import Body, Call
from dropship_pipeline.sandbox.counters import KEY_PARAMETERS
from dropship_pipeline.sandbox.endpoints.eco import Dialect
from dropship_pipeline.sandbox.world.catalogue import Catalogue

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scene:
    """What faults may look at and touch."""

    catalogue: Catalogue
    accounts: Accounts
    dialect: Dialect


@dataclass(slots=True)
class ActiveFault:
    """A fault that is switched on, and its luck so far.

    It hits calls whose path matches `path` (a shell pattern): each with probability `rate`, of them only those after
    the first `after`, and at most `first`. `by_key` makes the choice once for each thing that is asked for.
    """

    identity: int
    name: str
    rate: float
    path: str
    after: int
    first: int | None
    options: Mapping[str, str]
    luck: random.Random = field(repr=False)
    matched: int = 0
    hits: int = 0

    def number(self, option: str, default: float) -> float:
        """An option that is a number."""
        return float(self.options.get(option, default))

    def told(self) -> Json:
        """The fault as the control API shows it."""
        return {
            "id": self.identity,
            "name": self.name,
            "rate": self.rate,
            "path": self.path,
            "after": self.after,
            "first": self.first,
            "options": dict(self.options),
            "matched": self.matched,
            "hits": self.hits,
        }


@dataclass(frozen=True, slots=True)
class FaultKind:
    """What a fault does, at one or more of the three moments, and which calls it makes sense for."""

    description: str
    path: str = "*"
    by_key: bool = False
    instead: Callable[[ActiveFault, Call, Scene], Answer | None] | None = None
    body: Callable[[ActiveFault, Call, Json, Scene], Body | bytes] | None = None
    answer: Callable[[ActiveFault, Answer], Answer] | None = None
    options: Mapping[str, str] = field(default_factory=dict)  # name: what it says, for the help


class UnknownFaultError(ValueError):
    """A fault that does not exist, or an option that cannot be read."""


class FaultBoard:
    """The faults that are switched on, seeded: the same calls in the same order are hit again."""

    def __init__(self, kinds: Mapping[str, FaultKind], scene: Scene, seed: int) -> None:
        self._kinds = kinds
        self._scene = scene
        self._seed = seed
        self._identities = count(1)
        self.active: list[ActiveFault] = []

    def switch_on(self, text: str) -> ActiveFault:
        """Switch on the fault that `text` describes. Raises UnknownFaultError."""
        name, *settings = text.split(":")
        kind = self._kinds.get(name)
        if kind is None:
            raise UnknownFaultError(f"there is no fault {name!r}; there are {', '.join(sorted(self._kinds))}")
        options: dict[str, str] = {}
        for setting in settings:
            option, has_value, value = setting.partition("=")
            options[option if has_value else "rate"] = value if has_value else option
        unknown = sorted(options.keys() - kind.options.keys() - {"rate", "path", "after", "first"})
        if unknown:
            raise UnknownFaultError(f"the fault {name!r} has no option {unknown[0]!r}")
        identity = next(self._identities)
        try:
            fault = ActiveFault(
                identity=identity,
                name=name,
                rate=float(options.pop("rate", 1)),
                path=options.pop("path", kind.path),
                after=int(options.pop("after", 0)),
                first=int(options.pop("first")) if "first" in options else None,
                options=options,
                luck=random.Random(f"{self._seed} {identity} {name}"),  # noqa: S311 - repeatable, not secret
            )
        except ValueError:
            raise UnknownFaultError(f"cannot read {text!r}: rate, after and first are numbers") from None
        if not 0 <= fault.rate <= 1:
            raise UnknownFaultError(f"cannot read {text!r}: rate is a share, from 0 to 1")
        self.active.append(fault)
        return fault

    def switch_off(self, identity: int | None = None) -> None:
        """Switch off one fault, or all of them: then those to come have the luck that they would have at the start."""
        self.active = [fault for fault in self.active if identity is not None and fault.identity != identity]
        if identity is None:
            self._identities = count(1)

    def choose(self, call: Call) -> list[ActiveFault]:
        """The faults that hit this call."""
        return [fault for fault in self.active if self._hits(fault, call)]

    def instead(self, fault: ActiveFault, call: Call) -> Answer | None:
        """What the fault answers instead of serving the call, if it does. May raise the Refusal that it is."""
        act = self._kinds[fault.name].instead
        return act(fault, call, self._scene) if act else None

    def spoil_body(self, fault: ActiveFault, call: Call, body: Body | bytes) -> Body | bytes:
        """An endpoint's answer as the fault makes it; its own is not touched."""
        act = self._kinds[fault.name].body
        if act is None:
            return body
        copy: Json = orjson.loads(body if isinstance(body, bytes) else orjson.dumps(body))
        return act(fault, call, copy, self._scene)

    def spoil_answer(self, fault: ActiveFault, answer: Answer) -> Answer:
        """An encoded answer as the fault makes it."""
        act = self._kinds[fault.name].answer
        if act is None:
            return answer
        spoilt = act(fault, answer)
        spoilt.outcome = f"fault:{fault.name}"
        return spoilt

    def _hits(self, fault: ActiveFault, call: Call) -> bool:
        if not fnmatchcase(call.path, fault.path):
            return False
        fault.matched += 1
        if fault.matched <= fault.after or (fault.first is not None and fault.hits >= fault.first):
            return False
        if self._kinds[fault.name].by_key:
            asked = " ".join(call.params.get(name, "") for name in KEY_PARAMETERS.get(call.path, ()))
            luck = random.Random(f"{self._seed} {fault.name} {asked}").random()  # noqa: S311 - repeatable, not secret
        else:
            luck = fault.luck.random()
        if luck >= fault.rate:
            return False
        fault.hits += 1
        return True
