"""`/v1/proposals` beyond one decision: propose, decide many at once, fetch a draft; and the types there are."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from ninja import Router
from ninja import Status as Answer

from gateway.core import ids
from gateway.core.endpoint import Call, Scope, call_of, endpoint
from gateway.core.errors import BadRequest, FieldProblem, Forbidden, GatewayError, NotFound
from gateway.governance.policies import selectors as policies
from gateway.governance.proposals import registry, selectors, services, settings
from gateway.governance.proposals.api import router as proposals_router
from gateway.governance.proposals.errors import InvalidProposal, UnknownType
from gateway.governance.proposals.executors import email
from gateway.governance.proposals.services import bulk, rules
from gateway.governance.proposals.services.creation import EXPIRES_IN, INTERNAL
from gateway.governance.proposals.settings import Settled
from gateway.governance.proposals.types import Draft, Proposal, ProposalFilter, Rejected
from gateway.governance.proposals.wire import ProposalOut
from gateway.knowledge.personas import selectors as personas
from gateway.knowledge.subjects import services as subjects
from gateway.knowledge.subjects.types import SubjectRef
from gateway.surfaces.v1.schemas.proposals import (
    DecidedOut,
    DecideErrorOut,
    DecideIn,
    DecideOut,
    ProposalTypeIn,
    ProposalTypeOut,
    ProposalTypesOut,
    ProposeIn,
)
from gateway.surfaces.v1.whole import whole_organization
from tenants.context import in_tenant
from tenants.types import Principal

# What stands above ``/proposals/{id}``; proposing shares its path with listing, so it is on the slice's own router.
router = Router(tags=["proposals"])
_FLAG = "enable_proposals"


@proposals_router.post("/proposals", response={201: ProposalOut}, summary="Propose a write")
@endpoint(scope=Scope.PROPOSALS_WRITE, flag=_FLAG)
async def create_proposal(request: HttpRequest, body: ProposeIn) -> Answer[ProposalOut]:
    """Put a write before the people who decide, as a persona would. It waits for a person, whatever rules say. A
    payload that does not fit its type's schema, or that policy does not allow, becomes no proposal: 422 with a pointer
    for each problem."""
    call = call_of(request)
    principal: Principal = call.principal
    principal.require_subject(body.subject_id)
    personas = principal.grant.persona_ids
    if personas is not None and body.persona_id not in personas:
        raise Forbidden("This key proposes for its own personas; name one.", code="persona_not_allowed")
    return Answer(201, ProposalOut.of(await in_tenant(principal.ref, _create, body, call)))


@router.post("/proposals/decide", response=DecideOut, summary="Approve or reject up to 100 at once")
@endpoint(scope=Scope.PROPOSALS_DECIDE, flag=_FLAG)
async def decide_proposals(request: HttpRequest, body: DecideIn) -> DecideOut:
    """Each is decided by itself and answered by itself, in the order given. What is approved is carried out by
    workers. A `filter` finds the oldest pending ones at this moment."""
    call = call_of(request)
    if (body.ids is None) is (body.filter is None):
        problem = FieldProblem("#/ids", "exactly_one", "send ids or filter, and not both")
        raise BadRequest("Send ids or filter, and not both.", problems=(problem,))
    decided, more = await in_tenant(call.principal.ref, _decide, body, call)
    shown = [_decided(one) for one in decided]
    refused = sum(one.error is not None for one in shown)
    return DecideOut(data=shown, decided=len(shown) - refused, refused=refused, more=more)


@router.get(
    "/proposals/{proposal_id}/draft.eml",
    response=str,
    summary="Download an approved e-mail draft",
    openapi_extra={"responses": {200: {"content": {"message/rfc822": {"schema": {"type": "string"}}}}}},
)
@endpoint(scope=Scope.PROPOSALS_READ, flag=_FLAG)
async def download_draft(request: HttpRequest, proposal_id: str) -> HttpResponse:
    """The draft of an executed `email.draft` as an RFC 5322 message. Nothing was sent."""
    call = call_of(request)
    parsed = ids.parse("prop", proposal_id)
    found: Proposal = await in_tenant(call.principal.ref, selectors.get, parsed, principal=call.principal)
    text = email.eml(found)
    call.read("proposal.read", found.public_id, subject_id=found.subject_id, persona_id=found.persona_id)
    named = {"content-disposition": f'attachment; filename="{found.public_id}.eml"'}
    return HttpResponse(text, content_type="message/rfc822", headers=named)


@router.get("/proposal-types", response=ProposalTypesOut, summary="The types of writes, with schemas")
@endpoint(scope=Scope.PROPOSALS_READ, flag=_FLAG)
async def list_types(request: HttpRequest) -> ProposalTypesOut:
    """Every type that can be carried out here, the JSON Schema of its payload, and what is settled about it."""
    settled = await in_tenant(call_of(request).principal.ref, settings.settled)
    return ProposalTypesOut(data=[_type(kind, settled.get(kind)) for kind in registry.types()])


@router.put("/proposal-types/{kind}", response=ProposalTypeOut, summary="Settle quorum and expiry")
@endpoint(scope=Scope.POLICIES_WRITE, flag=_FLAG)
async def settle_type(request: HttpRequest, kind: str, body: ProposalTypeIn) -> ProposalTypeOut:
    """For proposals made from now on. With a quorum above one, that many different people must say yes; a key's vote is
    that of the person who answers for it."""
    call = call_of(request)
    whole_organization(call.principal)
    if registry.find(kind) is None:
        raise NotFound(f"There is no type {kind!r}; GET /v1/proposal-types lists them.")
    settled = await in_tenant(
        call.principal.ref, rules.settle, kind, quorum=body.quorum, expires_in_s=body.expires_in_s,
        actor=call.principal.actor, request_id=call.request_id,
    )  # fmt: skip
    return _type(kind, settled)


@transaction.atomic
def _create(body: ProposeIn, call: Call) -> Proposal:
    """The proposal and, when it is new, its subject: both or neither."""
    principal: Principal = call.principal
    if body.persona_id is not None:
        _known(body.persona_id)
    subject = subjects.ensure(body.subject_id, actor=principal.actor, request_id=call.request_id)
    proposals, rejected = services.create(
        [_draft(body, subject, call)], actor=principal.actor, principal=principal,
        policy=policies.effective(
            teams=(*principal.grant.team_ids, *subject.team_ids), subject_id=body.subject_id
        ),
    )  # fmt: skip
    if rejected:
        raise _refused(rejected[0])
    return selectors.for_reader(proposals[0], principal)


def _known(persona_id: str) -> None:
    try:
        personas.get(persona_id)
    except NotFound as error:
        problem = FieldProblem("#/persona_id", "unknown_persona", "names no persona of the organization")
        raise InvalidProposal(error.detail, code="unknown_persona", problems=(problem,)) from None


def _refused(rejected: Rejected) -> GatewayError:
    code = rejected.problems[0].code
    if code == INTERNAL:
        return GatewayError("The proposal could not be looked at for a reason of ours; ask with the request's id.")
    refusal = UnknownType if code == UnknownType.default_code else InvalidProposal
    return refusal(rejected.reason, problems=rejected.problems)


def _draft(body: ProposeIn, subject: SubjectRef, call: Call) -> Draft:
    return Draft(
        type=body.type, payload=body.payload, subject_id=subject.id, persona_id=body.persona_id, source=body.source,
        confidence=body.confidence, subject_pk=subject.pk, request_id=call.request_id,
        expires_in=timedelta(seconds=body.expires_in_s) if body.expires_in_s is not None else None,
    )  # fmt: skip


def _decide(body: DecideIn, call: Call) -> tuple[list[bulk.Decided], bool]:
    named: list[tuple[str, UUID | NotFound]]
    more = False
    if body.filter is not None:
        wanted = ProposalFilter(None, body.filter.type, body.filter.subject_id, body.filter.persona_id)
        found, more = bulk.pending(wanted, principal=call.principal)
        named = [(one.public_id, one.id) for one in found]
    else:
        named = [(text, _parsed(text)) for text in dict.fromkeys(body.ids or ())]
    decided = bulk.decide_many(
        named, yes=body.decision == "approve", actor=call.principal.actor, comment=body.comment or "",
        undo_seconds=body.undo_seconds or 0, request_id=call.request_id, principal=call.principal,
    )  # fmt: skip
    return decided, more


def _parsed(text: str) -> UUID | NotFound:
    try:
        return ids.parse("prop", text)
    except NotFound as error:
        return error


def _decided(one: bulk.Decided) -> DecidedOut:
    if one.proposal is not None:
        return DecidedOut(id=one.public_id, state=one.proposal.state, error=None)
    error = one.error
    if error is None:
        raise TypeError("A decision has a proposal or an error.")
    extra = {name: error.extra[name] for name in DecideErrorOut.model_fields if name in error.extra}
    told = DecideErrorOut(status=error.http_status, code=error.code, detail=error.detail, **extra)
    return DecidedOut(id=one.public_id, state=None, error=told)


def _type(kind: str, settled: Settled | None) -> ProposalTypeOut:
    executor = registry.find(kind)
    if executor is None:
        raise NotFound(f"There is no type {kind!r}; GET /v1/proposal-types lists them.")
    what = settled or Settled(kind)
    return ProposalTypeOut(
        type=kind, description=str(executor.schema.get("description", "")), payload_schema=executor.schema,
        external=executor.external is not None, reversible=executor.reversible, quorum=what.quorum,
        expires_in_s=what.expires_in_s or round(EXPIRES_IN.total_seconds()), updated_at=what.updated_at,
        updated_by=what.updated_by,
    )  # fmt: skip
