"""Asking the kernel when its log loses answers, against a log of our own."""

import socket
from typing import cast

import pytest

from pastore.verify import inside
from pastore.verify.inside import CHUNK, UNANSWERED, Log, ask


class Kernel:
    """Sender and log in one: answers every packet it gets with its number as mark, but for those it loses."""

    def __init__(self, lose: dict[int, int]) -> None:
        self.lose = lose  # how many times a packet is lost
        self.waiting: list[tuple[int, int, int]] = []
        self.sent: list[int] = []

    def send(self, frame: bytes) -> None:
        at = int.from_bytes(frame)
        self.sent.append(at)
        if self.lose.get(at, 0) > 0:
            self.lose[at] -= 1
        else:
            self.waiting.append((at & 0xFFFF, at, 2))

    def read(self, seconds: float) -> list[tuple[int, int, int]]:
        answers, self.waiting = self.waiting[:7], self.waiting[7:]
        return answers


def judged(n: int, lose: dict[int, int]) -> tuple[list[int], list[int], Kernel]:
    kernel = Kernel(lose)
    frames = [at.to_bytes(4) for at in range(n)]
    marks, actions = ask(cast(Log, kernel), [cast(socket.socket, kernel)], bytes(n), frames)
    return list(marks), list(actions), kernel


def test_every_packet_gets_its_own_answer_past_the_16_bits_of_its_number() -> None:
    n = (1 << 16) + 2 * CHUNK + 3
    marks, actions, _ = judged(n, {})
    assert marks == list(range(n))
    assert set(actions) == {2}


def test_a_lost_answer_is_asked_for_again() -> None:
    marks, actions, kernel = judged(1000, {5: 1, 600: inside.TRIES - 1})
    assert marks == list(range(1000))
    assert UNANSWERED not in actions
    assert (kernel.sent.count(5), kernel.sent.count(600), kernel.sent.count(6)) == (2, inside.TRIES, 1)


def test_what_never_comes_back_is_unanswered_and_the_rest_is_not() -> None:
    _, actions, _ = judged(1000, {5: 99})
    assert [at for at, action in enumerate(actions) if action == UNANSWERED] == [5]


def test_a_silent_kernel_is_given_up() -> None:
    _, actions, kernel = judged(20 * CHUNK, dict.fromkeys(range(20 * CHUNK), 99))
    assert set(actions) == {UNANSWERED}
    assert len(kernel.sent) == inside.GIVE_UP * inside.TRIES * CHUNK


@pytest.mark.parametrize("data", [b"", b"\0" * 40, b"\xff" * 64, bytes(range(64))])
def test_messages_that_make_no_sense_are_no_answers_and_end(data: bytes) -> None:
    assert list(inside._answers(data)) == []
