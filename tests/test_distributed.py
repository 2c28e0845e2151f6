"""The rank of a process, as torchrun passes it in the environment."""

import pytest

from cnn_cli import distributed


@pytest.mark.parametrize(
    ("environment", "rank", "local_rank", "world_size"),
    [
        ({}, 0, 0, 1),
        ({"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4"}, 3, 1, 4),
        ({"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2"}, 0, 0, 2),
        ({"RANK": "5", "LOCAL_RANK": "5", "WORLD_SIZE": "1"}, 0, 0, 1),  # left over from another program
    ],
)
def test_the_environment_gives_the_rank(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], rank: int, local_rank: int, world_size: int
) -> None:
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = (distributed.rank(), distributed.local_rank(), distributed.world_size())
    assert found == (rank, local_rank, world_size)
    assert distributed.is_main() is (rank == 0)
