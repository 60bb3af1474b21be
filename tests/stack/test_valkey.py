"""Valkey loses nothing that it acknowledged, and a second server never opens the same file."""

from __future__ import annotations

from ikiro.stack.processes import holders
from ikiro.stack.testing import TestStack
from ikiro.stack.valkey import Valkey


def test_valkey__killed__every_acknowledged_write_is_there(stack: TestStack) -> None:
    for number in range(500):
        stack.valkey.ask("XADD", "usage", "*", "n", str(number))
    stack.valkey.kill()
    assert stack.valkey.pid is None
    stack.valkey.start()
    assert stack.valkey.ask("XLEN", "usage") == 500


def test_valkey__file_cut_in_the_middle_of_a_command__loads_what_is_whole(stack: TestStack) -> None:
    stack.valkey.ask("SET", "kept", "7")
    stack.valkey.kill()
    [file] = (stack.valkey.data / "appendonlydir").glob("*.incr.aof")
    with file.open("ab") as half:
        half.write(b"*3\r\n$3\r\nSET\r\n$4\r\nlo")
    stack.valkey.start()
    assert stack.valkey.ask("GET", "kept") == "7"


def test_valkey__already_running__is_adopted(stack: TestStack) -> None:
    second = Valkey(data=stack.valkey.data, runtime=stack.places.runtime, log=stack.valkey.log)
    second.start()
    assert second.pid == stack.valkey.pid
    assert len(holders(stack.valkey.data, program="valkey-server")) == 1


def test_valkey__hanging__is_replaced_by_the_next_start(stack: TestStack) -> None:
    stack.valkey.ask("SET", "kept", "7")
    before = stack.valkey.pid
    stack.valkey.pause()
    assert not stack.valkey.ready()
    stack.valkey.start()
    assert stack.valkey.pid not in {None, before}
    assert stack.valkey.ask("GET", "kept") == "7"


def test_valkey__started__is_durable_never_evicts_and_has_no_port(stack: TestStack) -> None:
    settings = {
        name: stack.valkey.ask("CONFIG", "GET", name)
        for name in ("port", "appendonly", "appendfsync", "maxmemory-policy", "save")
    }
    assert settings == {
        "port": ["port", "0"],
        "appendonly": ["appendonly", "yes"],
        "appendfsync": ["appendfsync", "no"],
        "maxmemory-policy": ["maxmemory-policy", "noeviction"],
        "save": ["save", ""],
    }
    assert stack.valkey.socket.stat().st_mode & 0o777 == 0o700
