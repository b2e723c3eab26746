"""The state machine of the policy agent, as a table.

The texts of Microsoft's events tell which states there are: the policy of the directory is in force, or its cached copy because
the directory cannot be reached, or the policy of local storage. What they leave open is our decision, in
docs/adr/017-the-policy-agent.md: `State.WAITING`, for a computer whose domain may have a policy that neither directory nor cache
gives, and every row whose policy cannot be applied as a whole.

A row says: in this state, when this happens and that is heard, do these things in order and be in that state. To do something is
to write an event, or to apply a policy, which writes one event if it can be applied and another if not. Then what is heard is
that there is no such policy, and the row for that goes on: no row falls back on another policy without an event that says so.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final


class State(Enum):
    """What the policy in force is."""

    OFF = "off"  # the agent does not run
    DIRECTORY = "directory"  # the directory's
    CACHE = "cache"  # the last good one of the directory, which cannot be reached or has none that can be applied
    LOCAL = "local"  # that of local storage: the directory assigns none
    WAITING = "waiting"  # none: neither directory nor cache could be had
    IDLE = "idle"  # none: the directory assigns none, and local storage has none


class Trigger(Enum):
    """What happens."""

    START = "start"
    POLL = "poll"  # the polling interval or the back-off is over
    REFRESH = "refresh"  # Group Policy is refreshed: which policy is assigned?
    RELOAD = "reload"  # somebody forces it; 5465 follows when all went well


class Heard(Enum):
    """What is heard of the storage that was asked."""

    SAME = "it is the policy in force, unchanged"
    CHANGED = "it is the policy in force, changed"
    OTHER = "it is a policy that is not in force"
    UNASSIGNED = "the directory assigns no policy"
    UNREACHABLE = "the directory cannot be reached, or not asked to the end"
    BROKEN = "the directory's policy cannot be applied as a whole"
    NO_CACHE = "there is no cached copy that can be applied"
    NO_LOCAL = "local storage has no policy that can be applied"


class Apply(Enum):
    """A policy to apply: from where, the event if it can be applied, the event if it cannot as a whole, and what is heard then.

    Any that is applied but for some rules is followed by 5462, and by 5477 for every filter that could not be added.
    """

    DIRECTORY = ("directory", 5456, 5457, Heard.BROKEN)
    CHANGES = ("directory", 5464, 5457, Heard.BROKEN)
    RETURNED = ("directory", 5468, 5457, Heard.BROKEN)
    CACHE = ("cache", 5458, 5459, Heard.NO_CACHE)
    LOCAL = ("local", 5460, 5461, Heard.NO_LOCAL)
    LOCAL_CHANGES = ("local", 5464, 5461, Heard.NO_LOCAL)

    @property
    def applied(self) -> int:
        """The event if it could be applied."""
        return self.value[1]

    @property
    def failed(self) -> int:
        """The event if it could not be applied as a whole."""
        return self.value[2]

    @property
    def otherwise(self) -> Heard:
        """What is heard then."""
        return self.value[3]


class Load(Enum):
    """Local storage is read: 5471, or 5472 with the error and no policy is heard of."""

    LOCAL = 5471


class Drop(Enum):
    """No policy is in force any more."""

    POLICY = 0


Deed = int | Load | Apply | Drop
"""An event to write, or something to do."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table.

    Parameters
    ----------
    states : tuple of State
    triggers : tuple of Trigger
    heard : Heard
    deeds : tuple of Deed
    then : State, optional
        None for the state that it is in.
    """

    states: tuple[State, ...]
    triggers: tuple[Trigger, ...]
    heard: Heard
    deeds: tuple[Deed, ...]
    then: State | None


_OFF, _DIRECTORY, _CACHE, _LOCAL, _WAITING, _IDLE = State
_START, _POLL, _REFRESH, _RELOAD = Trigger
_ALL: Final = tuple(State)
_OF_DOMAIN: Final = (_DIRECTORY, _CACHE, _WAITING)
_OF_COMPUTER: Final = (_LOCAL, _IDLE)
_AFRESH: Final = (_START, _RELOAD)
_LATER: Final = (_POLL, _REFRESH)

TABLE: Final = (
    # Start, and a forced reload: everything is read as if for the first time.
    Row(_ALL, _AFRESH, Heard.OTHER, (5473, Apply.DIRECTORY), _DIRECTORY),
    Row(_ALL, _AFRESH, Heard.UNREACHABLE, (5474, Apply.CACHE), _CACHE),
    Row(_ALL, _AFRESH, Heard.BROKEN, (Apply.CACHE,), _CACHE),
    Row(_ALL, _AFRESH, Heard.UNASSIGNED, (Load.LOCAL, Apply.LOCAL), _LOCAL),
    # Nothing could be had: what is in force stays.
    Row((_OFF, _WAITING, _IDLE), _AFRESH, Heard.NO_CACHE, (), _WAITING),
    Row((_DIRECTORY, _CACHE), _AFRESH, Heard.NO_CACHE, (), _CACHE),
    Row((_LOCAL,), _AFRESH, Heard.NO_CACHE, (), _LOCAL),
    Row((_LOCAL,), _AFRESH, Heard.NO_LOCAL, (), _LOCAL),
    # A policy of the domain that no longer holds goes, even if there is none to take its place.
    Row((_OFF, *_OF_DOMAIN, _IDLE), _AFRESH, Heard.NO_LOCAL, (Drop.POLICY,), _IDLE),
    # The directory's policy is in force.
    Row((_DIRECTORY,), (_POLL,), Heard.SAME, (5463,), _DIRECTORY),
    Row((_DIRECTORY,), (_POLL,), Heard.CHANGED, (Apply.CHANGES,), _DIRECTORY),
    Row((_DIRECTORY,), _LATER, Heard.UNREACHABLE, (5466,), _CACHE),
    Row((_DIRECTORY,), _LATER, Heard.BROKEN, (), _CACHE),
    Row((_DIRECTORY,), (_REFRESH,), Heard.SAME, (), _DIRECTORY),
    # The cached copy is.
    Row((_CACHE,), _LATER, Heard.SAME, (5467,), _DIRECTORY),
    Row((_CACHE,), _LATER, Heard.CHANGED, (Apply.RETURNED,), _DIRECTORY),
    Row((_CACHE, _WAITING), _LATER, Heard.UNREACHABLE, (), None),
    Row((_CACHE, _WAITING), _LATER, Heard.BROKEN, (), None),
    # The directory assigns another policy, or none.
    Row(_OF_DOMAIN, _LATER, Heard.OTHER, (5473, Apply.DIRECTORY), _DIRECTORY),
    Row(_OF_COMPUTER, (_REFRESH,), Heard.OTHER, (5473, Apply.DIRECTORY), _DIRECTORY),
    Row(_OF_DOMAIN, _LATER, Heard.UNASSIGNED, (Load.LOCAL, Apply.LOCAL), _LOCAL),
    Row(_OF_DOMAIN, _LATER, Heard.NO_LOCAL, (Drop.POLICY,), _IDLE),
    # The policy of local storage is in force, or none.
    Row((_LOCAL,), (_POLL,), Heard.SAME, (5463,), _LOCAL),
    Row((_LOCAL,), (_POLL,), Heard.CHANGED, (Apply.LOCAL_CHANGES,), _LOCAL),
    Row((_IDLE,), (_POLL,), Heard.CHANGED, (5471, Apply.LOCAL), _LOCAL),
    Row(_OF_COMPUTER, (_POLL,), Heard.NO_LOCAL, (), None),
    Row(_OF_COMPUTER, (_REFRESH,), Heard.UNASSIGNED, (), None),
    Row(_OF_COMPUTER, (_REFRESH,), Heard.UNREACHABLE, (), None),
    Row(_OF_COMPUTER, (_REFRESH,), Heard.BROKEN, (), None),
)
