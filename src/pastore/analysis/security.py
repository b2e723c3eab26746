"""What an auditor would say about a policy's cryptography and exemptions."""

from collections.abc import Iterator

from pastore.findings import Finding
from pastore.model import Action, Algorithm, AuthKind, FilterAction, MainModeMethod, Offer, Policy, Rule

# Numbers as stored: [MS-GPIPSEC] 2.2.1.2 for main mode, 2.2.1.4.1 for quick mode. An ESP algorithm 1 is DES in the data that
# Windows writes and "null" in the specification; it is weak either way.
_ESP_WEAK = {0: "no encryption", 1: "DES (or no encryption)", 2: "DES"}
_INTEGRITY_WEAK = {1: "MD5"}


def security(policy: Policy, default_exempt: int | None = None) -> Iterator[Finding]:
    """Yield the PA5xx findings of a policy.

    Parameters
    ----------
    policy : Policy
    default_exempt : int, optional
        Overrides the policy's own NoDefaultExempt.
    """
    exempt = policy.default_exempt if default_exempt is None else default_exempt
    if exempt in (0, 2):
        message = f"NoDefaultExempt is {exempt}: TCP and UDP with port 88 at either end pass every filter as Kerberos"
        yield Finding("PA503", message, policy.origin)
    if policy.main_mode:
        weak = sorted({name for method in policy.main_mode.methods for name in _main_mode_weaknesses(method)})
        if weak:
            yield Finding("PA502", f"key exchange offers {', '.join(weak)}", policy.main_mode.origin)
    told: set[FilterAction] = set()
    for rule in policy.rules:
        if not rule.active or rule.default_response:
            continue
        yield from _authentication(rule)
        action = rule.filter_action
        if action is None or action.action is not Action.PROTECT or action in told:
            continue
        told.add(action)
        weak = sorted({name for offer in action.offers for name in _offer_weaknesses(offer)})
        if weak:
            yield Finding("PA502", f"filter action {action.name!r} offers {', '.join(weak)}", action.origin, rule.label)
        if action.soft:
            message = f"filter action {action.name!r} falls back to clear text with computers that do not answer"
            yield Finding("PA504", message, action.origin, rule.label)


def _offer_weaknesses(offer: Offer) -> Iterator[str]:
    for algorithm in offer.algorithms:
        yield from _weaknesses(algorithm)
    transforms = {algorithm.transform for algorithm in offer.algorithms}
    if "esp" in transforms and "ah" not in transforms and not any(algorithm.integrity for algorithm in offer.algorithms):
        yield "ESP without integrity"


def _authentication(rule: Rule) -> Iterator[Finding]:
    if rule.filter_action and rule.filter_action.action is Action.PROTECT:
        for method in rule.auth_methods:
            if method.kind == AuthKind.PRESHARED_KEY:
                message = f"rule {rule.label!r} authenticates with a pre-shared key, which every reader of the policy can read"
                yield Finding("PA501", message, rule.origin, rule.label)


def _main_mode_weaknesses(method: MainModeMethod) -> Iterator[str]:
    if method.encryption == 1:
        yield "DES"
    if method.hash == 1:
        yield "MD5"
    if method.group == 1:
        yield "Diffie-Hellman group 1 (768 bits)"


def _weaknesses(algorithm: Algorithm) -> Iterator[str]:
    if algorithm.transform == "ah":
        if algorithm.algorithm in _INTEGRITY_WEAK:
            yield _INTEGRITY_WEAK[algorithm.algorithm]
        return
    if algorithm.algorithm in _ESP_WEAK:
        yield _ESP_WEAK[algorithm.algorithm]
    if algorithm.integrity in _INTEGRITY_WEAK:
        yield _INTEGRITY_WEAK[algorithm.integrity]
