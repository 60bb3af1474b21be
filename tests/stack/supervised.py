"""A small installation under the real supervisor: run as a program by test_supervisor.py.

Arguments: how many seconds the web child takes to end after SIGTERM. The children write their names to
``$IKIRO_STATE_DIR/trail`` when they start and when they end.
"""

from __future__ import annotations

import os
import sys

from ikiro.stack.child import ChildSpec
from ikiro.stack.environment import describe_installation
from ikiro.stack.loop import Loop, Stopped
from ikiro.stack.output import Terminal
from ikiro.stack.places import resolve_places
from ikiro.stack.supervisor import Supervisor

CHILD = """
import os, signal, sys, time
name, delay, trail = sys.argv[1], float(sys.argv[2]), os.environ["IKIRO_STATE_DIR"] + "/trail"
def note(what):
    with open(trail, "a") as file:
        file.write(f"{what} {name} {os.getpid()}\\n")
def end(*_):
    time.sleep(delay)
    note("end")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
note("start")
print("hello from", name)
while True:
    time.sleep(1)
"""


def main() -> int:
    places = resolve_places(os.environ)
    loop = Loop()
    loop.install()
    installation = describe_installation(places, environ=os.environ, test=True)
    supervisor = Supervisor(installation, loop=loop, terminal=Terminal(), env={})
    try:
        supervisor.start_servers()
        supervisor.finish_step(supervisor.begin_step("step", sys.executable, "-c", "print('stepped')"))
        for name, delay in (("web", sys.argv[1]), ("worker", "0"), ("scheduler", "0")):
            supervisor.start_child(ChildSpec(name, (sys.executable, "-u", "-c", CHILD, name, delay), 3.0))
        supervisor.terminal.say("everything runs")
        supervisor.run()
    except Stopped:
        supervisor.terminal.say("stopping")
    finally:
        supervisor.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
