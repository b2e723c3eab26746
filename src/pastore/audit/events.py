"""The audit events of the IPsec Policy Agent and its surroundings: what Windows calls them, says and records.

The texts are part of the interface that is reimplemented here, so they stand as Windows has them, tabs and line breaks included.
Where each was seen:

- *event page*: "IPsec Policy Agent Rule Processing", Windows Server 2008 (TechNet cc733288), with the per-event pages
  it links to (cc733433, cc733403, cc733255, dd364395, dd364456 give symbolic names; dd364362 is 4709, cc733291 is 4710) and
  "IPsec Policy Agent Service Runtime" (cc733277);
- *list*: Microsoft's "Audit Filtering Platform Policy Change", "Audit IPsec Driver" and security event list (S and F);
- *message table*: the Windows 10 (1507) message table as published in nasbench/EVTX-ETW-Resources, which keeps tabs and
  drops line breaks and the events without parameters (later builds are reported to label 5456 "Policy DN:"; not used here);
- *field names*: the provider's manifest as published in repnz/etw-providers-docs (Windows 7 and Windows 10 agree).

An event whose text was not seen whole, line breaks included, has ``confirmed=False``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

from pastore.audit.summary import Summary
from pastore.audit.visible import joined_surrogates, visible

Value: TypeAlias = str | int

PROVIDER: Final = "Microsoft-Windows-Security-Auditing"
PROVIDER_GUID: Final = "{54849625-5478-4994-A5BA-3E3B0328C30D}"

# A whole event must fit a log line (`pastore.audit.record.MAX_LINE`): each value stands in it twice, and a character takes
# up to twelve bytes of JSON.
_MAX_CHARACTERS: Final = 32_768


class Outcome(Enum):
    """Whether Windows records the event as an audit success or an audit failure."""

    SUCCESS = "success"
    FAILURE = "failure"


class Wording(Enum):
    """Whose name stands in the text.

    Windows Vista to Windows Server 2008 R2 write "PAStore Engine" and "IPsec Services"; Windows 10 writes "IPsec Policy Agent".
    """

    PASTORE = "PAStore Engine"
    POLICY_AGENT = "IPsec Policy Agent"


class Category(NamedTuple):
    """An audit category, as auditpol lists it."""

    name: str
    guid: str


class Subcategory(NamedTuple):
    """An audit subcategory; `task` is what an event record carries for it."""

    name: str
    guid: str
    task: int
    category: Category


# GUIDs: [MS-GPAC] 2.2.1.2 and Win32 "Auditing Constants". Tasks 13572 and 13573 were seen in published records; 12291 and
# 12547 follow from the GUIDs, which count in step with the tasks within a category (0CCE9214 is 12292, 0CCE9215 is 12544).
SYSTEM: Final = Category("System", "{69979848-797A-11D9-BED3-505054503030}")
LOGON_LOGOFF: Final = Category("Logon/Logoff", "{69979849-797A-11D9-BED3-505054503030}")
POLICY_CHANGE: Final = Category("Policy Change", "{6997984D-797A-11D9-BED3-505054503030}")
IPSEC_DRIVER: Final = Subcategory("IPsec Driver", "{0CCE9213-69AE-11D9-BED3-505054503030}", 12291, SYSTEM)
IPSEC_MAIN_MODE: Final = Subcategory("IPsec Main Mode", "{0CCE9218-69AE-11D9-BED3-505054503030}", 12547, LOGON_LOGOFF)
FILTERING_PLATFORM: Final = Subcategory(
    "Filtering Platform Policy Change", "{0CCE9233-69AE-11D9-BED3-505054503030}", 13572, POLICY_CHANGE
)
OTHER_POLICY_CHANGE: Final = Subcategory(
    "Other Policy Change Events", "{0CCE9234-69AE-11D9-BED3-505054503030}", 13573, POLICY_CHANGE
)
SUBCATEGORIES: Final = (IPSEC_DRIVER, IPSEC_MAIN_MODE, FILTERING_PLATFORM, OTHER_POLICY_CHANGE)


class Field(NamedTuple):
    """One item of EventData: `bits` is the width of the unsigned integer it holds, 0 for a string."""

    name: str
    bits: int


@dataclass(frozen=True, slots=True)
class EventType:
    """What is known of an event id.

    Parameters
    ----------
    id : int
        The event id.
    outcome : Outcome
        As Microsoft's security event list has it, even where it surprises (5467).
    subcategory : Subcategory
        What switches its auditing.
    fields : tuple of Field
        EventData in order; ``%1`` in the template is the first.
    template : str
        The message, Windows Server 2008 wording.
    confirmed : bool
        Whether that text was seen whole in a public source.
    newer : str
        The message, Windows 10 wording.
    newer_confirmed : bool
        The same for `newer`.
    symbol : str, optional
        Symbolic name, where published.
    """

    id: int
    outcome: Outcome
    subcategory: Subcategory
    fields: tuple[Field, ...]
    template: str
    confirmed: bool
    newer: str
    newer_confirmed: bool
    symbol: str | None

    def worded(self, wording: Wording) -> str:
        """Return the message template in this wording."""
        return self.template if wording is Wording.PASTORE else self.newer

    def is_confirmed(self, wording: Wording = Wording.PASTORE) -> bool:
        """Return whether that template was seen whole in a public source."""
        return self.confirmed if wording is Wording.PASTORE else self.newer_confirmed


def _fields(specification: str) -> tuple[Field, ...]:
    names = (item.partition("/") for item in specification.split())
    return tuple(Field(name, int(bits or 0)) for name, _, bits in names)


def _type(
    number: int,
    outcome: Outcome,
    subcategory: Subcategory,
    fields: str,
    template: str,
    *,
    confirmed: bool = True,
    newer: str | None = None,
    newer_confirmed: bool = True,
    symbol: str | None = None,
) -> EventType:
    newer = template.replace(Wording.PASTORE.value, Wording.POLICY_AGENT.value) if newer is None else newer
    full = symbol and f"SE_AUDITID_ETW_{symbol}"
    return EventType(number, outcome, subcategory, _fields(fields), template, confirmed, newer, newer_confirmed, full)


_S, _F = Outcome.SUCCESS, Outcome.FAILURE
_CHANGER = "ProcessId/32 UserSid UserName"
_SUBJECT = "\n\t\nSubject:\n\tSecurity ID:\t\t%2\n\tAccount Name:\t\t%3\n\nProcess Information:\n\tProcess ID:\t%1\n\n"
_DROPPED = "\n\nRemote Network Address:\t%1\nInbound SA SPI:\t\t%2"
_EXPOSED = "can put the computer at greater risk of network attack or expose the computer to potential security risks."
_UNPROTECTED = (
    " This poses a potential security risk because some of the network interfaces may not get the protection provided"
    " by the applied IPsec filters. Use the IP Security Monitor snap-in to diagnose the problem."
)

_TYPES: Final = (
    # Service start and stop. 4709, 4710: per-event pages; message table for the newer text.
    _type(
        4709, _S, FILTERING_PLATFORM, "param1 param2 param3",
        "IPsec Services was started.\n\n%1\n\nPolicy Source: \t%2\n\n%3",
        newer="The IPsec Policy Agent service was started.\n\n%1\n\nPolicy Source: \t%2\n\n%3",
        symbol="IPSEC_POLICY_START",
    ),
    _type(
        4710, _S, FILTERING_PLATFORM, "param1 param2", "IPsec Services was disabled.\n\n%1\n%2",
        newer="The IPsec Policy Agent service was disabled.\n\n%1\n%2", symbol="IPSEC_POLICY_DISABLED",
    ),
    _type(4711, _S, FILTERING_PLATFORM, "param1", "%1"),
    # 4712: sentence from cc733277 and message table; how many line breaks stand before %1 was not seen.
    _type(
        4712, _F, FILTERING_PLATFORM, "param1", "IPsec Services encountered a potentially serious failure.\n%1",
        confirmed=False, newer="IPsec Policy Agent encountered a potentially serious failure.\n%1", newer_confirmed=False,
    ),
    # 4960 to 4965: sentences from the list; labels and tabs from the message table; the line breaks between are the
    # provider's habit and were not seen.
    _type(
        4960, _S, IPSEC_DRIVER, "RemoteAddress SPI/32",
        "IPsec dropped an inbound packet that failed an integrity check. If this problem persists, it could indicate a network"
        " issue or that packets are being modified in transit to this computer. Verify that the packets sent from the remote"
        " computer are the same as those received by this computer. This error might also indicate interoperability problems"
        " with other IPsec implementations." + _DROPPED,
        confirmed=False, newer_confirmed=False,
    ),
    _type(
        4961, _S, IPSEC_DRIVER, "RemoteAddress SPI/32",
        "IPsec dropped an inbound packet that failed a replay check. If this problem persists, it could indicate a replay attack"
        " against this computer." + _DROPPED,
        confirmed=False, newer_confirmed=False,
    ),
    _type(
        4962, _S, IPSEC_DRIVER, "RemoteAddress SPI/32",
        "IPsec dropped an inbound packet that failed a replay check. The inbound packet had too low a sequence number to ensure"
        " it was not a replay." + _DROPPED,
        confirmed=False, newer_confirmed=False,
    ),
    _type(
        4963, _S, IPSEC_DRIVER, "RemoteAddress SPI/32",
        "IPsec dropped an inbound clear text packet that should have been secured. This is usually due to the remote computer"
        " changing its IPsec policy without informing this computer. This could also be a spoofing attack attempt." + _DROPPED,
        confirmed=False,
        newer="IPsec dropped an inbound clear text packet that should have been secured. If the remote computer is configured"
        " with a Request Outbound IPsec policy, this might be benign and expected.  This can also be caused by the remote"
        " computer changing its IPsec policy without informing this computer. This could also be a spoofing attack attempt."
        + _DROPPED,
        newer_confirmed=False,
    ),
    _type(
        4965, _S, IPSEC_DRIVER, "RemoteAddress SPI/32",
        "IPsec received a packet from a remote computer with an incorrect Security Parameter Index (SPI). This is usually caused"
        " by malfunctioning hardware that is corrupting packets. If these errors persist, verify that the packets sent from the"
        " remote computer are the same as those received by this computer. This error may also indicate interoperability"
        " problems with other IPsec implementations. In that case, if connectivity is not impeded, then these events can be"
        " ignored." + _DROPPED,
        confirmed=False,
        newer="IPsec received a packet from a remote computer with an incorrect Security Parameter Index (SPI). This is usually"
        " caused by malfunctioning hardware that is corrupting packets. If these errors persist, verify that the packets sent"
        " from the remote computer are the same as those received by this computer. This error might also indicate"
        " interoperability problems with other IPsec implementations. In that case, if connectivity is not impeded, then these"
        " events can be ignored." + _DROPPED,
        newer_confirmed=False,
    ),
    # The filtering platform's own objects. Tabs from the message table, line breaks from published per-event pages.
    _type(
        5440, _S, FILTERING_PLATFORM,
        "ProviderKey ProviderName CalloutKey CalloutName CalloutType CalloutId/32 LayerKey LayerName LayerId/32",
        "The following callout was present when the Windows Filtering Platform Base Filtering Engine started.\n\n"
        "Provider Information:\t\n\tID:\t\t%1\n\tName:\t\t%2\n\n"
        "Callout Information:\n\tID:\t\t%3\n\tName:\t\t%4\n\tType:\t\t%5\n\tRun-Time ID:\t%6\n\n"
        "Layer Information:\n\tID:\t\t%7\n\tName:\t\t%8\n\tRun-Time ID:\t%9",
    ),
    _type(
        5441, _S, FILTERING_PLATFORM,
        "ProviderKey ProviderName FilterKey FilterName FilterType FilterId/64 LayerKey LayerName LayerId/32 Weight/64"
        " Conditions Action CalloutKey CalloutName",
        "The following filter was present when the Windows Filtering Platform Base Filtering Engine started.\n\n"
        "Provider Information:\t\n\tID:\t\t%1\n\tName:\t\t%2\n\n"
        "Filter Information:\n\tID:\t\t%3\n\tName:\t\t%4\n\tType:\t\t%5\n\tRun-Time ID:\t%6\n\n"
        "Layer Information:\n\tID:\t\t%7\n\tName:\t\t%8\n\tRun-Time ID:\t%9\n\tWeight:\t\t%10\n\t\n"
        "Additional Information:\n\tConditions:\t%11\n\tFilter Action:\t%12\n\tCallout ID:\t%13\n\tCallout Name:\t%14",
    ),
    _type(
        5442, _S, FILTERING_PLATFORM, "ProviderKey ProviderName ProviderType",
        "The following provider was present when the Windows Filtering Platform Base Filtering Engine started.\n\t\n"
        "Provider ID:\t%1\nProvider Name:\t%2\nProvider Type:\t%3",
    ),
    # 5443 and 5444: tabs seen; line breaks as in 5442, not seen.
    _type(
        5443, _S, FILTERING_PLATFORM,
        "ProviderKey ProviderName ProviderContextKey ProviderContextName ProviderContextType",
        "The following provider context was present when the Windows Filtering Platform Base Filtering Engine started.\n\t\n"
        "Provider ID:\t%1\nProvider Name:\t%2\nProvider Context ID:\t%3\nProvider Context Name:\t%4\nProvider Context Type:\t%5",
        confirmed=False, newer_confirmed=False,
    ),
    _type(
        5444, _S, FILTERING_PLATFORM, "ProviderKey ProviderName SubLayerKey SubLayerName SubLayerType Weight/32",
        "The following sub-layer was present when the Windows Filtering Platform Base Filtering Engine started.\n\t\n"
        "Provider ID:\t%1\nProvider Name:\t%2\nSub-layer ID:\t%3\nSub-layer Name:\t%4\nSub-layer Type:\t%5\nWeight:\t\t%6",
        confirmed=False, newer_confirmed=False,
    ),
    _type(
        5446, _S, FILTERING_PLATFORM,
        _CHANGER + " ProviderKey ProviderName ChangeType CalloutKey CalloutName CalloutType CalloutId/32"
        " LayerKey LayerName LayerId/32",
        "A Windows Filtering Platform callout has been changed." + _SUBJECT +
        "Provider Information:\n\tID:\t\t%4\n\tName:\t\t%5\n\nChange Information:\n\tChange Type:\t%6\n\n"
        "Callout Information:\n\tID:\t\t%7\n\tName:\t\t%8\n\tType:\t\t%9\n\tRun-Time ID:\t%10\n\n"
        "Layer Information:\n\tID:\t\t%11\n\tName:\t\t%12\n\tRun-Time ID:\t%13",
    ),
    # Microsoft's published record of 5447 carries task 13573, so it belongs to the other subcategory.
    _type(
        5447, _S, OTHER_POLICY_CHANGE,
        _CHANGER + " ProviderKey ProviderName ChangeType FilterKey FilterName FilterType FilterId/64"
        " LayerKey LayerName LayerId/32 Weight/64 Conditions Action CalloutKey CalloutName",
        "A Windows Filtering Platform filter has been changed." + _SUBJECT +
        "Provider Information:\n\tID:\t\t%4\n\tName:\t\t%5\n\nChange Information:\n\tChange Type:\t%6\n\n"
        "Filter Information:\n\tID:\t\t%7\n\tName:\t\t%8\n\tType:\t\t%9\n\tRun-Time ID:\t%10\n\n"
        "Layer Information:\n\tID:\t\t%11\n\tName:\t\t%12\n\tRun-Time ID:\t%13\n\n"
        "Callout Information:\n\tID:\t\t%17\n\tName:\t\t%18\n\n"
        "Additional Information:\n\tWeight:\t%14\t\n\tConditions:\t%15\n\tFilter Action:\t%16",
    ),
    _type(
        5448, _S, FILTERING_PLATFORM, _CHANGER + " ChangeType ProviderKey ProviderName ProviderType",
        "A Windows Filtering Platform provider has been changed." + _SUBJECT +
        "Change Information:\n\tChange Type:\t%4\n\nProvider Information:\n\tID:\t\t%5\n\tName:\t\t%6\n\tType:\t\t%7",
    ),
    _type(
        5449, _S, FILTERING_PLATFORM,
        _CHANGER + " ProviderKey ProviderName ChangeType ProviderContextKey ProviderContextName ProviderContextType",
        "A Windows Filtering Platform provider context has been changed." + _SUBJECT +
        "Provider Information:\n\tProvider ID:\t%4\n\tProvider Name:\t%5\n\nChange Information:\n\tChange Type:\t%6\n\n"
        "Provider Context:\n\tID:\t%7\n\tName:\t%8\n\tType:\t%9",
    ),
    _type(
        5450, _S, FILTERING_PLATFORM,
        _CHANGER + " ProviderKey ProviderName ChangeType SubLayerKey SubLayerName SubLayerType Weight/32",
        "A Windows Filtering Platform sub-layer has been changed." + _SUBJECT +
        "Provider Information:\n\tProvider ID:\t%4\n\tProvider Name:\t%5\n\nChange Information:\n\tChange Type:\t%6\n\n"
        "Sub-layer Information:\n\tSub-layer ID:\t%7\n\tSub-layer Name:\t%8\n\tSub-layer Type:\t%9\n\n"
        "Additional Information:\n\tWeight:\t%10",
    ),
    _type(
        5453, _S, IPSEC_MAIN_MODE, "",
        "An IPsec negotiation with a remote computer failed because the IKE and AuthIP IPsec Keying Modules (IKEEXT) service is"
        " not started.",
    ),
    # Policy application. Event page; message table for the newer text, except the events without parameters, whose newer
    # text was not seen and is the old one with the newer name.
    _type(
        5456, _S, FILTERING_PLATFORM, "Policy",
        "PAStore Engine applied Active Directory storage IPsec policy on the computer.\n\nPolicy:\t\t%1",
    ),
    _type(
        5457, _F, FILTERING_PLATFORM, "Policy Error/32",
        "PAStore Engine failed to apply Active Directory storage IPsec policy on the computer.\n\nDN:\t\t%1\nError code:\t\t%2",
        symbol="POLICYAGENT_PASTORE_FAILED_DS_POLICY_APPLICATION",
    ),
    _type(
        5458, _S, FILTERING_PLATFORM, "Policy",
        "PAStore Engine applied locally cached copy of Active Directory storage IPsec policy on the computer.\n\nPolicy:\t\t%1",
    ),
    _type(
        5459, _F, FILTERING_PLATFORM, "Policy Error/32",
        "PAStore Engine failed to apply locally cached copy of Active Directory storage IPsec policy on the computer.\n\n"
        "Policy:\t\t%1\nError Code:\t\t%2",
    ),
    _type(
        5460, _S, FILTERING_PLATFORM, "Policy",
        "PAStore Engine applied local registry storage IPsec policy on the computer.\n\nPolicy:\t\t%1",
    ),
    _type(
        5461, _F, FILTERING_PLATFORM, "Policy Error/32",
        "PAStore Engine failed to apply local registry storage IPsec policy on the computer.\n\n"
        "Policy:\t\t%1\nError Code:\t\t%2",
        symbol="POLICYAGENT_PASTORE_FAILED_LOCAL_POLICY_APPLICATION",
    ),
    _type(
        5462, _F, FILTERING_PLATFORM, "Policy Error/32",
        "PAStore Engine failed to apply some rules of the active IPsec policy on the computer. Use the IP Security Monitor"
        " snap-in to diagnose the problem.\n\nPolicy:\t\t%1\nError Code:\t\t%2",
        symbol="POLICYAGENT_PASTORE_FAILED_SOME_NFA_APPLICATION",
    ),
    _type(
        5463, _S, FILTERING_PLATFORM, "",
        "PAStore Engine polled for changes to the active IPsec policy and detected no changes.",
        newer_confirmed=False,
    ),
    _type(
        5464, _S, FILTERING_PLATFORM, "",
        "PAStore Engine polled for changes to the active IPsec policy, detected changes, and applied them to IPsec Services.",
        newer_confirmed=False,
    ),
    _type(
        5465, _S, FILTERING_PLATFORM, "",
        "PAStore Engine received a control for forced reloading of IPsec policy and processed the control successfully.",
        newer_confirmed=False,
    ),
    _type(
        5466, _F, FILTERING_PLATFORM, "",
        "PAStore Engine polled for changes to the Active Directory IPsec policy, determined that Active Directory cannot be"
        " reached, and will use the cached copy of the Active Directory IPsec policy instead. Any changes made to the Active"
        " Directory IPsec policy since the last poll could not be applied.",
        newer_confirmed=False,
    ),
    # A failure in Microsoft's list although it reports good news.
    _type(
        5467, _F, FILTERING_PLATFORM, "",
        "PAStore Engine polled for changes to the Active Directory IPsec policy, determined that Active Directory can be"
        " reached, and found no changes to the policy. The cached copy of the Active Directory IPsec policy is no longer being"
        " used.",
        newer_confirmed=False, symbol="POLICYAGENT_PASTORE_MIGRATE_CACHE_TO_DS",
    ),
    _type(
        5468, _S, FILTERING_PLATFORM, "",
        "PAStore Engine polled for changes to the Active Directory IPsec policy, determined that Active Directory can be"
        " reached, found changes to the policy, and applied those changes. The cached copy of the Active Directory IPsec policy"
        " is no longer being used.",
        newer_confirmed=False, symbol="POLICYAGENT_PASTORE_UPDATE_CACHE_TO_DS",
    ),
    _type(
        5471, _S, FILTERING_PLATFORM, "Policy",
        "PAStore Engine loaded local storage IPsec policy on the computer.\n\nPolicy:\t\t%1",
    ),
    _type(
        5472, _F, FILTERING_PLATFORM, "Policy Error/32",
        "PAStore Engine failed to load local storage IPsec policy on the computer.\n\nPolicy:\t\t%1\nError Code:\t\t%2",
    ),
    _type(
        5473, _S, FILTERING_PLATFORM, "Policy",
        "PAStore Engine loaded directory storage IPsec policy on the computer.\n\nPolicy:\t\t%1",
    ),
    _type(
        5474, _F, FILTERING_PLATFORM, "Policy Error/32",
        "PAStore Engine failed to load directory storage IPsec policy on the computer.\n\nPolicy:\t\t%1\nError Code:\t\t%2",
    ),
    _type(
        5477, _F, FILTERING_PLATFORM, "QuickModeFilter Error/32",
        "PAStore Engine failed to add quick mode filter.\n\nQuick Mode Filter:\t\t%1\nError Code:\t\t%2",
    ),
    # The service as such: the list. Newer texts of the events without parameters were not seen.
    _type(5478, _S, IPSEC_DRIVER, "", "IPsec Services has started successfully.", newer_confirmed=False),
    _type(
        5479, _S, IPSEC_DRIVER, "",
        "IPsec Services has been shut down successfully. The shutdown of IPsec Services " + _EXPOSED,
        newer_confirmed=False,
    ),
    _type(
        5480, _F, IPSEC_DRIVER, "",
        "IPsec Services failed to get the complete list of network interfaces on the computer." + _UNPROTECTED,
        newer_confirmed=False,
    ),
    # 5483 and 5484: sentences from the list, the newer ones and the label from the message table; line breaks not seen.
    _type(
        5483, _F, IPSEC_DRIVER, "Error/32",
        "IPsec Services failed to initialize RPC server. IPsec Services could not be started.\n\nError Code:\t\t%1",
        confirmed=False,
        newer="The IPsec Policy Agent service failed to initialize its RPC server. The service could not be started.\n\n"
        "Error Code:\t\t%1",
        newer_confirmed=False,
    ),
    _type(
        5484, _F, IPSEC_DRIVER, "Error/32",
        "IPsec Services has experienced a critical failure and has been shut down. The shutdown of IPsec Services "
        + _EXPOSED + "\n\nError Code:\t\t%1",
        confirmed=False,
        newer="The IPsec Policy Agent service experienced a critical failure and has shut down. The shutdown of this service "
        + _EXPOSED + "\n\nError Code:\t\t%1",
        newer_confirmed=False,
    ),
    _type(
        5485, _F, IPSEC_DRIVER, "",
        "IPsec Services failed to process some IPsec filters on a plug-and-play event for network interfaces." + _UNPROTECTED,
        newer_confirmed=False,
    ),
)  # fmt: skip

EVENTS: Final[Mapping[int, EventType]] = MappingProxyType({known.id: known for known in _TYPES})

_PARAMETER = re.compile(r"%(\d{1,2})")


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One event that happened.

    Parameters
    ----------
    id : int
        An id of `EVENTS`.
    data : mapping of str to str or int
        EventData; exactly the catalogue's names, kept in the catalogue's order. Integers are unsigned, of the width the
        catalogue gives. A string longer than 32768 characters divided by the number of fields (at least two) is cut, and
        says so, because policy data may be of any length and an event must fit a log line.
    time : datetime
        Aware; kept in UTC.
    wording : Wording, optional
        Which name the text uses. Not compared: it is the same event in other words.
    summary : Summary, optional
        What changed, for an event that tells of a change. Windows has none: it is in neither the text nor the EventData.

    Raises
    ------
    ValueError
        For an id that is not in the catalogue, names or ranges that are not the catalogue's, or a naive time.
    TypeError
        For a value of the wrong type. The message never shows the value: it may be a secret handed in by mistake.
    """

    id: int
    data: Mapping[str, Value]
    time: datetime
    wording: Wording = field(default=Wording.PASTORE, compare=False)
    summary: Summary | None = None

    def __post_init__(self) -> None:
        known = EVENTS.get(self.id)
        if known is None:
            raise ValueError(f"event {self.id} is not in the catalogue")
        names = [one.name for one in known.fields]
        if self.data.keys() != set(names):
            raise ValueError(f"event {self.id} takes {', '.join(names) or 'no data'}; got {_listed(self.data)}")
        if self.time.utcoffset() is None:
            raise ValueError("the time of an event needs a time zone")
        longest = _MAX_CHARACTERS // max(2, len(names))
        values = {one.name: _checked(self.id, one, self.data[one.name], longest) for one in known.fields}
        object.__setattr__(self, "data", MappingProxyType(values))
        object.__setattr__(self, "time", self.time.astimezone(UTC))

    def __hash__(self) -> int:
        return hash((self.id, tuple(self.data.items()), self.time))

    def __reduce__(self) -> tuple[type["AuditEvent"], tuple[int, dict[str, Value], datetime, Wording, Summary | None]]:
        return AuditEvent, (self.id, dict(self.data), self.time, self.wording, self.summary)

    @property
    def type(self) -> EventType:
        """What the catalogue says of this event id."""
        return EVENTS[self.id]

    @property
    def outcome(self) -> Outcome:
        """Audit success or audit failure."""
        return self.type.outcome

    @property
    def text(self) -> str:
        """The message with its parameters filled in.

        Characters of a value that could forge a line (newlines, terminal controls, bidirectional overrides) are written as
        ``\\x0a``; `data` has the value as it was.
        """
        values = [visible(str(value)) for value in self.data.values()]
        return _PARAMETER.sub(lambda match: values[int(match[1]) - 1], self.type.worded(self.wording))


def event(
    id: int,
    /,
    *,
    time: datetime | None = None,
    wording: Wording = Wording.PASTORE,
    summary: Summary | None = None,
    **data: Value,
) -> AuditEvent:
    """Return the event `id` with its EventData given by name, as of now unless `time` is given.

    Parameters
    ----------
    id : int
        An id of `EVENTS`.
    time : datetime, optional
        Aware.
    wording : Wording, optional
        Which name the text uses.
    summary : Summary, optional
        What changed.
    **data : str or int
        EventData, by the catalogue's names.

    Returns
    -------
    AuditEvent

    Raises
    ------
    ValueError, TypeError
        As `AuditEvent`.
    """
    return AuditEvent(id, data, datetime.now(UTC) if time is None else time, wording, summary)


def _listed(data: Mapping[str, Value]) -> str:
    names = [visible(str(name)[:40]) for name in list(data)[:20]]
    return ", ".join(names) or "none"


def _checked(number: int, item: Field, value: Value, longest: int) -> Value:
    if item.bits:
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{item.name} of event {number} is an integer, not {type(value).__name__}")
        if not 0 <= value < 1 << item.bits:
            raise ValueError(f"{item.name} of event {number} does not fit {item.bits} bits")
        return value
    if not isinstance(value, str):
        raise TypeError(f"{item.name} of event {number} is a string, not {type(value).__name__}")
    value = joined_surrogates(str(value))
    if len(value) <= longest:
        return value
    mark = f"... (cut, {len(value)} characters)"
    return value[: longest - len(mark)] + mark
