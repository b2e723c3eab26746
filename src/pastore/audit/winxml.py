"""An audit log as Windows Event XML, as ``wevtutil query-events /format:xml /element:Events`` writes the Security log.

The form is [MS-EVEN6] 2.2.13; the constant values are those of records that Microsoft has published for this provider.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from typing import Final

from pastore.audit.events import PROVIDER, PROVIDER_GUID, Outcome
from pastore.audit.record import Entry, timestamp
from pastore.audit.visible import xml_safe

NAMESPACE: Final = "http://schemas.microsoft.com/win/2004/08/events/event"
_KEYWORDS: Final = {Outcome.SUCCESS: "0x8020000000000000", Outcome.FAILURE: "0x8010000000000000"}


def render(entries: Iterable[Entry], computer: str) -> Iterator[str]:
    """Yield an XML document, piece by piece: ``<Events>`` around one ``<Event>`` for each entry.

    Characters that XML 1.0 does not allow are written as ``\\x00`` or ``\\ud800``.

    Parameters
    ----------
    entries : iterable of Entry
    computer : str
        Name of the computer the log is from.

    Yields
    ------
    str
        To be encoded as UTF-8.
    """
    yield '<?xml version="1.0" encoding="utf-8"?>\n<Events>\n'
    for entry in entries:
        yield ET.tostring(element(entry, computer), encoding="unicode") + "\n"
    yield "</Events>\n"


def element(entry: Entry, computer: str) -> ET.Element:
    """Return the ``<Event>`` of one entry.

    Its namespace stands as a plain attribute, because ElementTree would otherwise give every element a prefix; serialise it
    before looking anything up by name.

    Parameters
    ----------
    entry : Entry
    computer : str
        Name of the computer the log is from.

    Returns
    -------
    xml.etree.ElementTree.Element
    """
    event = entry.event
    root = ET.Element("Event", xmlns=NAMESPACE)
    system = ET.SubElement(root, "System")
    ET.SubElement(system, "Provider", Name=PROVIDER, Guid=PROVIDER_GUID)
    for name, text in (
        ("EventID", str(event.id)),
        ("Version", "0"),
        ("Level", "0"),
        ("Task", str(event.type.subcategory.task)),
        ("Opcode", "0"),
        ("Keywords", _KEYWORDS[event.outcome]),
    ):
        ET.SubElement(system, name).text = text
    ET.SubElement(system, "TimeCreated", SystemTime=timestamp(event.time))
    ET.SubElement(system, "EventRecordID").text = str(entry.seq)
    ET.SubElement(system, "Correlation")
    ET.SubElement(system, "Execution", ProcessID="0", ThreadID="0")
    ET.SubElement(system, "Channel").text = "Security"
    ET.SubElement(system, "Computer").text = xml_safe(computer)
    ET.SubElement(system, "Security")
    data = ET.SubElement(root, "EventData")
    for name, value in event.data.items():
        ET.SubElement(data, "Data", Name=name).text = xml_safe(str(value))
    return root
