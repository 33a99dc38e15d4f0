"""The promises of docs/reliability.md, read off a simulated world when its faults have stopped."""

from chatcensus.answer import Reason
from chatcensus.evaluation import ATTRIBUTE, stored_evaluation
from tests.sim.world import SimLedger, World, content_hash, label

MOST_CALLS = 3


def of_the_money(world: World) -> None:
    """P6, P7 and P9: what was paid has a reason, and never passed the budget."""
    counts = world.counts
    extra = (counts.kills + counts.takeovers) * counts.in_flight + counts.late_calls
    explained = counts.accepted + counts.invalid + counts.lost + counts.overtaken + extra
    if counts.paid > explained:
        world.violated("P6", f"{counts.paid} calls were paid, {explained} are explained ({counts})")
    for (run, process, name, version), calls in world.calls.items():
        if calls > MOST_CALLS:
            world.violated("P7", f"{name}.{version} took {calls} calls in {run} by {process}")
    for ledger in world.ledgers:
        if not (ledger.really_paid <= ledger.spent and ledger.most_spent <= ledger.max_micro_usd):
            world.violated(
                "P9",
                f"{ledger.run} paid {ledger.really_paid} and says {ledger.spent}, at most {ledger.most_spent}; its "
                f"budget is {ledger.max_micro_usd} micro-USD",
            )
        if ledger.begun > ledger.max_conversations:
            world.violated("P9", f"{ledger.run} asked about {ledger.begun}, allowed are {ledger.max_conversations}")


def of_the_table(world: World) -> None:
    """P1 to P4: every live conversation is judged by its present text, or quarantined for what it is."""
    for name in world.deleted & world.items.keys():
        world.violated("P3", f"{name} was deleted, and is there")
    for name, item in world.items.items():
        version, evaluation = world.versions[name], item.get(ATTRIBUTE)
        if evaluation is None or evaluation["content_hash"] != content_hash(item):
            if name not in world.quarantined or name not in world.full:
                world.violated("P1", f"{name}.{version} is lost")
        elif evaluation["outcome"] == "evaluated":
            if {key: evaluation[key] for key in ("category", "inquiry_score")} != label(name, version):
                world.violated("P4", f"{name}.{version} has a label that no model gave it")
        elif not _is_of_its_own_making(world, name, version, evaluation["reason"]):
            world.violated("P2", f"{name}.{version} is quarantined as {evaluation['reason']}")


def of_the_index(world: World) -> None:
    """P1: whatever is due can be found by the attribute of the index of what is pending."""
    for name, item in world.items.items():
        is_done = stored_evaluation(item, content_hash(item)) is not None or name in world.quarantined
        if not is_done and "pending" not in item:
            world.violated("P1", f"{name}.{world.versions[name]} is due, and is not in the index of what is pending")


def of_an_index_at_the_end(world: World) -> None:
    """Nothing stays in the index of what is pending when nothing is pending."""
    for name in [name for name, item in world.items.items() if "pending" in item]:
        world.violated("P1", f"{name} is done, and stays in the index of what is pending")


def of_a_reevaluation(world: World, prompt_version: str, seen: dict[str, str]) -> None:
    """Exactly what had an evaluation of its text was judged anew, and says what it was."""
    for name, item in world.items.items():
        evaluation = item.get(ATTRIBUTE, {})
        if name in seen and name not in world.full and evaluation.get("prompt_version") != prompt_version:
            world.violated("P10", f"{name} was to be judged again, and was not")
        if name not in seen and evaluation.get("prompt_version") == prompt_version:
            world.violated("P10", f"{name} was judged again, and was not to be")
        if name in seen and name not in world.full and evaluation["previous"]["outcome"] != seen[name]:
            world.violated("P10", f"{name} does not say that it was {seen[name]}")


def _is_of_its_own_making(world: World, name: str, version: int, reason: str) -> bool:
    is_blank = all(turn["content"].isspace() for turn in world.items[name]["turns"])
    return (name, version, reason) in world.bad_reasons or (is_blank and reason == Reason.EMPTY)


def of_a_faultless_run(world: World, ledger: SimLedger) -> None:
    """P9, without a fault: what the run says that it spent is what was paid, to the last micro-USD."""
    if ledger.spent != ledger.really_paid:
        world.violated("P9", f"{ledger.run} says it spent {ledger.spent}, paid were {ledger.really_paid} micro-USD")


def of_a_rerun(world: World, calls: int, writes: int) -> None:
    """P8: a run over what is done pays nothing and writes nothing."""
    if calls or writes:
        world.violated("P8", f"a further run made {calls} calls and {writes} writes")
