"""The OpenAPI document beyond what the operations' signatures say: how to sign, what every answer carries, how each
operation fails. All of it follows from the operation's own declaration, so that no operation can be left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from gateway.core.endpoint import Endpoint, Metering, declared
from gateway.core.pagination import DEFAULT_LIMIT, MAX_LIMIT
from gateway.surfaces.v1.components import (
    FAILURES,
    HEADERS,
    IDEMPOTENCY_KEY,
    IF_MATCH,
    PREFER,
    SCHEMAS,
    SECURITY_SCHEMES,
    TAGS,
)
from gateway.surfaces.v1.examples import EXAMPLES
from tenants.people.roles import PERSON_ONLY

_LIMIT = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT, "title": "Limit"}
_STREAM = {
    "schema": {
        "type": "object",
        "description": "One server-sent event, when the body says `stream: true`.",
        "properties": {"event": {"type": "string"}, "id": {"type": "string"}, "data": {"type": "string"}},
    }
}
# Whose shape the refusals of a surface have.
_VENDORS = {"openai": "OpenAIError", "anthropic": "AnthropicError"}
_CALLERS = ("key", "apiKey", "userToken")
# How a used key is refused (``gateway.core.idempotency``).
_REPEATED = (400, 409, 422)
# Metered calls that never stream.
_BUFFERED = frozenset({"openai_embeddings", "providers_try"})
# What holds, if its caller wants, only for the version that they read (``gateway.core.conditional``).
CONDITIONAL = frozenset({
    "flags_delete", "flags_put", "memories_correct", "personas_publish", "personas_save_draft",
    "personas_save_golden_prompts", "policies_delete_organization_shadow", "policies_delete_overlay",
    "policies_put_organization_overlay", "policies_put_overlay",
})  # fmt: skip
# What may be left to a worker.
_DEFERRABLE = frozenset({"memories_create"})
# Refusals that only some operations give; those that follow from the declaration are added to every operation.
_ALSO = {
    "chat": (409, 410),
    "openai_completions": (409,),
    "openai_create_response": (409,),
    "anthropic_create_message": (409,),
    "anthropic_count_tokens": (404, 502, 504),
    "memories_create": (402, 409),
    "memories_recall": (402,),
    "memories_memory_history": (410,),
    "chat_precompose": (402, 404, 410),
    "documents_upload": (402,),
    "documents_forget": (409,),
    "memories_correct": (409, 410),
    "memories_restore": (402, 409, 410),
    "memories_silence": (410,),
    "memories_unsilence": (410,),
    "memories_pin": (410,),
    "memories_unpin": (410,),
    "memories_get": (410,),
    "policies_put_overlay": (409,),
    "policies_delete_overlay": (409,),
    "policies_delete_organization_shadow": (404, 409),
    "policies_promote_overlay": (404, 409),
    "policies_delete_team": (409,),
    "personas_create": (402, 404, 409),
    "personas_save_draft": (409, 410),
    "personas_publish_draft": (402, 409, 410),
    "personas_roll_back": (409, 410),
    "personas_restore": (402,),
    "personas_import": (402, 409, 410),
    "personas_get": (410,),
    "personas_publish": (409, 410),
    "personas_save_golden_prompts": (409, 410),
    "personas_start_consistency_run": (410,),
    "personas_start_experiment": (410,),
    "personas_stop_experiment": (410,),
    "policies_effective": (404, 410),
    "policies_put_organization_overlay": (409,),
    "proposals_approve": (409,),
    "proposals_reject": (409,),
    "proposals_retry": (409,),
    "proposals_compensate": (409,),
    "proposals_download_draft": (410,),
    "proposals_create_rule": (409,),
    "proposals_put_target": (409,),
    "operations_cancel": (409,),
    "subjects_put": (409,),
    "subjects_erase": (409,),
    "subjects_export": (409,),
    "subjects_list_boundaries": (409,),
    "subjects_lift_boundary": (409,),
    "subjects_list_consents": (409,),
    "subjects_list_relationships": (409,),
    "subjects_get_relationship": (409,),
    "organizations_close": (409,),
    "organizations_cancel_deletion": (409,),
    "organizations_fetch_export": (409, 410),
    "requests_get_body": (409,),
    "requests_replay": (402, 409, 502, 504),
    "providers_create": (409,),
    "billing_change_plan": (409,),
    "models_put_alias": (409,),
    "requests_take_up": (410,),
    "sso_put": (409,),
    "sso_test": (404,),
    "sso_enforce": (404, 409),
    "sso_disable": (404,),
    "sso_add_domain": (409,),
    "sso_verify_domain": (409,),
    "sso_remove_domain": (409,),
    "keys_create": (409,),
    "keys_rotate": (409,),
    "keys_end_grace": (409,),
    "account_delete": (409,),
    "account_trade_token": (404,),
    "organizations_create": (409,),
    "organizations_retry": (409,),
    "members_change": (409,),
    "members_remove": (409,),
    "invitations_create": (409,),
    "invitations_accept": (404, 410),
}


class Api(NinjaAPI):
    """A ``NinjaAPI`` whose document is complete."""

    _document: OpenAPISchema | None = None

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """``memories_create``: the tag and what is done."""
        tag = operation.tags[0] if operation.tags else "v1"
        name = operation.view_func.__name__
        for noun in (f"_{tag}", f"_{tag[:-1]}", f"_{tag.removesuffix('ies')}y"):
            name = name.removesuffix(noun)
        return tag if name == tag else f"{tag}_{name}"

    def get_openapi_schema(self, **kwargs: Any) -> OpenAPISchema:
        """The whole document; made once, because it costs a tenth of a second and anybody may ask for it."""
        if self._document is None:
            self._document = self._whole(**kwargs)
        return self._document

    def _whole(self, **kwargs: Any) -> OpenAPISchema:
        document = super().get_openapi_schema(**kwargs)
        document["servers"] = [{"url": "/"}]
        document["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
        document["security"] = [{name: []} for name in _CALLERS]
        components = document["components"]
        components["schemas"].update(SCHEMAS)
        components["securitySchemes"] = SECURITY_SCHEMES
        components["headers"] = HEADERS
        components["responses"] = {name: shape for status in FAILURES.values() for name, shape in status.items()}
        operations = {self.get_openapi_operation_id(one): one for one in _operations(self)}
        for path, methods in document["paths"].items():
            for shown in methods.values():
                _complete(path, shown, operations[shown["operationId"]])
        return document


def _operations(api: NinjaAPI) -> Iterator[Operation]:
    for router in api._get_bound_routers():
        for view in router.path_operations.values():
            yield from view.operations


def _complete(path: str, shown: dict[str, Any], operation: Operation) -> None:
    endpoint = declared(operation.view_func)
    if endpoint is None:
        raise TypeError(f"{path} declares no endpoint")
    for parameter in shown["parameters"]:
        _tidy(parameter)
    _examples(shown)
    signed = _signed_by(shown["operationId"], endpoint)
    if signed is not None:
        shown["security"] = [{name: []} for name in signed]
    shown["responses"] = {str(status): response for status, response in shown["responses"].items()}
    for status, response in shown["responses"].items():
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in HEADERS}
        if endpoint.metering is Metering.CALL and status == "200" and shown["operationId"] not in _BUFFERED:
            response["content"]["text/event-stream"] = _STREAM
    kind = _VENDORS.get(endpoint.surface or "", "Problem")
    if shown["operationId"] in _DEFERRABLE:
        shown["parameters"] = [*shown["parameters"], PREFER]
    repeatable = "POST" in operation.methods and not endpoint.public and not endpoint.reads
    if repeatable:
        shown["parameters"] = [*shown["parameters"], IDEMPOTENCY_KEY]
    if shown["operationId"] in CONDITIONAL:
        shown["parameters"] = [*shown["parameters"], IF_MATCH]
    for failure in sorted({*_failures(path, shown, endpoint), *(_REPEATED if repeatable else ())}):
        shown["responses"][str(failure)] = {"$ref": f"#/components/responses/{kind}{failure}"}
    shown["responses"]["default"] = {"$ref": f"#/components/responses/{kind}"}
    if endpoint.scope is not None:
        shown["description"] = f"{shown.get('description', '')}\n\nScope: `{endpoint.scope.value}`.".strip()


def _signed_by(operation_id: str, endpoint: Endpoint) -> tuple[str, ...] | None:
    """What an operation is signed with, where that is not a key or a person's token."""
    if operation_id == "account_trade_token":
        return ("session",)
    if endpoint.public:
        return ()
    return ("userToken",) if endpoint.account or endpoint.scope in PERSON_ONLY else None


def _failures(path: str, shown: dict[str, Any], endpoint: Endpoint) -> list[int]:
    """Which refusals an operation can give, beyond those that any can (``default``)."""
    found = {401, 403, 429, 503, *_ALSO.get(shown["operationId"], ())}
    if "requestBody" in shown:
        found |= {400, 413}
    if "requestBody" in shown or shown["parameters"]:
        found |= {422}
    if shown["operationId"] in CONDITIONAL:
        found |= {409}
    if "{" in path:
        found |= {404}
    if endpoint.metering is Metering.CALL:
        found |= {402, 404, 502, 504}
    # In the vendors' dialects an invalid request is a 400.
    return sorted(found - {422} if endpoint.surface in _VENDORS else found)


def _tidy(parameter: dict[str, Any]) -> None:
    """A parameter that may be left out is never ``null``; a page's size has bounds."""
    schema = parameter["schema"]
    options = [option for option in schema.pop("anyOf", []) if option != {"type": "null"}]
    if len(options) == 1:
        schema.update(options[0])
    elif options:
        schema["anyOf"] = options
    if parameter["in"] == "query" and parameter["name"] == "limit":
        parameter["schema"] = _LIMIT
    elif schema.get("type") == "string" and "maxLength" not in schema and parameter["in"] == "path":
        schema["minLength"] = 1


def _examples(shown: dict[str, Any]) -> None:
    example = EXAMPLES.get(shown["operationId"])
    if example is not None:
        shown["requestBody"]["content"]["application/json"]["example"] = example
