"""Ids of what moto does not make, from one generator: the same seed and the same calls give the same ids."""

import random

_generator = random.Random()  # noqa: S311  an id is no secret


def begin(seed: int, replayed: int) -> None:
    """Begin anew; how many changes were *replayed* keeps a later life from naming what an earlier one has named."""
    _generator.seed(f"{seed} {replayed}")


def new_id(length: int, characters: str = "0123456789abcdef") -> str:
    """Return an id that nothing has yet."""
    return "".join(_generator.choices(characters, k=length))
