"""What an auditor would say: keys, weak algorithms, exemptions, falling back to clear text."""

from dataclasses import replace

import pytest

from pastore.analysis.security import security
from pastore.findings import Finding
from pastore.model import Algorithm, AuthKind, AuthMethod, MainModeMethod, Offer, Policy, Rule, Secret
from tests.support.policies import ESP_3DES_SHA1, KERBEROS, MAIN_MODE, action, policy, rule

KEY = (AuthMethod(AuthKind.PRESHARED_KEY, key=Secret("hunter2")),)
ESP_GOOD = Algorithm("esp", 3, 2)


PFS = replace(ESP_3DES_SHA1, pfs=True)


def told(made: Policy, default_exempt: int | None = None) -> list[Finding]:
    return list(security(made, default_exempt))


def messages(*rules: Rule, code: str = "PA502") -> list[str]:
    return [finding.message for finding in told(policy(*rules)) if finding.code == code]


def offering(*algorithms: Algorithm) -> Rule:
    return rule("Rule", "protect", "any > me", filter_action=action("protect", offers=(Offer(algorithms),)))


class TestQuiet:
    def test_a_policy_with_kerberos_3des_and_pfs_says_nothing(self) -> None:
        good = action("protect", offers=(PFS,))
        assert (
            told(policy(rule("Rule", "protect", "any > me", filter_action=good), rule("Other", "block", "tcp any > me:1"))) == []
        )


class TestKeys:
    def test_a_pre_shared_key_that_protects_is_told_and_not_shown(self) -> None:
        finding = told(policy(rule("Keyed", "protect", "any > me", auth=KEY)))[0]
        assert (finding.code, finding.rule, finding.severity.value) == ("PA501", "Keyed", "warning")
        assert "hunter2" not in str(finding)

    def test_a_key_beside_kerberos_is_told_too(self) -> None:
        assert len(messages(rule("Keyed", "protect", "any > me", auth=KERBEROS + KEY), code="PA501")) == 1

    @pytest.mark.parametrize("kind", ["block", "allow"])
    def test_a_key_that_is_never_used_is_not(self, kind: str) -> None:
        assert told(policy(rule("Keyed", kind, "any > me", auth=KEY))) == []

    def test_nor_one_of_a_rule_that_is_not_active(self) -> None:
        assert told(policy(rule("Keyed", "protect", "any > me", auth=KEY, active=False))) == []


class TestAlgorithms:
    @pytest.mark.parametrize(
        ("algorithm", "weakness"),
        [
            (Algorithm("esp", 0, 2), "no encryption"),
            (Algorithm("esp", 1, 2), "DES (or no encryption)"),
            (Algorithm("esp", 2, 2), "DES"),
            (Algorithm("esp", 3, 1), "MD5"),
            (Algorithm("esp", 1, 1), "DES (or no encryption), MD5"),
            (Algorithm("ah", 1), "MD5"),
            (Algorithm("esp", 3, 0), "ESP without integrity"),
        ],
    )
    def test_a_weak_quick_mode_algorithm(self, algorithm: Algorithm, weakness: str) -> None:
        assert messages(offering(algorithm)) == [f"filter action 'Protect' offers {weakness}"]

    @pytest.mark.parametrize("algorithm", [ESP_GOOD, Algorithm("ah", 2)])
    def test_one_that_is_not_weak(self, algorithm: Algorithm) -> None:
        assert messages(offering(algorithm)) == []

    def test_esp_without_integrity_is_not_weak_beside_ah(self) -> None:
        assert messages(offering(Algorithm("esp", 3, 0), Algorithm("ah", 2))) == []

    def test_a_weak_one_behind_a_good_one_is_still_offered(self) -> None:
        assert messages(offering(ESP_GOOD, Algorithm("ah", 1))) == ["filter action 'Protect' offers MD5"]

    def test_a_filter_action_of_two_rules_is_told_once(self) -> None:
        weak = action("protect", offers=(Offer((Algorithm("ah", 1),)),))
        rules = [rule(name, "protect", f"tcp any > me:{at}", filter_action=weak) for at, name in enumerate(("A", "B"), 1)]
        assert len(messages(*rules)) == 1

    @pytest.mark.parametrize(
        ("method", "weakness"),
        [
            (MainModeMethod(1, 2, 2), "DES"),
            (MainModeMethod(3, 1, 2), "MD5"),
            (MainModeMethod(3, 2, 1), "Diffie-Hellman group 1 (768 bits)"),
            (MainModeMethod(1, 1, 1), "DES, Diffie-Hellman group 1 (768 bits), MD5"),
        ],
    )
    def test_a_weak_main_mode_method(self, method: MainModeMethod, weakness: str) -> None:
        made = replace(policy(), main_mode=replace(MAIN_MODE, methods=(*MAIN_MODE.methods, method)))
        assert [(each.code, each.message) for each in told(made)] == [("PA502", f"key exchange offers {weakness}")]

    def test_a_policy_without_key_exchange_settings_is_not_weak_but_broken(self) -> None:
        assert told(replace(policy(), main_mode=None)) == []


class TestExemptions:
    @pytest.mark.parametrize(("value", "told_codes"), [(0, ["PA503"]), (1, ["PA503"]), (2, ["PA503"]), (3, []), (None, [])])
    def test_values_that_let_source_port_88_pass_are_told(self, value: int | None, told_codes: list[str]) -> None:
        assert [each.code for each in told(policy(default_exempt=value))] == told_codes

    def test_what_is_given_counts_more_than_what_the_source_says(self) -> None:
        assert [each.code for each in told(policy(default_exempt=3), 0)] == ["PA503"]
        assert told(policy(default_exempt=0), 3) == []

    def test_below_3_multicast_is_exempt_outbound_too_which_matters_less(self) -> None:
        severities = {value: told(policy(default_exempt=value))[0].severity.value for value in (0, 1, 2)}
        assert severities == {0: "warning", 1: "info", 2: "warning"}

    @pytest.mark.parametrize("target", ["2000", "xp"])
    def test_1_is_the_best_that_old_windows_can_do(self, target: str) -> None:
        assert list(security(policy(default_exempt=1), None, target)) == []


class TestFilterActions:
    @pytest.mark.parametrize(("option", "code"), [("soft", "PA504"), ("inpass", "PA507")])
    def test_ways_for_clear_text_are_told(self, option: str, code: str) -> None:
        rules = rule("Rule", "protect", "any > me", filter_action=action("protect", **{option: True}, offers=(PFS,)))
        assert [(each.code, each.rule, each.severity.value) for each in told(policy(rules))] == [(code, "Rule", "info")]

    def test_methods_without_forward_secrecy_are_told(self) -> None:
        assert messages(offering(ESP_GOOD), code="PA508")[0].startswith("filter action 'Protect' has no perfect forward secrecy:")

    def test_and_if_only_some_are(self) -> None:
        some = rule("Rule", "protect", "any > me", filter_action=action("protect", offers=(PFS, ESP_3DES_SHA1)))
        assert "in some of its methods" in messages(some, code="PA508")[0]

    @pytest.mark.parametrize(
        ("seconds", "kilobytes", "said"),
        [
            (8 * 3600, 4 * 1024 * 1024, []),
            (0, 0, []),
            (8 * 3600 + 1, 0, ["filter action 'Protect' uses keys for 28801 seconds; 8 hours should be the most"]),
            (3600, 4 * 1024 * 1024 + 1, ["filter action 'Protect' uses keys for 4194305 KB; 4194304 KB should be the most "]),
        ],
    )
    def test_keys_used_for_too_long_are_told(self, seconds: int, kilobytes: int, said: list[str]) -> None:
        offer = replace(PFS, lifetime_seconds=seconds, lifetime_kilobytes=kilobytes)
        found = messages(rule("Rule", "protect", "any > me", filter_action=action("protect", offers=(offer,))), code="PA509")
        assert [text[: len(start)] for text, start in zip(found, said, strict=True)] == said

    @pytest.mark.parametrize(("seconds", "count"), [(24 * 3600, 0), (24 * 3600 + 60, 1)])
    def test_so_are_those_of_the_key_exchange(self, seconds: int, count: int) -> None:
        made = policy(rule("Rule", "protect", "any > me"))
        made = replace(made, main_mode=replace(MAIN_MODE, lifetime_seconds=seconds))
        assert [each.code for each in told(made)].count("PA509") == count

    @pytest.mark.parametrize(
        ("algorithms", "count"), [((Algorithm("ah", 2),), 1), ((Algorithm("ah", 2), ESP_GOOD), 0), ((ESP_GOOD,), 0), ((), 0)]
    )
    def test_ah_alone_is_told(self, algorithms: tuple[Algorithm, ...], count: int) -> None:
        assert len(messages(offering(*algorithms), code="PA510")) == count

    @pytest.mark.parametrize(("number", "words"), [(0, "everybody on the way can read"), (1, "cannot be told")])
    def test_no_encryption_and_what_may_be_none_are_told(self, number: int, words: str) -> None:
        assert words in messages(offering(Algorithm("esp", number, 2)), code="PA511")[0]

    def test_3des_can_be_told(self) -> None:
        assert messages(offering(ESP_GOOD), code="PA511") == []
