"""The commands of ``netsh ipsec`` and their arguments, in the order of their help, which is that of arguments without a tag.

From the command reference (learn.microsoft.com/windows-server/administration/windows-commands/netsh-ipsec).
``restorepolicyexamples`` and the persistent store are those of Windows Server 2003.
"""

from collections.abc import Collection
from difflib import get_close_matches
from typing import Final

_ENDS: Final = ("srcaddr", "dstaddr")
_AUTH: Final = ("kerberos", "psk", "rootca")
_MASKS: Final = ("srcmask", "dstmask")
_PORTS: Final = ("srcport", "dstport")
_SHOWN: Final = ("level", "format", "wide")

STATIC: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "add": {
        "filter": ("filterlist", *_ENDS, "description", "protocol", "mirrored", *_MASKS, *_PORTS),
        "filteraction": ("name", "description", "qmpfs", "inpass", "soft", "action", "qmsecmethods"),
        "filterlist": ("name", "description"),
        "policy": (
            "name",
            "description",
            "mmpfs",
            "qmpermm",
            "mmlifetime",
            "activatedefaultrule",
            "pollinginterval",
            "assign",
            "mmsecmethods",
        ),
        "rule": ("name", "policy", "filterlist", "filteraction", "tunnel", "conntype", "activate", "description", *_AUTH),
    },
    "delete": {
        "all": (),
        "filter": ("filterlist", *_ENDS, "protocol", "mirrored", *_MASKS, *_PORTS),
        "filteraction": ("name",),
        "filterlist": ("name",),
        "policy": ("name",),
        "rule": ("name", "policy", "id"),
    },
    "exportpolicy": {"": ("file",)},
    "importpolicy": {"": ("file",)},
    "restorepolicyexamples": {"": ("release",)},
    "set": {
        "batch": ("mode",),
        "defaultrule": ("policy", "qmpfs", "activate", "qmsecmethods", *_AUTH),
        "filteraction": ("name", "guid", "newname", "description", "qmpfs", "inpass", "soft", "action", "qmsecmethods"),
        "filterlist": ("name", "guid", "newname", "description"),
        "policy": (
            "name",
            "guid",
            "newname",
            "description",
            "mmpfs",
            "qmpermm",
            "mmlifetime",
            "activatedefaultrule",
            "pollinginterval",
            "assign",
            "gponame",
            "mmsecmethods",
        ),
        "rule": (
            "name",
            "id",
            "policy",
            "newname",
            "description",
            "filterlist",
            "filteraction",
            "tunnel",
            "conntype",
            "activate",
            *_AUTH,
        ),
        "store": ("location", "domain"),
    },
    "show": {
        "all": ("format", "wide"),
        "filteraction": ("name", "rule", *_SHOWN),
        "filterlist": ("name", "rule", *_SHOWN, "resolvedns"),
        "gpoassignedpolicy": ("name",),
        "policy": ("name", *_SHOWN),
        "rule": ("name", "policy", "id", "type", *_SHOWN),
        "store": (),
    },
    "dump": {"": ()},
    "help": {"": ()},
    "?": {"": ()},
}

_RULE: Final = (*_ENDS, "mmpolicy", "qmpolicy", "protocol", *_PORTS, "mirrored", "conntype", "actioninbound", "actionoutbound")
_SET_RULE: Final = (*_ENDS, "protocol", *_PORTS, "mirrored", "conntype", *_MASKS, "tunneldstaddress")

_SHOW_DYNAMIC: Final = ("all", "config", "mmfilter", "mmpolicy", "mmsas", "qmfilter", "qmpolicy", "qmsas", "rule", "stats")

DYNAMIC: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "add": {
        "mmpolicy": ("name", "qmpermm", "mmlifetime", "softsaexpirationtime", "mmsecmethods"),
        "qmpolicy": ("name", "soft", "pfsgroup", "qmsecmethods"),
        "rule": (*_RULE, *_MASKS, "tunneldstaddress", *_AUTH),
    },
    "delete": {
        "all": (),
        "mmpolicy": ("name",),
        "qmpolicy": ("name",),
        "rule": _SET_RULE,
        "sa": (),
    },
    "set": {
        "config": ("property", "value"),
        "mmpolicy": ("name", "qmpermm", "mmlifetime", "softsaexpirationtime", "mmsecmethods"),
        "qmpolicy": ("name", "soft", "pfsgroup", "qmsecmethods"),
        "rule": (*_SET_RULE, "mmpolicy", "qmpolicy", "actioninbound", "actionoutbound", *_AUTH),
    },
    "show": dict.fromkeys(_SHOW_DYNAMIC, ()),
    "dump": {"": ()},
    "help": {"": ()},
    "?": {"": ()},
}

CONTEXTS: Final = {"static": STATIC, "dynamic": DYNAMIC}

NEEDED: Final[dict[str, dict[tuple[str, str], tuple[str, ...]]]] = {
    "static": {
        ("add", "filter"): ("filterlist", *_ENDS),
        ("add", "filteraction"): ("name",),
        ("add", "filterlist"): ("name",),
        ("add", "policy"): ("name",),
        ("add", "rule"): ("name", "policy", "filterlist", "filteraction"),
        ("delete", "filter"): ("filterlist", *_ENDS),
        ("delete", "filteraction"): ("name",),
        ("delete", "filterlist"): ("name",),
        ("delete", "policy"): ("name",),
        ("delete", "rule"): ("policy",),
        ("set", "defaultrule"): ("policy",),
        ("set", "rule"): ("policy",),
        ("set", "store"): ("location",),
    },
    "dynamic": {
        ("add", "mmpolicy"): ("name",),
        ("add", "qmpolicy"): ("name",),
        ("add", "rule"): (*_ENDS, "mmpolicy"),
        ("delete", "mmpolicy"): ("name",),
        ("delete", "qmpolicy"): ("name",),
        ("delete", "rule"): _ENDS,
        ("set", "config"): ("property", "value"),
        ("set", "mmpolicy"): ("name",),
        ("set", "qmpolicy"): ("name",),
        ("set", "rule"): _ENDS,
    },
}
"""What a command cannot do without, by context."""


def meant(typed: str, known: Collection[str]) -> str | list[str]:
    """Return which name an abbreviation stands for, or those that it may stand for where it is none or not clear.

    Parameters
    ----------
    typed : str
        In any case.
    known : collection of str
        In lower case.
    """
    lower = typed.lower()
    if lower in known:
        return lower
    longer = [name for name in known if lower and name.startswith(lower)]
    return longer[0] if len(longer) == 1 else longer


def close_to(typed: str, known: Collection[str]) -> list[str]:
    """Return names that look like one that was typed."""
    folded: dict[str, str] = {}
    for name in known:
        folded.setdefault(name[:80].casefold().replace(" ", ""), name)
    close = get_close_matches(typed[:80].casefold().replace(" ", ""), list(folded)[:2000], n=3, cutoff=0.7)
    return [folded[name] for name in close]
