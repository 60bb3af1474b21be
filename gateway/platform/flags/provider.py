"""The flags as an OpenFeature provider over the directory's snapshot: no I/O, no cache, no state of its own.

The evaluation context's targeting key is the organization's id (``org_…``). An organization that this process does not
know is an error and gives the caller's default, as OpenFeature wants it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import FlagNotFoundError, TargetingKeyMissingError, TypeMismatchError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType
from openfeature.provider import AbstractProvider, Metadata

from gateway.core import ids
from gateway.core.errors import GatewayError
from gateway.platform.flags import catalogue
from tenants.directory import directory
from tenants.types import Organization

T = TypeVar("T")


class DirectoryProvider(AbstractProvider):
    """Answers on/off and whole-number flags. The reason is ours (``Reason``), lower case; ``flag_metadata`` says who
    set the value."""

    def get_metadata(self) -> Metadata:
        return Metadata(name="ikiro-directory")

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        return self._resolve(flag_key, bool, evaluation_context)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        return self._resolve(flag_key, int, evaluation_context)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        raise TypeMismatchError(f"{flag_key} is no fraction: flags are on/off or whole numbers.")

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        raise TypeMismatchError(f"{flag_key} is no text: flags are on/off or whole numbers.")

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        raise TypeMismatchError(f"{flag_key} is no object: flags are on/off or whole numbers.")

    def _resolve(self, key: str, kind: type[T], context: EvaluationContext | None) -> FlagResolutionDetails[T]:
        flag = catalogue.FLAGS.get(key)
        if flag is None:
            raise FlagNotFoundError(f"There is no flag {key!r}.")
        if flag.is_number is (kind is bool):
            raise TypeMismatchError(f"{key} is {'a number' if flag.is_number else 'on or off'}.")
        found = catalogue.resolve(_organization(context), key)
        value: Any = found.value
        metadata = {"set_by": found.setter.value} if found.setter is not None else {}
        return FlagResolutionDetails(value, reason=found.reason.value, flag_metadata=metadata)


def _organization(context: EvaluationContext | None) -> Organization:
    if context is None or not context.targeting_key:
        raise TargetingKeyMissingError("The targeting key must be the organization's id.")
    try:
        organization = directory.organization(ids.parse("org", context.targeting_key))
    except GatewayError as error:
        raise TargetingKeyMissingError(error.detail) from None
    if organization is None:
        raise TargetingKeyMissingError("This process knows no such organization.")
    return organization
