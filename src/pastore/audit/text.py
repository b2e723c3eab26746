"""An audit log for people: a block for each event."""

from collections.abc import Iterable, Iterator

from pastore.audit.record import Entry, as_dict


def render(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield one block of text for each entry, with a blank line after it.

    The first line has number, time, id and outcome; the message follows, indented, and the meaning of the error code if there is
    one. What came from the policy cannot leave its line or command the terminal.

    Parameters
    ----------
    entries : iterable of Entry

    Yields
    ------
    str
        Lines with their line ends.
    """
    for entry in entries:
        event = entry.event
        line = as_dict(entry)
        blocks = [event.text.expandtabs(8)]
        if "error" in line:
            error = line["error"]
            blocks.append(f"{error['name']} ({error['code']}): {error['message']}")
        if event.summary is not None:
            blocks.append("\n".join(event.summary.lines()))
        body = "\n\n".join(blocks).splitlines()
        head = f"{entry.seq}  {line['time']}  event {event.id}  {event.outcome.value}"
        yield "\n".join([head, *(f"    {part}".rstrip() for part in body)]) + "\n\n"
