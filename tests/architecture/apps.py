"""What the models say about placement: which tables live where, and which way their foreign keys point."""

from __future__ import annotations

import configparser
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.architecture.tree import ROOT

FAMILIES = ("surfaces", "engine", "knowledge", "governance", "platform", "core")  # highest first, as in .importlinter


@dataclass(frozen=True, slots=True)
class Key:
    """One foreign key, one-to-one or many-to-many, between the packages that own its two ends."""

    field: str
    source: str
    target: str


def double_tables(placed: Iterable[tuple[str, str]]) -> list[str]:
    """Tables that two apps claim: with ``search_path = tenant, public`` one would silently answer for the other."""
    owners: dict[str, str] = {}
    problems = []
    for table, app in placed:
        if owners.setdefault(table, app) != app:
            problems.append(f"table {table}: {owners[table]} and {app}")
    return problems


def misplaced(shared: list[str], tenant: list[str], installed: list[str], with_models: set[str]) -> list[str]:
    """Apps that are not in exactly one of the two lists, or that own tables and are in neither."""
    problems = [f"{app} is shared and tenant" for app in sorted(set(shared) & set(tenant))]
    listed = [*shared, *tenant]
    problems += [f"{app} is listed twice" for app in sorted({app for app in listed if listed.count(app) > 1})]
    problems += [f"{app} is installed twice" for app in sorted({app for app in installed if installed.count(app) > 1})]
    problems += [f"{app} is listed, but not installed" for app in sorted(set(listed) - set(installed))]
    return problems + [f"{app} has tables, but no place" for app in sorted(with_models - set(listed))]


def upward_keys(keys: Iterable[Key], shared: set[str]) -> Iterator[str]:
    """Keys that point upward, sideways, or out of an organization's schema into the public one (and the other way)."""
    order = layers()
    for key in keys:
        if key.source == key.target:
            continue
        if (key.source in shared) != (key.target in shared):
            yield f"{key.field} crosses between an organization's schema and public ({key.target}); store the id"
        elif _is_ours(key.source) and _is_ours(key.target) and not _stands_above(key.source, key.target, order):
            yield f"{key.field} points to {key.target}, which does not stand below {key.source}; store the id"


def layers() -> dict[str, list[set[str]]]:
    """The order inside each family, read from .importlinter, highest layer first; a family of strangers has none."""
    config = configparser.ConfigParser()
    config.read(ROOT / ".importlinter")
    order: dict[str, list[set[str]]] = {}
    for section in config.values():
        container = section.get("containers", "").strip()
        if section.get("type") == "layers" and container.startswith("gateway.") and "*" not in container:
            rows = section["layers"].split("\n")
            order[container] = [{name.strip(" ()") for name in row.split("|")} for row in rows if row.strip()]
    return order


def _is_ours(app: str) -> bool:
    return app == "tenants" or app.startswith("gateway.")


def _stands_above(source: str, target: str, order: dict[str, list[set[str]]]) -> bool:
    high, low = _rank(source), _rank(target)
    if high != low:
        return high < low
    family, _, name = source.rpartition(".")
    inside = order.get(family, [])
    place = {slice_name: index for index, layer in enumerate(inside) for slice_name in layer}
    other = target.rpartition(".")[2]
    return name in place and other in place and place[name] < place[other]


def _rank(app: str) -> int:
    """0 is highest; tenants stand between platform and core."""
    return len(FAMILIES) if app == "tenants" else FAMILIES.index(app.split(".")[1])
