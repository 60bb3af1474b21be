"""An import-linter contract: some modules may be imported from inside their own slice only."""

from __future__ import annotations

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class PrivateToSlice(Contract):  # type: ignore[misc]  # import-linter ships no types for Contract
    """Modules named in ``private`` at ``depth`` below ``root`` belong to the package that holds them.

    Packages named in ``allowed_importers`` may import them all the same: wiring, not logic.
    """

    type_name = "private_to_slice"

    root = fields.StringField()
    depth = fields.IntegerField()
    private = fields.SetField(subfield=fields.StringField())
    allowed_importers = fields.SetField(subfield=fields.StringField(), required=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        allowed = tuple(f"{package}." for package in self.allowed_importers or ())
        bad: list[tuple[str, str]] = []
        for imported in graph.modules:
            parts = imported.split(".")
            if parts[0] != self.root or len(parts) <= self.depth or parts[self.depth] not in self.private:
                continue
            inside = (".".join(parts[: self.depth]) + ".", *allowed)
            importers = graph.find_modules_that_directly_import(imported)
            bad += [(importer, imported) for importer in importers if not f"{importer}.".startswith(inside)]
        return ContractCheck(kept=not bad, metadata={"bad": sorted(bad)})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for importer, imported in check.metadata["bad"]:
            output.print_error(f"{importer} reaches into {imported}")
