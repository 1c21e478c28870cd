"""Every interleaving that strongSwan's suites for rekeying name, in both roles, each with one outcome on both sides.

The names are those of its tests (test_child_rekey, test_ike_rekey; the drawings there tell the same); the scripts are
ours (see `interleaving`). Where four nonces decide, each is the lowest once. A child or an IKE SA that somebody deletes
is gone on both sides in the end, and every other is there exactly once: nothing is left over, nothing is made twice.
"""

from dataclasses import dataclass, replace

import pytest

from tests.ikev2.interleaving import Held, Lines, nonces
from tests.ikev2.test_collisions import one_child, one_ike_sa

ROLES = pytest.mark.parametrize("first", ["left", "right"])
PLAIN: Lines = ("", "")
FURTHER: Lines = (
    "proposals = aes128-sha256-x25519-ke1_ecp256",
    "esp_proposals = aes128gcm16-x25519-ke1_ecp256",
)
# The responder chooses by its own order: exchanges of A have an additional key exchange, those of B have none.
MIXED_A: Lines = (
    "proposals = aes128-sha256-x25519-ke1_none-ke1_ecp256",
    "esp_proposals = aes128gcm16-x25519-ke1_none-ke1_ecp256",
)
MIXED_B: Lines = (
    "proposals = aes128-sha256-x25519-ke1_ecp256-ke1_none",
    "esp_proposals = aes128gcm16-x25519-ke1_ecp256-ke1_none",
)
GUESS_A: Lines = ("proposals = aes128-sha256-ecp256-x25519", "esp_proposals = aes128gcm16-ecp256-x25519")
GUESS_B: Lines = ("proposals = aes128-sha256-x25519-ecp256", "esp_proposals = aes128gcm16-x25519-ecp256")
GUESS_FURTHER_A, GUESS_FURTHER_B = ((ike + "-ke1_ecp384", esp + "-ke1_ecp384") for ike, esp in (GUESS_A, GUESS_B))
CHILD, BOTH = "A: rekey child", "A: rekey child  B: rekey child"
IKE, BOTH_IKE = "A: rekey ike", "A: rekey ike  B: rekey ike"


@dataclass(frozen=True)
class Case:
    """A script, what is left (`one`, `none` of the SA, `gone` with the IKE SA), and the error notifies on the way.

    `lowest` is the nonce that decides; with `marked` a child may go down or come up anew with an event of its own.
    """

    script: str
    left: str = "one"
    errors: tuple[str, ...] = ()
    lowest: int = 0
    ours: Lines = PLAIN
    theirs: Lines = PLAIN
    marked: bool = False


TEMPORARY, NOT_FOUND = "TEMPORARY_FAILURE", "CHILD_SA_NOT_FOUND"
MULTI = {"ours": FURTHER, "theirs": FURTHER}
GUESS = {"ours": GUESS_A, "theirs": GUESS_B}
MIXED = {"ours": MIXED_A, "theirs": MIXED_B}
B_WINS, A_WINS = 0, 1


def four(name: str, *cases: Case) -> dict[str, Case]:
    """A case for each nonce that may be the lowest; N1 and N3 are those of A's exchange, which then loses."""
    return {f"{name}/N{lowest + 1}": replace(cases[lowest % len(cases)], lowest=lowest) for lowest in range(4)}


CHILDREN = {
    "regular": Case(f"{CHILD}  AQ AR AD Ad"),
    "regular_multi_ke": Case(f"{CHILD}  AQ AR AF Af AD Ad", **MULTI),
    "regular_ke_invalid": Case(f"{CHILD}  AQ AR AQ AR AD Ad", errors=("B INVALID_KE_PAYLOAD",), **GUESS),
    "regular_ke_invalid_multi_ke": Case(
        f"{CHILD}  AQ AR AQ AR AF Af AD Ad",
        errors=("B INVALID_KE_PAYLOAD",),
        ours=GUESS_FURTHER_A,
        theirs=GUESS_FURTHER_B,
    ),
    "regular_responder_ignore_soft_expire": Case(f"{CHILD}  AQ AR  B: rekey old  AD Ad"),
    "regular_responder_handle_hard_expire": Case(f"{CHILD}  AQ AR  B: delete old  AD Ad"),
    "regular_responder_delete": Case(f"{CHILD}  AQ AR  B: delete child  AD BD Bd Ad", left="none"),
    "regular_responder_lost_sa": Case(f"{CHILD}  B: lose child  AQ AR AQ AR", errors=(f"B {NOT_FOUND}",), marked=True),
    # The same, and the child that is made instead is deleted before we have heard that it is there.
    "regular_responder_lost_sa/deleted": Case(
        f"{CHILD}  B: lose child  AQ AR AQ  B: delete child  BD Bd AR",
        left="none",
        errors=(f"B {NOT_FOUND}",),
    ),
    "regular_responder_incorrect_delete": Case(f"{CHILD}  AQ  B: delete old  BD AR", marked=True),
    "regular_delete_timeout": Case(f"{CHILD}  AQ AR -AD"),
    **four("collision", Case(f"{BOTH}  AQ BQ AR BR AD BD Ad Bd")),
    **four(
        "collision_multi_ke",
        Case(f"{BOTH}  AQ BQ AR BR BF Bf BD Bd", **MULTI),
        Case(f"{BOTH}  AQ BQ AR BR AF Af AD Ad", **MULTI),
    ),
    **four(
        "collision_mixed",
        Case(f"{BOTH}  AQ BQ AR BR BD Bd", **MIXED),
        Case(f"{BOTH}  AQ BQ AR BR AF BD Af AD Bd Ad", **MIXED),
    ),
    **four("collision_delayed_response", Case(f"{BOTH}  AQ BQ BR BD Bd AR AD Ad")),
    **four(
        "collision_delayed_response_delete",
        Case(f"{BOTH}  AQ BQ BR BD Bd  B: delete child  BD Bd AR AD Ad", left="none"),
        Case(f"{BOTH}  AQ BQ BR BD Bd  B: delete new  BD Bd AR", left="none"),
    ),
    "collision_delayed_response_multi_ke": Case(f"{BOTH}  AQ BQ BR BF AR Bf BD Bd", lowest=B_WINS, **MULTI),
    "collision_delayed_response_multi_ke/delete": Case(f"{BOTH}  AQ BQ BR BF Bf BD AR Bd", lowest=B_WINS, **MULTI),
    **four("collision_delayed_request", Case(f"{BOTH}  BQ BR AQ BD Bd AR", errors=(f"B {TEMPORARY}",))),
    **four("collision_delayed_request/answer_first", Case(f"{BOTH}  BQ BR AQ AR BD Bd", errors=(f"B {TEMPORARY}",))),
    **four("collision_delayed_request_more", Case(f"{BOTH}  BQ BR BD Bd AQ AR", errors=(f"B {NOT_FOUND}",))),
    "collision_delayed_request_more_delete": Case(
        f"{BOTH}  BQ BR BD Bd  B: delete child  BD Bd AQ AR", left="none", errors=(f"B {NOT_FOUND}",)
    ),
    "collision_delayed_request_multi_ke": Case(f"{BOTH}  BQ BR AQ BF Bf BD Bd AR", errors=(f"B {TEMPORARY}",), **MULTI),
    "collision_delayed_request_multi_ke/answer_first": Case(
        f"{BOTH}  BQ BR AQ BF AR Bf BD Bd", errors=(f"B {TEMPORARY}",), **MULTI
    ),
    **four(
        "collision_ke_invalid",
        Case(
            f"{BOTH}  AQ BQ AR BR AQ BQ AR BR AD BD Ad Bd",
            errors=("B INVALID_KE_PAYLOAD", "A INVALID_KE_PAYLOAD"),
            **GUESS,
        ),
    ),
    **four(
        "collision_ke_invalid_delayed_retry",
        Case(
            f"{BOTH}  AQ BQ AR BR BQ BR AQ BD AR Bd",
            errors=("B INVALID_KE_PAYLOAD", "A INVALID_KE_PAYLOAD", f"B {TEMPORARY}"),
            **GUESS,
        ),
    ),
    "collision_responder_incorrect_delete": Case(
        f"{BOTH}  AQ BQ BR BD Bd  B: delete old  BD AR Bd", lowest=A_WINS, marked=True
    ),
    "collision_delete": Case(f"{CHILD}  B: delete child  AQ BD AR Bd", left="none", errors=(f"B {TEMPORARY}",)),
    "collision_delete_multi_ke": Case(
        f"{CHILD}  AQ AR  B: delete child  AF BD Af Bd", left="none", errors=(f"B {TEMPORARY}",), **MULTI
    ),
    "collision_delete_drop_delete": Case(
        f"{CHILD}  B: delete child  AQ AR BD Bd", left="none", errors=(f"B {TEMPORARY}",)
    ),
    "collision_delete_drop_rekey": Case(
        f"{CHILD}  B: delete child  BD Bd AQ AR", left="none", errors=(f"B {NOT_FOUND}",)
    ),
    "collision_delete_delayed_response": Case(f"{CHILD}  AQ  B: delete new  BD Bd AR AD Ad", left="none"),
    "collision_ike_rekey": Case(f"{CHILD}  B: rekey ike  AQ BQ AR BR", errors=(f"B {TEMPORARY}", f"A {TEMPORARY}")),
    "collision_ike_delete": Case(f"{CHILD}  B: delete ike  AQ BD AR Bd", left="gone", errors=(f"B {TEMPORARY}",)),
}
IKE_SAS = {
    "regular": Case(f"{IKE}  AQ AR AD Ad"),
    "regular_multi_ke": Case(f"{IKE}  AQ AR AF Af AD Ad", **MULTI),
    "regular_ke_invalid": Case(f"{IKE}  AQ AR AQ AR AD Ad", errors=("B INVALID_KE_PAYLOAD",), **GUESS),
    "regular_ke_invalid_multi_ke": Case(
        f"{IKE}  AQ AR AQ AR AF Af AD Ad",
        errors=("B INVALID_KE_PAYLOAD",),
        ours=GUESS_FURTHER_A,
        theirs=GUESS_FURTHER_B,
    ),
    **four("collision", Case(f"{BOTH_IKE}  AQ BQ AR BR AD BD Ad Bd")),
    **four(
        "collision_multi_ke",
        Case(f"{BOTH_IKE}  AQ BQ AR BR BF Bf BD Bd", **MULTI),
        Case(f"{BOTH_IKE}  AQ BQ AR BR AF Af AD Ad", **MULTI),
    ),
    **four(
        "collision_mixed",
        Case(f"{BOTH_IKE}  AQ BQ AR BR BD Bd", **MIXED),
        Case(f"{BOTH_IKE}  AQ BQ AR BR AF BD Af AD Bd Ad", **MIXED),
    ),
    **four(
        "collision_ke_invalid",
        Case(
            f"{BOTH_IKE}  AQ BQ AR BR AQ BQ AR BR AD BD Ad Bd",
            errors=("B INVALID_KE_PAYLOAD", "A INVALID_KE_PAYLOAD"),
            **GUESS,
        ),
    ),
    "collision_ke_invalid_delayed_retry": Case(
        f"{BOTH_IKE}  AQ BQ AR BR BQ BR AQ BD AR Bd",
        errors=("B INVALID_KE_PAYLOAD", "A INVALID_KE_PAYLOAD", f"B {TEMPORARY}"),
        **GUESS,
    ),
    **four("collision_delayed_response", Case(f"{BOTH_IKE}  AQ BQ BR BD Bd AR")),
    "collision_delayed_response_multi_ke": Case(f"{BOTH_IKE}  AQ BQ BR BF AR Bf BD Bd", lowest=B_WINS, **MULTI),
    "collision_delayed_response_multi_ke/delete": Case(f"{BOTH_IKE}  AQ BQ BR BF Bf BD AR Bd", lowest=B_WINS, **MULTI),
    "collision_dropped_request": Case(f"{BOTH_IKE}  -AQ BQ BR BD Bd"),
    "collision_delayed_request": Case(f"{BOTH_IKE}  BQ BR AQ BD AR Bd", errors=(f"B {TEMPORARY}",)),
    "collision_delayed_request_and_delete": Case(f"{BOTH_IKE}  BQ BR AQ AR BD Bd", errors=(f"B {TEMPORARY}",)),
    "collision_delayed_request_multi_ke": Case(
        f"{BOTH_IKE}  BQ BR AQ BF Bf BD AR Bd", errors=(f"B {TEMPORARY}",), **MULTI
    ),
    "collision_delayed_request_multi_ke/answer_first": Case(
        f"{BOTH_IKE}  BQ BR AQ BF AR Bf BD Bd", errors=(f"B {TEMPORARY}",), **MULTI
    ),
    "collision_delete": Case(f"{IKE}  B: delete ike  AQ BD AR Bd", left="gone", errors=(f"B {TEMPORARY}",)),
    "collision_delete_multi_ke": Case(f"{IKE}  AQ AR  B: delete ike  AF BD Af Bd", left="gone", **MULTI),
    "collision_delete_drop_delete": Case(f"{IKE}  B: delete ike  AQ AR BD Bd", left="gone", errors=(f"B {TEMPORARY}",)),
}

# The TAHI tests by their numbers, and what RFC 4718 5.11, on which they stand, has beside them.
OTHERS = {
    "1.2.6.5 simultaneous rekeying of the IKE SA": Case(f"{BOTH_IKE}  BQ AQ BR AR BD AD Bd Ad", lowest=A_WINS),
    "1.2.6.11 a child is rekeyed while the IKE SA is": Case(
        "A: rekey ike  B: rekey child  AQ BQ AR BR", errors=(f"B {TEMPORARY}", f"A {TEMPORARY}")
    ),
    "1.2.6.12 the IKE SA is rekeyed with a child that is half closed": Case(
        "A: delete child  B: rekey ike  BQ BR AD Ad", left="none", errors=(f"A {TEMPORARY}",)
    ),
    "1.2.6.15 the IKE SA is rekeyed while it is closed": Case(
        "A: delete ike  B: rekey ike  BQ AD BR Ad", left="gone", errors=(f"A {TEMPORARY}",)
    ),
    "both close the child": Case("A: delete child  B: delete child  AD BD Ad Bd", left="none"),
    "both close the IKE SA": Case("A: delete ike  B: delete ike  AD BD Ad Bd", left="gone"),
    "the child is closed while the IKE SA is rekeyed": Case(
        "A: rekey ike  B: delete child  AQ BD AR Bd", left="none", errors=(f"B {TEMPORARY}",)
    ),
    "a child is rekeyed before its answer has come": Case(
        f"{CHILD}  AQ  B: rekey new  BQ AR BR AD Ad", errors=(f"A {TEMPORARY}",)
    ),
}


def played(case: Case, first: str, monkeypatch: pytest.MonkeyPatch) -> Held:
    """The pair after the script and what follows from it."""
    pair = Held(first, case.ours, case.theirs)
    nonces(monkeypatch, pair, case.lowest)
    pair.play(case.script)
    assert tuple(pair.errors()) == case.errors
    return pair


def gone(pair: Held) -> None:
    """The IKE SA and its child are gone, and nothing is left of either."""
    pair.wait(300)
    for side in pair.sides:
        assert side.installed == {}
        assert set(side.endpoint.stats().values()) == {0}


@ROLES
@pytest.mark.parametrize("name", CHILDREN)
def test_child_rekey(name: str, first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CHILDREN[name]
    pair = played(case, first, monkeypatch)
    if case.left == "gone":
        gone(pair)
    else:
        one_child(pair, up=case.left == "one", events=not case.marked)


@ROLES
@pytest.mark.parametrize("name", IKE_SAS)
def test_ike_rekey(name: str, first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = IKE_SAS[name]
    pair = played(case, first, monkeypatch)
    (gone if case.left == "gone" else one_ike_sa)(pair)


@ROLES
@pytest.mark.parametrize("name", OTHERS)
def test_others(name: str, first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = OTHERS[name]
    pair = played(case, first, monkeypatch)
    if case.left == "gone":
        gone(pair)
    else:
        one_child(pair, up=case.left == "one", events="child" in name and case.left == "one")


def test_every_test_of_both_suites_is_here() -> None:
    """As of strongSwan 6.1: 30 tests for children and 18 for IKE SAs."""
    assert [len({name.partition("/")[0] for name in cases}) for cases in (CHILDREN, IKE_SAS)] == [30, 18]
