"""What an auditor would say: keys, weak algorithms, exemptions, falling back to clear text."""

from dataclasses import replace

import pytest

from pastore.analysis.security import security
from pastore.findings import Finding
from pastore.model import Algorithm, AuthKind, AuthMethod, MainModeMethod, Offer, Policy, Rule, Secret
from tests.support.policies import KERBEROS, MAIN_MODE, action, policy, rule

KEY = (AuthMethod(AuthKind.PRESHARED_KEY, key=Secret("hunter2")),)
ESP_GOOD = Algorithm("esp", 3, 2)


def told(made: Policy, default_exempt: int | None = None) -> list[Finding]:
    return list(security(made, default_exempt))


def messages(*rules: Rule, code: str = "PA502") -> list[str]:
    return [finding.message for finding in told(policy(*rules)) if finding.code == code]


def offering(*algorithms: Algorithm) -> Rule:
    return rule("Rule", "protect", "any > me", filter_action=action("protect", offers=(Offer(algorithms),)))


class TestQuiet:
    def test_a_policy_with_kerberos_and_3des_says_nothing(self) -> None:
        assert told(policy(rule("Rule", "protect", "any > me"), rule("Other", "block", "tcp any > me:1"))) == []


class TestKeys:
    def test_a_pre_shared_key_that_protects_is_told_and_not_shown(self) -> None:
        (finding,) = told(policy(rule("Keyed", "protect", "any > me", auth=KEY)))
        assert (finding.code, finding.rule, finding.severity.value) == ("PA501", "Keyed", "warning")
        assert "hunter2" not in str(finding)

    def test_a_key_beside_kerberos_is_told_too(self) -> None:
        assert [each.code for each in told(policy(rule("Keyed", "protect", "any > me", auth=KERBEROS + KEY)))] == ["PA501"]

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
    @pytest.mark.parametrize(("value", "told_codes"), [(0, ["PA503"]), (1, []), (2, ["PA503"]), (3, []), (None, [])])
    def test_values_that_let_source_port_88_pass_are_told(self, value: int | None, told_codes: list[str]) -> None:
        assert [each.code for each in told(policy(default_exempt=value))] == told_codes

    def test_what_is_given_counts_more_than_what_the_source_says(self) -> None:
        assert [each.code for each in told(policy(default_exempt=3), 0)] == ["PA503"]
        assert told(policy(default_exempt=0), 3) == []


class TestSoft:
    def test_falling_back_to_clear_text_is_told(self) -> None:
        soft = rule("Soft", "protect", "any > me", filter_action=action("protect", soft=True))
        (finding,) = told(policy(soft))
        assert (finding.code, finding.rule, finding.severity.value) == ("PA504", "Soft", "info")
