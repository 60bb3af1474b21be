"""``lint-imports`` is green on the tree, and its own contract is red on a planted import."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.architecture.tree import PACKAGES, ROOT

_LINT = [
    sys.executable,
    "-c",
    "from importlinter.cli import lint_imports_command; lint_imports_command()",
    "--no-cache",
]


def _lint(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(_LINT, cwd=root, capture_output=True, text=True, check=False, timeout=100)


def _copy(root: Path) -> None:
    """The tree's packages without their content but with every module and its imports, plus the configuration."""
    for package in (*PACKAGES, "tests/architecture"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__", "migrations"))
    shutil.copy(ROOT / ".importlinter", root / ".importlinter")


def test_imports__the_whole_tree__point_downward() -> None:
    result = _lint(ROOT)
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]


def test_imports__planted_violations__break_their_contracts(tmp_path: Path) -> None:
    _copy(tmp_path)
    planted = {
        "gateway/core/planted.py": "import gateway.platform.audit\n",
        "gateway/knowledge/personas/planted.py": "import gateway.knowledge.subjects\n",
        "gateway/platform/outbox/planted.py": "import gateway.platform.events\n",
        "gateway/governance/policies/planted.py": "import gateway.governance.proposals.models\n",
        "gateway/governance/proposals/models.py": "",
        "gateway/governance/proposals/tasks.py": "",
        "ikiro/planted.py": "import gateway.governance.proposals.tasks\n",
        "gateway/engine/conversations/planted.py": "import gateway.engine.chat\n",
        "gateway/engine/chat/planted.py": "import django_tenants\n",
        "console/planted.py": "import gateway.core.ids\n",
        "tenants/planted.py": "import gateway.platform.flags\n",
        "ikiro/stack/planted.py": "import django\n",
        "gateway/knowledge/memory/services.py": "import ninja\n",
        "gateway/knowledge/memory/api.py": "import gateway.knowledge.memory.models\n",
        "gateway/knowledge/memory/models.py": "import gateway.knowledge.memory.services\n",
    }
    for path, text in planted.items():
        (tmp_path / path).write_text(text)
        package = (tmp_path / path).parent / "__init__.py"
        package.touch()
    result = _lint(tmp_path)
    broken = {line.split(".")[0] for line in result.stdout.splitlines() if " BROKEN" in line}
    assert result.returncode == 1
    assert broken == {"1", "2", "3a", "3b", "3c", "3d", "4", "5a", "5b", "6", "7", "8a", "8b", "8c", "9"}
