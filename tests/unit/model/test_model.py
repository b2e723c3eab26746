"""The policy tree: places do not count, secrets do not show, every Win32 code has words."""

from copy import deepcopy
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from typing import Any

import pytest

from pastore.model import (
    NOWHERE,
    Action,
    Address,
    AddressKind,
    AuthKind,
    AuthMethod,
    Filter,
    FilterAction,
    FilterList,
    MainMode,
    Origin,
    Policy,
    Ports,
    Rule,
    Secret,
    win32,
)
from tests.support.policies import MAIN_MODE, action, flt, guid, policy, rule

PLACE = Origin("corp.reg", r"HKLM\SOFTWARE\ipsecPolicy{1}", 17, 3)


def moved(node: Any) -> Any:
    """Return a node with another place on it and on everything below it."""
    if isinstance(node, tuple):
        return tuple(moved(each) for each in node)
    if not is_dataclass(node) or isinstance(node, (Origin, type)):
        return node
    changed: dict[str, Any] = {field.name: moved(getattr(node, field.name)) for field in fields(node)}
    if "origin" in changed:
        changed["origin"] = PLACE
    return replace(node, **changed)


class TestPlaces:
    def test_two_policies_that_differ_only_in_where_they_were_read_are_equal(self) -> None:
        made = policy(rule("Web", "protect", "tcp any > me:80", "udp any > me:53"), rule("Rest", "block", "any > me"))
        elsewhere = moved(made)
        filters = [filter_ for each in elsewhere.rules for filter_list in each.filter_lists for filter_ in filter_list.filters]
        assert all(filter_.origin is PLACE for filter_ in filters)
        assert elsewhere == made
        assert hash(elsewhere) == hash(made)

    @pytest.mark.parametrize(
        "node",
        [
            flt("any > me"),
            FilterList(guid("list"), "List"),
            action("block"),
            rule("Rule", "block"),
            MAIN_MODE,
            Policy(guid("p"), "P"),
        ],
    )
    def test_every_node_says_where_it_was_read_and_compares_without_it(self, node: Any) -> None:
        assert node.origin is NOWHERE
        assert replace(node, origin=PLACE) == node

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (flt("any > me"), flt("any > me", mirrored=False)),
            (FilterList(guid("a"), "A"), FilterList(guid("a"), "B")),
            (FilterAction(guid("a"), "A", Action.BLOCK), FilterAction(guid("a"), "A", Action.ALLOW)),
            (Rule(guid("a")), Rule(guid("a"), active=False)),
            (MainMode(guid("a")), MainMode(guid("a"), pfs=True)),
            (Policy(guid("a"), "A"), Policy(guid("a"), "A", assigned=True)),
        ],
    )
    def test_everything_else_is_compared(self, one: Any, other: Any) -> None:
        assert one != other

    @pytest.mark.parametrize(
        ("origin", "text"),
        [
            (Origin("corp.reg", "key", 17, 3), "corp.reg:17:3"),
            (Origin("corp.reg", "key", 17), "corp.reg:17"),
            (Origin("corp.reg", "key"), "corp.reg"),
            (Origin(), "(memory)"),
        ],
    )
    def test_a_place_reads_as_tools_write_it(self, origin: Origin, text: str) -> None:
        assert str(origin) == text

    def test_nodes_are_frozen(self) -> None:
        with pytest.raises(FrozenInstanceError):
            policy().name = "Other"  # type: ignore[misc]


class TestSecret:
    def test_it_shows_as_redacted_however_it_is_shown(self) -> None:
        secret = Secret("hunter2")
        shown = [str(secret), repr(secret), f"{secret}", f"{secret:>30}", f"{secret!r}", repr([secret]), repr({"key": secret})]
        assert all("(redacted)" in text and "hunter2" not in text for text in shown)
        assert len(f"{secret:>30}") == 30

    def test_a_policy_that_holds_one_does_not_show_it_either(self) -> None:
        auth = (AuthMethod(AuthKind.PRESHARED_KEY, key=Secret("hunter2")),)
        assert "hunter2" not in repr(policy(rule("Keyed", "protect", "any > me", auth=auth)))

    def test_only_reveal_hands_it_out(self) -> None:
        secret = Secret("hunter2")
        assert secret.reveal() == "hunter2"
        assert not hasattr(secret, "__dict__")

    def test_equal_values_are_equal_secrets(self) -> None:
        assert Secret("a") == Secret("a")
        assert hash(Secret("a")) == hash(Secret("a"))
        assert Secret("a") != Secret("b")
        assert Secret("a") != "a"

    def test_a_copied_tree_keeps_it(self) -> None:
        method = AuthMethod(AuthKind.PRESHARED_KEY, key=Secret("hunter2"))
        assert deepcopy(method) == method


class TestWords:
    @pytest.mark.parametrize(("action", "word"), [(Action.NONE, "none"), (Action.ALLOW, "allow"), (Action.BLOCK, "block")])
    def test_actions_are_words(self, action: Action, word: str) -> None:
        assert str(action) == word

    def test_actions_are_the_numbers_of_verdict_arrays(self) -> None:
        assert [int(action) for action in Action] == [0, 1, 2, 3]
        assert [str(action) for action in Action] == ["none", "allow", "block", "protect"]

    def test_the_server_kinds_are_the_four_dynamic_ones(self) -> None:
        assert {kind.value for kind in AddressKind if kind.is_server} == {"dns", "wins", "dhcp", "gateway"}

    def test_any_port_is_every_port(self) -> None:
        assert Ports().is_any
        assert not Ports(0, 65534).is_any
        assert not Ports(1, 65535).is_any

    @pytest.mark.parametrize(
        ("rule", "label"),
        [
            (Rule(guid("r"), "Named", filter_lists=(FilterList(guid("l"), "List"),)), "Named"),
            (Rule(guid("r"), default_response=True), "<Dynamic>"),
            (Rule(guid("r"), filter_lists=(FilterList(guid("l"), "One"), FilterList(guid("m"), "Two"))), "One + Two"),
            (Rule(guid("r"), filter_lists=(FilterList(guid("l"), ""),)), f"{{{guid('r')}}}"),
            (Rule(guid("r")), f"{{{guid('r')}}}"),
        ],
    )
    def test_a_rule_without_a_name_goes_by_its_filter_lists_or_its_guid(self, rule: Rule, label: str) -> None:
        assert rule.label == label

    def test_a_filter_is_for_any_protocol_any_port_and_mirrored_unless_told(self) -> None:
        made = Filter(guid("f"), Address(AddressKind.ANY), Address(AddressKind.ME))
        assert (made.protocol, made.sport.is_any, made.dport.is_any, made.mirrored, made.version) == (0, True, True, True, 1)


class TestWin32:
    @pytest.mark.parametrize(
        ("code", "name", "message"),
        [
            (2, "ERROR_FILE_NOT_FOUND", "The system cannot find the file specified."),
            (13, "ERROR_INVALID_DATA", "The data is invalid."),
            (87, "ERROR_INVALID_PARAMETER", "The parameter is incorrect."),
            (13004, "ERROR_IPSEC_MM_POLICY_NOT_FOUND", "The specified main mode policy was not found."),
            (13008, "ERROR_IPSEC_TRANSPORT_FILTER_EXISTS", "The specified transport mode filter already exists."),
        ],
    )
    def test_a_code_has_its_symbolic_name_and_message(self, code: int, name: str, message: str) -> None:
        assert win32.describe(code) == (code, name, message)

    def test_a_code_that_is_not_listed_is_described_as_such(self) -> None:
        assert win32.describe(4711) == (4711, "ERROR_4711", "System error 4711 (see: net helpmsg 4711).")

    def test_every_constant_is_listed(self) -> None:
        constants = {name: value for name, value in vars(win32).items() if name.isupper() and isinstance(value, int)}
        assert len(constants) >= 14
        assert {name for name, code in constants.items() if code not in win32.ERRORS} == set()
        assert all(win32.describe(code).name.endswith(name) for name, code in constants.items())
