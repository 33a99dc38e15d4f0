"""Claims on segments and shares of the quota, in the real control table."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcensus.aws.claims import LEASE_S, SHARE_AGE_S, SKEW_S, WHOLE, SegmentClaim, fair_share, may_overlap
from chatcensus.errors import SetupError

TABLE = "chatcensus-control"


class Wall:
    """A clock on the wall that a test turns."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def dynamodb(local_aws):
    local_aws.create_stack()
    return local_aws.client("dynamodb")


@pytest.fixture
def wall():
    return Wall()


def _claim(dynamodb, wall, owner="run-1/0", attempt=1, segment="0/1"):
    return SegmentClaim(dynamodb, TABLE, "chat-conversations", segment, "stand-in", owner, attempt, wall)


def _taken(dynamodb, wall, *arguments, **named):
    claim = _claim(dynamodb, wall, *arguments, **named)
    claim.take(lambda _: pytest.fail("somebody is in the way"))
    return claim


def test_a_segment_has_one_owner_until_the_claim_is_over(dynamodb, wall):
    first, second = _taken(dynamodb, wall), _claim(dynamodb, wall, "run-2/0")
    slept = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        wall.sleep(seconds)

    assert first.renew() == 1.0
    assert second.renew() is None
    second.take(sleep)

    assert sum(slept) >= LEASE_S + SKEW_S  # the clocks may differ
    assert second.renew() is not None
    assert first.renew() is None


def test_a_claim_that_was_lost_is_not_taken_back_when_it_is_free_again(dynamodb, wall):
    frozen = _taken(dynamodb, wall)
    wall.sleep(LEASE_S + SKEW_S + 1)
    successor = _taken(dynamodb, wall, "run-2/0")
    successor.release()

    assert frozen.renew() is None


def test_an_owner_stops_before_anybody_else_may_begin(dynamodb, wall):
    claim = _claim(dynamodb, wall)

    assert claim.lease_s + 2 * SKEW_S <= LEASE_S + SKEW_S


def test_a_later_try_of_the_same_task_takes_over_at_once_and_the_earlier_one_loses(dynamodb, wall):
    frozen = _taken(dynamodb, wall, attempt=1)
    assert frozen.renew() == 1.0

    retry = _taken(dynamodb, wall, attempt=2)

    assert retry.renew() is not None
    assert frozen.renew() is None


def test_another_run_waits_until_the_segment_is_released(dynamodb, wall):
    first, second = _taken(dynamodb, wall), _claim(dynamodb, wall, "run-2/0")
    slept = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            first.release()

    second.take(sleep)

    assert len(slept) == 3


def test_a_run_that_splits_the_table_differently_waits_too(dynamodb, wall):
    first, second = _taken(dynamodb, wall, segment="1/4"), _claim(dynamodb, wall, "run-2/0", segment="0/3")
    slept = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            first.release()

    second.take(sleep)

    assert len(slept) == 2
    assert second.renew() is not None


@pytest.mark.parametrize(
    ("one", "other", "may"),
    [
        pytest.param("1/4", "2/4", False, id="two parts of one scan"),
        pytest.param("1/4", "1/3", True, id="two scans"),
        pytest.param("1/4", "0::/pending/ab", True, id="a scan and an index"),
        pytest.param("0::/pending/ab", "1::/pending/ab", False, id="two parts of one index"),
        pytest.param("0::/pending/ab", "0::/pending/cd", True, id="an index that was cut again"),
        pytest.param(
            "0:2026-11-01:2026-11-02/by-day/ab", "0:2026-11-02:2026-11-03/by-day/cd", True, id="a day in common"
        ),
        pytest.param("0:2026-11-01:2026-11-02/by-day/ab", "0:2026-11-03:2026-11-03/by-day/cd", False, id="other days"),
        pytest.param("0:2026-11-01:2026-11-02/by-day/ab", "0:2026-11-03:2026-11-03/other/cd", True, id="two indexes"),
        pytest.param("0:2026-11-01:2026-11-01/by-day/ab", "1/4", True, id="a day and a scan"),
    ],
)
def test_two_tasks_exclude_each_other_unless_they_cannot_meet(one, other, may):
    assert may_overlap(one, other) is may
    assert may_overlap(other, one) is may


def test_backfills_of_two_days_work_at_the_same_time(dynamodb, wall):
    first = _taken(dynamodb, wall, segment="0:2026-11-01:2026-11-01/by-day/ab")
    second = _taken(dynamodb, wall, "run-2/0", segment="0:2026-11-02:2026-11-02/by-day/cd")

    assert first.renew() is not None
    assert second.renew() is not None


def test_a_renewal_from_before_a_freeze_does_not_revive_a_claim_beside_a_different_split(dynamodb, wall):
    frozen = _taken(dynamodb, wall, segment="1/4")
    then = wall.seconds
    wall.sleep(LEASE_S + SKEW_S + 1)
    successor = _taken(dynamodb, wall, "run-2/0", segment="0/3")

    late = SegmentClaim(dynamodb, TABLE, "chat-conversations", "1/4", "stand-in", frozen.owner, 1, lambda: then)

    assert late.renew() is None
    assert successor.renew() is not None


def _rows(dynamodb):
    return [row["sk"]["S"] for row in dynamodb.scan(TableName=TABLE)["Items"] if row["pk"]["S"].startswith("claim#")]


def test_claims_that_are_over_leave_no_row_behind(dynamodb, wall):
    _taken(dynamodb, wall, segment="0::/pending/dead")
    _taken(dynamodb, wall, segment="1::/pending/dead").release()
    wall.sleep(LEASE_S + SKEW_S + 1)

    _taken(dynamodb, wall, segment="0::/pending/ab")

    assert _rows(dynamodb) == ["0::/pending/ab"]


def test_a_claim_is_seen_behind_more_rows_than_one_page_holds(dynamodb, wall):
    for number in range(6):  # a page is 1 MB
        row = {"pk": "claim#chat-conversations", "sk": f"{number}::/pending/ab", "owner": "x" * 200_000}
        numbers = {"try": {"N": "1"}, "until": {"N": "0"}}
        dynamodb.put_item(TableName=TABLE, Item={name: {"S": text} for name, text in row.items()} | numbers)
    _taken(dynamodb, wall, segment="9::/pending/ab")
    other = _claim(dynamodb, wall, "run-2/0", segment="0::/pending/cd")

    with pytest.raises(SetupError, match=r"'run-1/0' has had the segment"):
        other.take(wall.sleep, patience_s=30)


def test_a_segment_that_stays_busy_is_an_error_that_names_its_owner(dynamodb, wall):
    owner, other = _taken(dynamodb, wall), _claim(dynamodb, wall, "run-2/0")

    def sleep(seconds: float) -> None:
        wall.sleep(seconds)
        owner.renew()

    with pytest.raises(SetupError, match=r"'run-1/0' has had the segment for 30 s"):
        other.take(sleep, patience_s=30)


def test_the_shares_of_all_tasks_never_add_up_to_more_than_the_quota(dynamodb, wall):
    claims = [_taken(dynamodb, wall, f"run-1/{number}", segment=f"{number}/4") for number in range(4)]

    shares: dict[int, float] = {}
    for step in range(12):
        shares[step % 4] = claims[step % 4].renew() or 0
        assert sum(shares.values()) <= 1

    assert shares == dict.fromkeys(range(4), 0.25)


def test_the_share_of_a_task_that_ended_goes_to_those_that_still_work(dynamodb, wall):
    claims = [_taken(dynamodb, wall, f"run-1/{number}", segment=f"{number}/2") for number in range(2)]
    for claim in [*claims, *claims]:
        claim.renew()

    claims[0].release()

    assert claims[1].renew() == 1.0


def test_the_share_of_a_task_that_died_is_free_when_its_lease_is_over(dynamodb, wall):
    dead, alive = (_taken(dynamodb, wall, f"run-1/{number}", segment=f"{number}/2") for number in range(2))
    for claim in (dead, alive, dead, alive):
        claim.renew()

    for _ in range(3):
        wall.sleep(LEASE_S / 2)
        share = alive.renew()

    assert share == 1.0


def test_what_a_task_does_not_need_goes_to_the_others(dynamodb, wall):
    ending, working = (_taken(dynamodb, wall, f"run-1/{number}", segment=f"{number}/2") for number in range(2))
    for claim in (ending, working, ending, working):
        claim.renew()

    assert ending.renew(most=0.1) == 0.1
    assert working.renew() == 0.9
    assert ending.renew(most=0.02) == 0.02
    assert working.renew() == 0.98


def test_a_share_that_does_not_change_is_looked_at_and_not_written_again(dynamodb, wall):
    claim = _taken(dynamodb, wall)
    key = {"pk": {"S": "quota#stand-in"}, "sk": {"S": "shares"}}

    def version() -> str:
        return dynamodb.get_item(TableName=TABLE, Key=key)["Item"]["version"]["N"]

    claim.renew()
    first = version()
    for _ in range(5):
        wall.sleep(1)
        assert claim.renew() == 1.0
    unchanged = version()
    wall.sleep(SHARE_AGE_S)
    claim.renew()

    assert unchanged == first
    assert version() != first


@pytest.mark.parametrize(
    ("wanted", "fair"),
    [
        pytest.param([100], 100, id="alone"),
        pytest.param([100, 100, 100, 100], 25, id="all want all"),
        pytest.param([10, 100, 100], 45, id="what one does not want is shared by the rest"),
        pytest.param([10, 20, 100], 70, id="down to the last"),
        pytest.param([10, 20, 30], 100, id="there is more than they want"),
        pytest.param([0, 0, 100], 100, id="two want nothing"),
        pytest.param([100, 100, 100], 33, id="rounded down"),
    ],
)
def test_a_share_is_fair(wanted, fair):
    assert fair_share(wanted, whole=100) == fair


@given(st.lists(st.integers(0, WHOLE), min_size=1, max_size=20))
def test_fair_shares_fill_the_whole_or_give_everybody_what_he_wants(wanted):
    shares = [min(want, fair_share(wanted)) for want in wanted]

    assert sum(shares) <= WHOLE
    assert shares == wanted or sum(shares) > WHOLE - len(wanted)


def test_tasks_that_renew_at_the_same_moment_share_exactly(dynamodb, wall):
    claims = [_taken(dynamodb, wall, f"run-1/{number}", segment=f"{number}/8") for number in range(8)]

    with ThreadPoolExecutor(8) as pool:
        for _ in range(6):
            shares = list(pool.map(lambda claim: claim.renew(), claims))

    assert sum(shares) == 1
    assert min(shares) == 1 / 8
