"""The catalogue against Microsoft's published texts, and the checks on what goes into an event."""

import copy
import pickle
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest

from pastore.audit import EVENTS, AuditEvent, Outcome, Wording, event
from pastore.model import Secret

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
POLICY = "Server Isolation"
DN = "CN=ipsecPolicy{72385230-70FA-11D1-864C-14A300000000},CN=IP Security,CN=System,DC=corp,DC=example"

# "IPsec Policy Agent Rule Processing", the page of Windows Server 2008: %t is a tab, %1 and %2 are filled in here.
PAGE = {
    5456: (
        "PAStore Engine applied Active Directory storage IPsec policy on the computer.\n"
        "\n"
        "Policy:\t\tCN=ipsecPolicy{72385230-70FA-11D1-864C-14A300000000},CN=IP Security,CN=System,DC=corp,DC=example"
    ),
    5457: (
        "PAStore Engine failed to apply Active Directory storage IPsec policy on the computer.\n"
        "\n"
        "DN:\t\tCN=ipsecPolicy{72385230-70FA-11D1-864C-14A300000000},CN=IP Security,CN=System,DC=corp,DC=example\n"
        "Error code:\t\t13008"
    ),
    5458: (
        "PAStore Engine applied locally cached copy of Active Directory storage IPsec policy on the computer.\n"
        "\n"
        "Policy:\t\tServer Isolation"
    ),
    5459: (
        "PAStore Engine failed to apply locally cached copy of Active Directory storage IPsec policy on the computer.\n"
        "\n"
        "Policy:\t\tServer Isolation\n"
        "Error Code:\t\t13008"
    ),
    5460: (
        "PAStore Engine applied local registry storage IPsec policy on the computer.\n"  #
        "\n"
        "Policy:\t\tServer Isolation"
    ),
    5461: (
        "PAStore Engine failed to apply local registry storage IPsec policy on the computer.\n"
        "\n"
        "Policy:\t\tServer Isolation\n"
        "Error Code:\t\t13008"
    ),
    5462: (
        "PAStore Engine failed to apply some rules of the active IPsec policy on the computer. "
        "Use the IP Security Monitor snap-in to diagnose the problem.\n"
        "\n"
        "Policy:\t\tServer Isolation\n"
        "Error Code:\t\t13008"
    ),
    5466: (
        "PAStore Engine polled for changes to the Active Directory IPsec policy, determined that Active Directory cannot be "
        "reached, and will use the cached copy of the Active Directory IPsec policy instead. Any changes made to the Active "
        "Directory IPsec policy since the last poll could not be applied."
    ),
    5467: (
        "PAStore Engine polled for changes to the Active Directory IPsec policy, determined that Active Directory can be "
        "reached, and found no changes to the policy. The cached copy of the Active Directory IPsec policy is no longer being "
        "used."
    ),
    5468: (
        "PAStore Engine polled for changes to the Active Directory IPsec policy, determined that Active Directory can be "
        "reached, found changes to the policy, and applied those changes. The cached copy of the Active Directory IPsec policy "
        "is no longer being used."
    ),
    5471: (
        "PAStore Engine loaded local storage IPsec policy on the computer.\n"  #
        "\n"
        "Policy:\t\tServer Isolation"
    ),
    5472: (
        "PAStore Engine failed to load local storage IPsec policy on the computer.\n"
        "\n"
        "Policy:\t\tServer Isolation\n"
        "Error Code:\t\t13008"
    ),
    5473: (
        "PAStore Engine loaded directory storage IPsec policy on the computer.\n"  #
        "\n"
        "Policy:\t\tServer Isolation"
    ),
    5474: (
        "PAStore Engine failed to load directory storage IPsec policy on the computer.\n"
        "\n"
        "Policy:\t\tServer Isolation\n"
        "Error Code:\t\t13008"
    ),
}
# From the other pages and lists of the same documentation.
ELSEWHERE = {
    5463: "PAStore Engine polled for changes to the active IPsec policy and detected no changes.",
    5464: "PAStore Engine polled for changes to the active IPsec policy, detected changes, and applied them to IPsec Services.",
    5465: "PAStore Engine received a control for forced reloading of IPsec policy and processed the control successfully.",
    5478: "IPsec Services has started successfully.",
    5479: (
        "IPsec Services has been shut down successfully. The shutdown of IPsec Services can put the computer at greater risk of "
        "network attack or expose the computer to potential security risks."
    ),
    5480: (
        "IPsec Services failed to get the complete list of network interfaces on the computer. This poses a potential security "
        "risk because some of the network interfaces may not get the protection provided by the applied IPsec filters. Use the "
        "IP Security Monitor snap-in to diagnose the problem."
    ),
    5485: (
        "IPsec Services failed to process some IPsec filters on a plug-and-play event for network interfaces. This poses a "
        "potential security risk because some of the network interfaces may not get the protection provided by the applied "
        "IPsec filters. Use the IP Security Monitor snap-in to diagnose the problem."
    ),
}
# (S) and (F) of Microsoft's security event list.
SUCCESSES = [
    *(4709, 4710, 4711, 4960, 4961, 4962, 4963, 4965, 5440, 5441, 5442, 5443, 5444, 5446, 5447, 5448, 5449, 5450, 5453),
    *(5456, 5458, 5460, 5463, 5464, 5465, 5468, 5471, 5473, 5478, 5479),
]
FAILURES = [4712, 5457, 5459, 5461, 5462, 5466, 5467, 5472, 5474, 5477, 5480, 5483, 5484, 5485]


def made(number: int) -> AuditEvent:
    policy = DN if number in (5456, 5457) else POLICY
    given: dict[str, str | int] = {"Policy": policy, "Error": 13008}
    return AuditEvent(number, {field.name: given[field.name] for field in EVENTS[number].fields}, NOW)


@pytest.mark.parametrize("number", PAGE)
def test_text_is_word_for_word_that_of_the_event_page(number: int) -> None:
    assert made(number).text == PAGE[number]
    assert EVENTS[number].confirmed


@pytest.mark.parametrize("number", ELSEWHERE)
def test_text_without_parameters_is_that_of_the_documentation(number: int) -> None:
    assert event(number).text == ELSEWHERE[number]


def test_start_of_the_service_has_a_space_and_a_tab_before_its_policy_source() -> None:
    started = event(4709, param1="Active Directory Storage", param2="AD", param3="")
    assert started.text == "IPsec Services was started.\n\nActive Directory Storage\n\nPolicy Source: \tAD\n\n"


def test_quick_mode_filter_that_was_not_added_is_named_with_its_error() -> None:
    failed = event(5477, QuickModeFilter="tcp 10.0.0.0/8 > me:445", Error=13008)
    assert failed.text == (
        "PAStore Engine failed to add quick mode filter.\n\nQuick Mode Filter:\t\ttcp 10.0.0.0/8 > me:445\nError Code:\t\t13008"
    )


def test_catalogue_is_the_whole_list_with_its_outcomes() -> None:
    assert sorted(EVENTS) == sorted(SUCCESSES + FAILURES)
    assert {number for number, known in EVENTS.items() if known.outcome is Outcome.FAILURE} == set(FAILURES)


def test_cache_no_longer_used_is_a_failure_although_it_is_good_news() -> None:
    assert event(5467).outcome is Outcome.FAILURE


@pytest.mark.parametrize(
    ("numbers", "name", "guid", "task", "category"),
    [
        (
            [*range(4709, 4713), *range(5440, 5445), 5446, 5448, 5449, 5450, *range(5456, 5469), *range(5471, 5475), 5477],
            "Filtering Platform Policy Change",
            "{0CCE9233-69AE-11D9-BED3-505054503030}",
            13572,
            ("Policy Change", "{6997984D-797A-11D9-BED3-505054503030}"),
        ),
        (
            [4960, 4961, 4962, 4963, 4965, 5478, 5479, 5480, 5483, 5484, 5485],
            "IPsec Driver",
            "{0CCE9213-69AE-11D9-BED3-505054503030}",
            12291,
            ("System", "{69979848-797A-11D9-BED3-505054503030}"),
        ),
        (
            [5453],
            "IPsec Main Mode",
            "{0CCE9218-69AE-11D9-BED3-505054503030}",
            12547,
            ("Logon/Logoff", "{69979849-797A-11D9-BED3-505054503030}"),
        ),
        (
            [5447],
            "Other Policy Change Events",
            "{0CCE9234-69AE-11D9-BED3-505054503030}",
            13573,
            ("Policy Change", "{6997984D-797A-11D9-BED3-505054503030}"),
        ),
    ],
)
def test_every_event_is_in_its_subcategory(
    numbers: list[int], name: str, guid: str, task: int, category: tuple[str, str]
) -> None:
    assert [number for number, known in EVENTS.items() if known.subcategory.name == name] == sorted(numbers)
    for number in numbers:
        subcategory = EVENTS[number].subcategory
        assert (subcategory.guid, subcategory.task, tuple(subcategory.category)) == (guid, task, category)


@pytest.mark.parametrize(
    ("numbers", "names"),
    [
        ((5456, 5458, 5460, 5471, 5473), "Policy"),
        ((5457, 5459, 5461, 5462, 5472, 5474), "Policy Error"),
        ((5477,), "QuickModeFilter Error"),
        ((5483, 5484), "Error"),
        ((4709,), "param1 param2 param3"),
        ((4710,), "param1 param2"),
        ((4711, 4712), "param1"),
        ((4960, 4961, 4962, 4963, 4965), "RemoteAddress SPI"),
        ((*range(5463, 5469), 5478, 5479, 5480, 5485, 5453), ""),
        ((5442,), "ProviderKey ProviderName ProviderType"),
        (
            (5447,),
            (
                "ProcessId UserSid UserName ProviderKey ProviderName ChangeType FilterKey FilterName FilterType FilterId"
                " LayerKey LayerName LayerId Weight Conditions Action CalloutKey CalloutName"
            ),
        ),
    ],
)
def test_event_data_has_the_names_of_the_manifest_in_its_order(numbers: tuple[int, ...], names: str) -> None:
    for number in numbers:
        assert " ".join(field.name for field in EVENTS[number].fields) == names


def test_every_template_uses_each_of_its_parameters_once() -> None:
    for known in EVENTS.values():
        for wording in Wording:
            used = [int(number) for number in re.findall(r"%(\d+)", known.worded(wording))]
            assert sorted(used) == list(range(1, len(known.fields) + 1)), known.id


def test_symbols_are_those_of_the_event_pages() -> None:
    assert {number: known.symbol for number, known in EVENTS.items() if known.symbol} == {
        4709: "SE_AUDITID_ETW_IPSEC_POLICY_START",
        4710: "SE_AUDITID_ETW_IPSEC_POLICY_DISABLED",
        5457: "SE_AUDITID_ETW_POLICYAGENT_PASTORE_FAILED_DS_POLICY_APPLICATION",
        5461: "SE_AUDITID_ETW_POLICYAGENT_PASTORE_FAILED_LOCAL_POLICY_APPLICATION",
        5462: "SE_AUDITID_ETW_POLICYAGENT_PASTORE_FAILED_SOME_NFA_APPLICATION",
        5467: "SE_AUDITID_ETW_POLICYAGENT_PASTORE_MIGRATE_CACHE_TO_DS",
        5468: "SE_AUDITID_ETW_POLICYAGENT_PASTORE_UPDATE_CACHE_TO_DS",
    }


def test_texts_that_were_not_seen_whole_are_marked() -> None:
    unconfirmed = {number for number, known in EVENTS.items() if not known.is_confirmed()}
    assert unconfirmed == {4712, 4960, 4961, 4962, 4963, 4965, 5443, 5444, 5483, 5484}
    newer = {number for number, known in EVENTS.items() if not known.is_confirmed(Wording.POLICY_AGENT)}
    assert newer == unconfirmed | {*range(5463, 5469), 5478, 5479, 5480, 5485}


def test_newer_windows_says_ipsec_policy_agent() -> None:
    applied = event(5460, Policy=POLICY, wording=Wording.POLICY_AGENT)
    assert (
        applied.text == "IPsec Policy Agent applied local registry storage IPsec policy on the computer.\n\nPolicy:\t\t" + POLICY
    )
    disabled = event(4710, param1="a", param2="b", wording=Wording.POLICY_AGENT)
    assert disabled.text == "The IPsec Policy Agent service was disabled.\n\na\nb"
    assert not any("PAStore" in known.newer for known in EVENTS.values())


def test_value_that_looks_like_a_parameter_stays_as_it_is() -> None:
    assert event(5461, Policy="%2 and %1", Error=5).text.endswith("Policy:\t\t%2 and %1\nError Code:\t\t5")


def test_value_cannot_forge_a_line_of_the_text() -> None:
    forged = event(5461, Policy="x\nError Code:\t\t0\x1b[2J\u202e\ud800", Error=5)
    assert forged.text.splitlines()[2:] == [
        r"Policy:" + "\t\t" + r"x\x0aError Code:\x09\x090\x1b[2J\u202e\ud800",
        "Error Code:\t\t5",
    ]
    assert forged.data["Policy"] == "x\nError Code:\t\t0\x1b[2J\u202e\ud800"


def test_surrogate_pair_is_the_character_it_stands_for() -> None:
    assert event(5460, Policy="a\ud83d\ude00\ud83d").data["Policy"] == "a\U0001f600\ud83d"


def test_data_keep_the_order_of_the_catalogue_and_cannot_be_changed() -> None:
    made_backwards = event(5462, Error=2, Policy=POLICY)
    assert list(made_backwards.data) == ["Policy", "Error"]
    with pytest.raises(TypeError):
        made_backwards.data["Policy"] = "other"  # type: ignore[index]


@pytest.mark.parametrize(
    ("number", "data", "said"),
    [
        (5469, {}, "event 5469 is not in the catalogue"),
        (5462, {"Policy": "x"}, "event 5462 takes Policy, Error; got Policy"),
        (5456, {"Policy": "x", "Error": 1}, "event 5456 takes Policy; got Policy, Error"),
        (5463, {"Policy": "x"}, "event 5463 takes no data; got Policy"),
        (5462, {"policy": "x", "Error": 1}, "got policy, Error"),
        (5462, {"Policy": "x", "Error": -1}, "Error of event 5462 does not fit 32 bits"),
        (5462, {"Policy": "x", "Error": 1 << 32}, "Error of event 5462 does not fit 32 bits"),
    ],
)
def test_data_that_are_not_the_catalogues_are_refused(number: int, data: dict[str, str | int], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        AuditEvent(number, data, NOW)


@pytest.mark.parametrize(("data", "said"), [({"Policy": 5, "Error": 1}, "Policy"), ({"Policy": "x", "Error": "1"}, "Error")])
def test_value_of_the_wrong_type_is_refused(data: dict[str, str | int], said: str) -> None:
    with pytest.raises(TypeError, match=f"{said} of event 5462 is a"):
        AuditEvent(5462, data, NOW)
    with pytest.raises(TypeError):
        event(5462, Policy="x", Error=True)


def test_secret_is_refused_and_not_shown() -> None:
    with pytest.raises(TypeError) as caught:
        event(5456, Policy=Secret("hunter2"))  # type: ignore[arg-type]
    assert str(caught.value) == "Policy of event 5456 is a string, not Secret"


def test_value_of_any_length_is_cut_and_says_so() -> None:
    long = event(5462, Policy="x" * 1_000_000, Error=1).data["Policy"]
    assert isinstance(long, str)
    assert len(long) == 16384
    assert long.endswith("x... (cut, 1000000 characters)")
    assert event(5462, Policy="x" * 16384, Error=1).data["Policy"] == "x" * 16384


def test_time_is_kept_in_utc_and_must_be_aware() -> None:
    local = datetime(2026, 11, 22, 12, 0, tzinfo=timezone(timedelta(hours=9)))
    assert event(5463, time=local).time.isoformat() == "2026-11-22T03:00:00+00:00"
    with pytest.raises(ValueError, match="time zone"):
        event(5463, time=datetime(2026, 11, 22))
    assert abs(event(5463).time - datetime.now(UTC)) < timedelta(seconds=5)


def test_events_compare_hash_and_travel_by_value(every_event: list[AuditEvent]) -> None:
    assert len(set(every_event)) == len(EVENTS)  # the two wordings of an event are the same event
    for one in every_event:
        again = pickle.loads(pickle.dumps(one))
        assert (again, again.text, again.wording) == (one, one.text, one.wording)
        assert hash(copy.deepcopy(one)) == hash(one)
    assert event(5460, Policy="a", time=NOW) != event(5460, Policy="b", time=NOW)
    assert event(5460, Policy="a", time=NOW) != event(5456, Policy="a", time=NOW)
