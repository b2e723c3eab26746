"""Flows and case files from anywhere: read, or refused with a message that says where; never anything else."""

import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pastore.analysis.flow import Flow
from pastore.analysis.grid import whole_box
from pastore.testing.cases import CaseError, read_cases

WORDS = st.sampled_from(
    [
        "tcp",
        "udp",
        "any",
        "me",
        ">",
        "10.0.0.0/8",
        "10.0.0.1:80",
        "[2001:db8::1]:53",
        "::/0",
        "1-2",
        "in",
        "out",
        "lan",
        "ipv6",
        ":",
        ",",
        "-",
    ],
)
GOOD = """\
name: a
policy: b.reg
me: [10.0.0.1]
packets:
  - {packet: tcp 10.0.0.1 > 10.0.0.2, action: allow, rule: x}
"""
SPOILS = (b"", b"\n", b" ", b"- ", b"{", b"]", b"&a ", b"*a", b"!!x ", b"'", b"\t", b"\x00")


def refusal(text: str) -> str | None:
    """Return why a flow is refused, None if it is not."""
    try:
        Flow.parse(text)
    except ValueError as error:
        return str(error)
    return None


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=60) | st.lists(WORDS, max_size=8).map(" ".join) | st.lists(WORDS, max_size=6).map("".join))
def test_a_flow_has_parts_within_its_family_or_is_refused(text: str) -> None:
    why = refusal(text)
    if why is not None:
        assert why.isprintable()
        assert len(why) < 1000
        return
    flow = Flow.parse(text)
    assert flow.parts
    for family, box in flow.parts:
        assert all(least <= low <= high <= most for (low, high), (least, most) in zip(box, whole_box(family), strict=True))


@st.composite
def edited(draw: st.DrawFn) -> bytes:
    """Return a good file with a few bytes changed."""
    data = bytearray(GOOD.encode())
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data) - 1))
        data[at : at + draw(st.integers(0, 3))] = draw(st.sampled_from(SPOILS))
    return bytes(data)


texts = st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass"))


def problem(path: Path) -> str | None:
    """Return why a file is refused, None if it is not."""
    try:
        cases = read_cases(str(path))
    except CaseError as error:
        return str(error)
    assert cases
    assert all(case.expectations and case.line > 0 for case in cases)
    return None


@settings(max_examples=300, deadline=None)
@given(edited() | texts | st.binary(max_size=200))
@example(GOOD.encode())
@example(b"- " * 3000)
@example(b"? " * 3000)
@example(b"&a [" * 2000)
@example(b"!!python/object/apply:os.system [id]")
@example(b"<<: *a")
def test_a_case_file_is_read_or_refused_with_its_place(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cases.yaml"
        path.write_bytes(data)
        why = problem(path)
    assert why is None or why.startswith(str(path))
    assert why is None or data != GOOD.encode()
