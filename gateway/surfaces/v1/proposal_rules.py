"""`/v1/proposal-rules`: which proposals need no person, tried on history before they are trusted."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router
from ninja import Status as Answer

from gateway.core import ids
from gateway.core.endpoint import Scope, call_of, endpoint
from gateway.governance.proposals import settings, simulation
from gateway.governance.proposals.services import rules
from gateway.surfaces.v1.schemas.proposals import (
    ProposalRuleIn,
    ProposalRuleOut,
    ProposalRulesOut,
    SimulateRuleIn,
    SimulationOut,
)
from gateway.surfaces.v1.whole import whole_organization
from tenants.context import in_tenant

router = Router(tags=["proposals"])
_FLAG = "enable_proposals"


@router.get("/proposal-rules", response=ProposalRulesOut, summary="The rules that approve without a person")
@endpoint(scope=Scope.POLICIES_READ, flag=_FLAG)
async def list_rules(request: HttpRequest) -> ProposalRulesOut:
    """All of them, oldest first: the order in which they are asked."""
    found = await in_tenant(call_of(request).principal.ref, settings.rules)
    return ProposalRulesOut(data=[ProposalRuleOut.of(rule) for rule in found])


@router.post("/proposal-rules", response={201: ProposalRuleOut}, summary="Add a rule")
@endpoint(scope=Scope.POLICIES_WRITE, flag=_FLAG)
async def create_rule(request: HttpRequest, body: ProposalRuleIn) -> Answer[ProposalRuleOut]:
    """In force for proposals made from now on. It never loosens a policy."""
    call = call_of(request)
    whole_organization(call.principal)
    made = await in_tenant(
        call.principal.ref, rules.create_rule, body.spec(), actor=call.principal.actor, request_id=call.request_id
    )
    return Answer(201, ProposalRuleOut.of(made))


@router.post("/proposal-rules/simulate", response=SimulationOut, summary="Try a rule on the last days' proposals")
@endpoint(scope=Scope.POLICIES_READ, flag=_FLAG, reads=True)
async def simulate_rule(request: HttpRequest, body: SimulateRuleIn) -> SimulationOut:
    """How many it would have approved, of how many, and whether the people who decided them agreed. Changes nothing; a
    narrowed key sees its own part of the history."""
    call = call_of(request)
    found = await in_tenant(
        call.principal.ref, simulation.simulate, body.rule.spec(), days=body.days, principal=call.principal
    )
    call.read("proposal.read", "proposals")
    return SimulationOut.of(found)


@router.get("/proposal-rules/{rule_id}", response=ProposalRuleOut, summary="One rule")
@endpoint(scope=Scope.POLICIES_READ, flag=_FLAG)
async def get_rule(request: HttpRequest, rule_id: str) -> ProposalRuleOut:
    ref = call_of(request).principal.ref
    return ProposalRuleOut.of(await in_tenant(ref, settings.rule, ids.parse("rul", rule_id)))


@router.put("/proposal-rules/{rule_id}", response=ProposalRuleOut, summary="Replace a rule")
@endpoint(scope=Scope.POLICIES_WRITE, flag=_FLAG)
async def replace_rule(request: HttpRequest, rule_id: str, body: ProposalRuleIn) -> ProposalRuleOut:
    """What it approved today still counts against its caps."""
    call = call_of(request)
    whole_organization(call.principal)
    replaced = await in_tenant(
        call.principal.ref, rules.replace_rule, ids.parse("rul", rule_id), body.spec(), actor=call.principal.actor,
        request_id=call.request_id,
    )  # fmt: skip
    return ProposalRuleOut.of(replaced)


@router.delete("/proposal-rules/{rule_id}", response={204: None}, summary="Delete a rule")
@endpoint(scope=Scope.POLICIES_WRITE, flag=_FLAG)
async def delete_rule(request: HttpRequest, rule_id: str) -> tuple[int, None]:
    """What it decided stays decided."""
    call = call_of(request)
    whole_organization(call.principal)
    await in_tenant(
        call.principal.ref, rules.delete_rule, ids.parse("rul", rule_id), actor=call.principal.actor,
        request_id=call.request_id,
    )  # fmt: skip
    return 204, None
