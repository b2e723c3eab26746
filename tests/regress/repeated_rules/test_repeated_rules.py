"""A policy in the output of netsh was another one after it had been stored: a rule told twice, many that lack, times of 0."""

from pastore.export import policy_json
from pastore.model import Policy
from pastore.sources.netsh.show import load_show
from pastore.sources.policy_json import load_json

RULE = (
    "  Rule ID : 1, GUID = {1C8A6D06-7B42-4B3A-9B0C-0D2A9B0C0D2A}\r\n"
    "  Rule Name : SMB\r\n"
    "  FilterList Name : SMB\r\n"
    "  Filter(s)\r\n"
    "  Source IP Address : <Any IP Address>\r\n"
    "  Destination IP Address : <My IP Address>\r\n"
    "  Protocol : TCP\r\n"
    "  Destination Port : {port}\r\n"
    "  FilterAction Name : Block\r\n"
    "  Action : BLOCK\r\n"
)
SHOWN = "Policy Name : Closed\r\n" + RULE.replace("{port}", "445") + RULE.replace("{port}", "139")


def test_the_first_is_used_and_the_other_told_with_its_line() -> None:
    loaded = load_show(SHOWN.encode(), "shown.txt")
    assert isinstance(loaded.policy, Policy)
    (kept,) = loaded.policy.rules
    assert [each.dport.low for one in kept.filter_lists for each in one.filters] == [445]
    (told,) = [finding for finding in loaded.findings if finding.code == "PA131"]
    assert told.message == "rule {1c8a6d06-7b42-4b3a-9b0c-0d2a9b0c0d2a} is there twice; the one in line 2 is used"
    assert told.origin.line == 12


def test_it_is_the_same_policy_when_it_was_stored() -> None:
    policy = load_show(SHOWN.encode(), "shown.txt").policy
    assert isinstance(policy, Policy)
    again = load_json(policy_json.write(policy), "stored.json").policy
    assert isinstance(again, Policy)
    assert again.rules == policy.rules


def test_so_is_one_that_lacks_more_rules_than_have_one_digit() -> None:
    policy = load_show(SHOWN.replace("  Rule ID", "No. of Rules : 12\r\n  Rule ID", 1).encode(), "shown.txt").policy
    assert isinstance(policy, Policy)
    assert len(policy.missing) == 10
    again = load_json(policy_json.write(policy), "stored.json").policy
    assert isinstance(again, Policy)
    assert again.missing == policy.missing


def test_so_is_one_whose_times_are_0_as_in_ipsecdata_that_says_so() -> None:
    times = "Polling Interval : 0 minutes\r\nMainMode LifeTime : 0 minutes / 0 Quick Mode sessions\r\n"
    policy = load_show(SHOWN.replace("  Rule ID", f"{times}  Rule ID", 1).encode(), "shown.txt").policy
    assert isinstance(policy, Policy)
    again = load_json(policy_json.write(policy), "stored.json").policy
    assert isinstance(again, Policy)
    assert again.polling_interval == policy.polling_interval == 10800
    assert again.main_mode == policy.main_mode
