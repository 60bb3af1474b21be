"""House rules that ruff, mypy and import-linter cannot say. Each takes one source and yields what is wrong there.

A rule is a plain function of a ``Source``, so that ``test_source_rules.py`` can show each one a planted violation.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from tests.architecture.names import base_name, imported_modules, under
from tests.architecture.tree import Source

Rule = Callable[[Source], Iterator[str]]

MAX_LINES = 300
_CONTEXT = ("tenants/context.py",)
# Migrations run from the command line on the owner's own connections, before anybody is served.
_MIGRATORS = ("tenants/fleet.py", "tenants/provisioning/template.py")
_TASK_STARTERS = ("gateway/core/background.py", "ikiro/asgi.py", "ikiro/lanes.py")
_HTTP = {"pyreqwest", "httpx", "requests", "aiohttp", "urllib3", "niquests", "urllib.request", "http.client"}
_THREAD_NAMES = {
    "ThreadPoolExecutor", "ProcessPoolExecutor", "run_in_executor", "to_thread",
    "sync_to_async", "async_to_sync", "database_sync_to_async",
}  # fmt: skip
_SCHEMA_NAMES = {"set_schema", "set_schema_to_public", "set_tenant", "schema_context", "tenant_context"}
_CACHE_CALLS = {"get", "set", "add", "delete", "incr", "decr", "touch", "get_or_set", "get_many", "set_many", "clear"}
_SIGNALS = {"django.dispatch", "django.db.models.signals", "django.core.signals", "django.db.backends.signals"}


def at_most_300_lines(source: Source) -> Iterator[str]:
    if not source.is_migration and source.lines > MAX_LINES:
        yield f"{source.path}: {source.lines} lines, at most {MAX_LINES}; split it by topic"


def no_get_model(source: Source) -> Iterator[str]:
    """``apps.get_model`` is an import that no import graph sees. Migrations need it; nobody else does."""
    if not source.is_migration:
        yield from _uses(source, {"get_model"}, "reaches a model by its name")


def console_is_a_client(source: Source) -> Iterator[str]:
    if source.path.startswith("console/"):
        for line, module in imported_modules(source.tree):
            if under(module, {"gateway", "tenants", "django.db"}):
                yield f"{source.path}:{line}: the console imports {module}"


def executors_only_in_context(source: Source) -> Iterator[str]:
    """A bare executor thread keeps the wrong tenant, or none; ``in_tenant`` is the one bridge."""
    if source.path not in (*_CONTEXT, *_MIGRATORS):
        yield from _uses(source, _THREAD_NAMES, "bridges sync and async outside tenants/context.py")


def schema_switches_only_in_context(source: Source) -> Iterator[str]:
    if source.path not in (*_CONTEXT, *_MIGRATORS):
        yield from _uses(source, _SCHEMA_NAMES, "switches the schema outside tenants/context.py")


def tasks_started_only_in_background(source: Source) -> Iterator[str]:
    if source.path not in _TASK_STARTERS:
        yield from _uses(
            source, {"create_task", "ensure_future"}, "starts an asyncio task that may outlive its request"
        )


def no_thread_insensitive(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.keyword) and node.arg == "thread_sensitive":
            yield f"{source.path}:{node.value.lineno}: thread_sensitive decides which tenant's connection is used"


def no_sync_cache_in_async(source: Source) -> Iterator[str]:
    """Read on the event loop, the cache's tenant is whoever the thread served last."""
    for function in ast.walk(source.tree):
        if not isinstance(function, ast.AsyncFunctionDef):
            continue
        for node in _own_nodes(function):
            if isinstance(node, ast.Call) and _is_cache_call(node.func):
                yield f"{source.path}:{node.lineno}: {ast.unparse(node.func)}() inside async def {function.name}"


def no_silent_except(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler) and all(_does_nothing(statement) for statement in node.body):
            yield f"{source.path}:{node.lineno}: an exception is swallowed without a word"
        if isinstance(node, ast.Call) and base_name(node.func) == "suppress":
            broad = {base_name(argument) for argument in node.args} & {"Exception", "BaseException"}
            if broad:
                yield f"{source.path}:{node.lineno}: every exception is suppressed"


def outbound_http_only_in_egress(source: Source) -> Iterator[str]:
    """Exempt: the launcher's readiness probe of its own loopback address, and the console's calls of its gateway."""
    if source.path.startswith(("gateway/core/egress", "ikiro/stack/", "console/gateway/")):
        return
    for line, module in imported_modules(source.tree):
        if under(module, _HTTP):
            yield f"{source.path}:{line}: {module} goes around gateway.core.egress"


def no_django_signals(source: Source) -> Iterator[str]:
    for line, module in imported_modules(source.tree):
        if under(module, _SIGNALS):
            yield f"{source.path}:{line}: {module} is action at a distance; use the outbox, a port or a registry"


RULES: tuple[Rule, ...] = (
    at_most_300_lines,
    no_get_model,
    console_is_a_client,
    executors_only_in_context,
    schema_switches_only_in_context,
    tasks_started_only_in_background,
    no_thread_insensitive,
    no_sync_cache_in_async,
    no_silent_except,
    outbound_http_only_in_egress,
    no_django_signals,
)


def _uses(source: Source, names: set[str], complaint: str) -> Iterator[str]:
    """Every mention of one of ``names``: as a name, an attribute or an import."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom | ast.Import):
            for alias in node.names:
                if alias.name.rpartition(".")[2] in names:
                    yield f"{source.path}:{node.lineno}: {alias.name} {complaint}"
        elif isinstance(node, ast.Attribute | ast.Name) and base_name(node) in names:
            yield f"{source.path}:{node.lineno}: {base_name(node)} {complaint}"


def _own_nodes(function: ast.AsyncFunctionDef) -> Iterator[ast.AST]:
    """The nodes that run on the loop: not those of a nested synchronous function, which runs elsewhere."""
    todo: list[ast.AST] = list(function.body)
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.Lambda | ast.AsyncFunctionDef):
            todo.extend(ast.iter_child_nodes(node))


def _is_cache_call(function: ast.expr) -> bool:
    """``cache.get``, ``caches["x"].set``: what django.core.cache hands out, by its usual names."""
    if not isinstance(function, ast.Attribute) or function.attr not in _CACHE_CALLS:
        return False
    owner = function.value
    if isinstance(owner, ast.Subscript):
        return base_name(owner.value) == "caches"
    return isinstance(owner, ast.Name) and owner.id in {"cache", "django_cache"}


def _does_nothing(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )
