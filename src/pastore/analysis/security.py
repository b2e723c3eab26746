"""What an auditor would say about a policy: is it in force, its cryptography, its exemptions."""

from collections.abc import Iterator
from typing import Final

from pastore.findings import Finding, Severity
from pastore.model import Action, Algorithm, AuthKind, FilterAction, MainMode, MainModeMethod, Offer, Policy, Rule, Storage

# Numbers as stored: [MS-GPIPSEC] 2.2.1.2 for main mode, 2.2.1.4.1 for quick mode. An ESP algorithm 1 is DES in the data that
# Windows writes and "null" in the specification; it is weak either way.
_ESP_WEAK = {0: "no encryption", 1: "DES (or no encryption)", 2: "DES"}
_INTEGRITY_WEAK = {1: "MD5"}
_ESP_IN_CLEAR = {
    0: "packets are authenticated, and everybody on the way can read them",
    1: "Windows writes this number for DES, the specification says that it is no encryption at all, so it cannot be told",
}

# The longest that NIST SP 800-77 Rev. 1 (section 4) finds acceptable for the key exchange and for what it makes keys for.
MAIN_MODE_SECONDS: Final = 24 * 3600
QUICK_MODE_SECONDS: Final = 8 * 3600
# Both DES and 3DES have blocks of 64 bits. Of 2**29 blocks, two are the same with a chance of 1 in 128.
QUICK_MODE_KILOBYTES: Final = 4 * 1024 * 1024


def not_assigned(policy: Policy) -> Iterator[Finding]:
    """Yield PA309 for a stored policy that is not the assigned one."""
    if not policy.assigned and policy.storage is not Storage.MEMORY:
        yield Finding("PA309", f"policy {policy.name!r} is not assigned", policy.origin)


def security(policy: Policy, default_exempt: int | None = None, target: str = "vista") -> Iterator[Finding]:
    """Yield the PA5xx findings that need no filters.

    Parameters
    ----------
    policy : Policy
    default_exempt : int, optional
        Overrides the policy's own NoDefaultExempt.
    target : {"vista", "2003", "xp", "2000"}
        What is the best that this version of Windows can do is no finding.
    """
    exempt = policy.default_exempt if default_exempt is None else default_exempt
    if exempt in (0, 2):
        message = f"NoDefaultExempt is {exempt}: TCP and UDP with port 88 at either end pass every filter as Kerberos"
        yield Finding("PA503", message, policy.origin)
    elif exempt == 1 and target not in ("2000", "xp"):
        message = "NoDefaultExempt is 1: multicast and broadcast pass every filter, also outbound"
        yield Finding("PA503", message, policy.origin, severity=Severity.INFO)
    rules = [rule for rule in policy.rules if rule.active and not rule.default_response]
    if policy.main_mode and any(rule.filter_action and rule.filter_action.action is Action.PROTECT for rule in rules):
        yield from _key_exchange(policy.main_mode)
    elif policy.main_mode:
        yield from _main_mode_weak(policy.main_mode)
    told: set[FilterAction] = set()
    for rule in rules:
        yield from _authentication(rule)
        action = rule.filter_action
        if action is None or action.action is not Action.PROTECT or action in told:
            continue
        told.add(action)
        yield from _filter_action(action, rule)


def _key_exchange(main_mode: MainMode) -> Iterator[Finding]:
    yield from _main_mode_weak(main_mode)
    lifetime = max([main_mode.lifetime_seconds, *(method.lifetime_seconds for method in main_mode.methods)])
    if lifetime > MAIN_MODE_SECONDS:
        message = f"keys of the key exchange are used for {_hours(lifetime)}; {_hours(MAIN_MODE_SECONDS)} should be the most"
        yield Finding("PA509", message, main_mode.origin)


def _main_mode_weak(main_mode: MainMode) -> Iterator[Finding]:
    weak = sorted({name for method in main_mode.methods for name in _main_mode_weaknesses(method)})
    if weak:
        yield Finding("PA502", f"key exchange offers {', '.join(weak)}", main_mode.origin)


def _filter_action(action: FilterAction, rule: Rule) -> Iterator[Finding]:
    def finding(code: str, message: str) -> Finding:
        return Finding(code, f"filter action {action.name!r} {message}", action.origin, rule.label)

    weak = sorted({name for offer in action.offers for name in _offer_weaknesses(offer)})
    if weak:
        yield finding("PA502", f"offers {', '.join(weak)}")
    if action.soft:
        yield finding("PA504", "falls back to clear text with computers that do not answer")
    if action.inpass:
        yield finding("PA507", "accepts clear text inbound: what it protects can be sent to this computer unprotected")
    if any(not offer.pfs for offer in action.offers):
        some = "" if all(not offer.pfs for offer in action.offers) else " in some of its methods"
        yield finding("PA508", f"has no perfect forward secrecy{some}: its keys come from those of the key exchange")
    seconds = max((offer.lifetime_seconds for offer in action.offers), default=0)
    if seconds > QUICK_MODE_SECONDS:
        yield finding("PA509", f"uses keys for {_hours(seconds)}; {_hours(QUICK_MODE_SECONDS)} should be the most")
    kilobytes = max((offer.lifetime_kilobytes for offer in action.offers), default=0)
    if kilobytes > QUICK_MODE_KILOBYTES:
        message = f"uses keys for {kilobytes} KB; {QUICK_MODE_KILOBYTES} KB should be the most with blocks of 64 bits"
        yield finding("PA509", message)
    if any(offer.algorithms and all(each.transform == "ah" for each in offer.algorithms) for offer in action.offers):
        yield finding("PA510", "offers AH alone: packets are authenticated, and everybody on the way can read them")
    numbers = sorted({each.algorithm for offer in action.offers for each in offer.algorithms if each.transform == "esp"})
    for number in numbers:
        if number in _ESP_IN_CLEAR:
            yield finding("PA511", f"offers ESP algorithm {number}: {_ESP_IN_CLEAR[number]}")


def _hours(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    return f"{seconds} seconds" if rest else f"{hours} {'hour' if hours == 1 else 'hours'}"


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
