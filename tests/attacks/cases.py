"""What a case is: an attack with a name, where it is run, and how it says what it found."""

import dataclasses

TIERS = ("isolated", "confined")


class NotRun(Exception):
    """The case cannot be run here, for this reason."""


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    attack: str
    run: callable
    #: What runs the attacker: a tier of the sandbox, or the server itself, where the tier makes no difference.
    in_tiers: bool
    #: It needs the machine for itself: others would feel it, or it them.
    alone: bool
    #: It takes seconds, or much of the machine: with one user in each tier, but for `make test-long`.
    slow: bool
    #: Only `make test-long` has the time.
    long: bool
    #: What the registry and the bystander do meanwhile is no concern: the server is stopped, or the case makes plugins.
    oracles: frozenset


CASES = []
#: All that is asserted around every case; a case may leave out what it is about to break itself.
ORACLES = frozenset({"outside", "registry", "bystander"})


def case(name, attack, in_tiers=False, alone=False, slow=False, long=False, without=()):
    """Makes a function that takes an arena a case."""

    def register(function):
        CASES.append(Case(name, attack, function, in_tiers, alone, slow or alone, long, ORACLES - set(without)))
        return function

    return register


def expect(is_so, message):
    if not is_so:
        raise AssertionError(message)


def equal(found, expected, what="found"):
    expect(found == expected, f"{what}: {found!r}, expected {expected!r}")
