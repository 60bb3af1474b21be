"""A form's values and what is wrong with them, from the browser to the API and back.

    form = Form.of(request, "name", "role")
    if request.method == "POST":
        try:
            await request.api.post("/v1/things", form.values)
        except ApiError as error:
            if not form.takes(error):
                raise
            return render(request, "things/new.html", {"form": form}, status=422)
        return redirect(request, "/…", toast="Thing created")

In the template: ``{% include "console/kit/field.html" with field=form.name label="Name" %}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.gateway import AccountsAnswer, ApiError

_INPUT = frozenset({400, 409, 410, 413, 422})


@dataclass(frozen=True, slots=True)
class Field:
    """One field for the kit's templates. ``id`` is unique on the page by the form's prefix."""

    name: str
    id: str
    value: Any
    errors: tuple[str, ...]

    @property
    def values(self) -> list[str]:
        """The chosen ones of a field that takes several."""
        return self.value if isinstance(self.value, list) else [self.value] if self.value else []


class Form:
    """``form.name`` in a template is the field of that name; ``form.values`` is what goes to the API."""

    def __init__(self, values: Mapping[str, Any] | None = None, *, prefix: str = "f") -> None:
        self.values: dict[str, Any] = dict(values or {})
        self.prefix = prefix
        self.errors: dict[str, list[str]] = {}
        self.summary: list[str] = []

    @classmethod
    def of(cls, request: Any, *names: str, several: tuple[str, ...] = (), prefix: str = "f", **initial: Any) -> Form:
        """The named fields of a POST, trimmed; ``several`` are lists. On a GET: ``initial``."""
        if request.method != "POST":
            return cls(initial, prefix=prefix)
        values: dict[str, Any] = {name: request.POST.get(name, "").strip() for name in names}
        values.update({name: request.POST.getlist(name) for name in several})
        return cls(values, prefix=prefix)

    def __getitem__(self, name: str) -> Field:
        if hasattr(type(self), name) or name in self.__dict__:
            raise KeyError(name)  # templates ask for an item first: this is an attribute
        return Field(name, f"{self.prefix}-{name}", self.values.get(name, ""), tuple(self.errors.get(name, ())))

    def __contains__(self, name: str) -> bool:
        return name in self.values

    @property
    def ok(self) -> bool:
        return not self.errors and not self.summary

    @property
    def problems(self) -> list[tuple[str, str]]:
        """What the summary lists: ``(id to jump to, message)``; an empty id for what belongs to no field."""
        return [("", text) for text in self.summary] + [
            (self[name].id, text) for name, texts in self.errors.items() for text in texts
        ]

    def add(self, name: str | None, message: str) -> None:
        """Something is wrong: with this field, or with the whole (None, or a field that the form does not have)."""
        if name in self.values:
            self.errors.setdefault(str(name), []).append(message)
        else:
            self.summary.append(message)

    def takes(self, error: ApiError) -> bool:
        """Show the API's refusal in the form. False when it is not about the input: let it become a page."""
        if error.status not in _INPUT:
            return False
        for problem in error.problems:
            self.add(problem.field, problem.message)
        if self.ok:
            self.add(str(error.extra.get("field") or ""), error.detail or error.title)
        return True

    def takes_answer(self, answer: AccountsAnswer) -> bool:
        """The same for the accounts' answers. False when it names no errors."""
        for problem in answer.errors:
            self.add(problem.get("param"), str(problem.get("message", "")))
        return not self.ok
