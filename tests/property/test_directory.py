"""Properties of what directories send: no bytes are a traceback, and names survive."""

from contextlib import suppress

from hypothesis import example, given
from hypothesis import strategies as st

from pastore.directory.assignment import parse_links
from pastore.directory.dn import escaped, is_below, parse_dn, same_dn
from pastore.directory.errors import DirectoryError
from pastore.directory.rights import Right, may_apply
from pastore.directory.wire import check_message
from tests.support.hostile_ldap import DONE, FOUND, ber, elements, entry_message, message, result

VALUES = st.text(min_size=1, max_size=20)
BYTES = st.binary(max_size=40)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_an_error(data: bytes) -> None:
    with suppress(DirectoryError):
        assert check_message(data, 0, 1000) >= 0


@given(st.dictionaries(st.text("abcdefg", min_size=1), st.lists(BYTES, max_size=4), max_size=5), st.integers(1, 2**31 - 1))
def test_every_entry_of_a_well_behaved_server_is_sound(values: dict[str, list[bytes]], number: int) -> None:
    data = entry_message(number, "CN=x", values)
    start = len(data) - len(elements(data)[0][1])
    assert check_message(data, start, 1000) >= 4
    done = message(number, result(DONE, 0, "said"))
    assert check_message(done, len(done) - len(elements(done)[0][1]), 1000) == 5


@given(st.integers(0, 40))
def test_structures_within_structures_are_refused_from_a_depth_on(depth: int) -> None:
    inner = b""
    for _ in range(depth):
        inner = ber(0x30, inner)
    data = ber(FOUND, inner)
    try:
        check_message(data, 0, 1000)
    except DirectoryError:
        assert depth > 5
    else:
        assert depth <= 11


@given(st.lists(VALUES, min_size=1, max_size=5))
@example(["\\"])
@example(["\\ "])
@example([" ", "#a ", "\r"])
def test_a_name_that_was_escaped_is_read_as_it_was(values: list[str]) -> None:
    text = ",".join(f"CN={escaped(value)}" for value in values)
    parsed = parse_dn(text)
    assert parsed == tuple(("cn", value.lower()) for value in values)
    assert same_dn(text, text.replace(",CN=", ", cn = "))
    assert is_below(parsed, parsed[1:])
    assert not is_below(parsed[1:], parsed)


@given(st.text(max_size=60))
def test_any_text_is_a_dn_or_none(text: str) -> None:
    parsed = parse_dn(text)
    assert parsed is None or all(kind and isinstance(value, str) for kind, value in parsed)


@given(st.binary(max_size=120))
def test_any_bytes_are_a_descriptor_or_unknown(data: bytes) -> None:
    assert may_apply(data, frozenset(("S-1-1-0",))) in Right


@given(st.lists(st.tuples(st.text("abcDE =,{}-", min_size=1, max_size=30), st.integers(0, 3)), max_size=5))
def test_links_are_read_in_their_order(links: list[tuple[str, int]]) -> None:
    text = "".join(f"[LDAP://{dn};{options}]" for dn, options in links)
    assert parse_links(text) == tuple((dn.strip(), options) for dn, options in links)
