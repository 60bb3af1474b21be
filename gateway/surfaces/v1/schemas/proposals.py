"""What the proposals API takes and answers beyond one decision: bulk, types, rules, targets."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from ninja import Schema
from pydantic import ConfigDict, Field

from gateway.core import ids
from gateway.core.wire import Flag, Number, Whole
from gateway.governance.proposals.rules import Rule, RuleSpec
from gateway.governance.proposals.simulation import MAX_DAYS, Simulation
from gateway.governance.proposals.targets import Target
from gateway.governance.proposals.wire import ShownState

_STRICT: ConfigDict = ConfigDict(extra="forbid")
_DAY_S = 86_400
_Id = Annotated[str, Field(min_length=1, max_length=64)]
_Name = Annotated[str, Field(min_length=1, max_length=128)]
_Glob = Annotated[str, Field(pattern=r"^[a-z*][a-z0-9_.*]*$", max_length=64)]


class ProposeIn(Schema):
    """A write to put before the people who decide. `source` says where it comes from (`gmail:msg_123`)."""

    model_config: ClassVar[ConfigDict] = _STRICT

    type: Annotated[str, Field(min_length=1, max_length=64)]
    payload: dict[str, Any]
    subject_id: Annotated[str, Field(min_length=1, max_length=128)]
    persona_id: _Name | None = None
    source: Annotated[str, Field(min_length=1, max_length=256, pattern=r"\S")] = "api"
    confidence: Annotated[Number, Field(ge=0, le=1)] = 1.0
    expires_in_s: Annotated[Whole, Field(ge=60, le=90 * _DAY_S)] | None = None


class WhichIn(Schema):
    """Pending proposals, the oldest first; a field that is left out is no filter."""

    model_config: ClassVar[ConfigDict] = _STRICT

    type: Annotated[str, Field(max_length=64)] | None = None
    subject_id: Annotated[str, Field(max_length=128)] | None = None
    persona_id: Annotated[str, Field(max_length=128)] | None = None


class DecideIn(Schema):
    """One decision about the proposals of these `ids`, or about those that a `filter` finds; one of the two."""

    model_config: ClassVar[ConfigDict] = _STRICT

    ids: Annotated[list[_Id], Field(min_length=1, max_length=100)] | None = None
    filter: WhichIn | None = None
    decision: Literal["approve", "reject"]
    comment: Annotated[str, Field(max_length=2_000)] | None = None
    undo_seconds: Annotated[Whole, Field(ge=0, le=3_600)] | None = None


class DecideErrorOut(Schema):
    """Why one was not decided; `decided_by` where somebody else decided before."""

    status: int
    code: str
    detail: str
    state: ShownState | None = None
    verdict: str | None = None
    decided_by: str | None = None
    decided_at: str | None = None


class DecidedOut(Schema):
    """One of them: its state, or the error."""

    id: str
    state: ShownState | None
    error: DecideErrorOut | None


class DecideOut(Schema):
    """`more`: the filter finds further ones beyond these hundred."""

    data: list[DecidedOut]
    decided: int
    refused: int
    more: bool


class ProposalTypeOut(Schema):
    """One type: what its payload must be, what it does, and what the organization settled. `external`: its effect is
    on another server. `reversible`: it can be compensated."""

    type: str
    description: str
    payload_schema: dict[str, Any]
    external: bool
    reversible: bool
    quorum: int
    expires_in_s: int
    updated_at: datetime | None
    updated_by: str | None


class ProposalTypesOut(Schema):
    data: list[ProposalTypeOut]
    next_cursor: str | None = None


class ProposalTypeIn(Schema):
    """How many people must say yes, and how long they have (null: seven days)."""

    model_config: ClassVar[ConfigDict] = _STRICT

    quorum: Annotated[Whole, Field(ge=1, le=10)] = 1
    expires_in_s: Annotated[Whole, Field(ge=60, le=90 * _DAY_S)] | None = None


class ProposalRuleIn(Schema):
    """When a proposal needs no person. `types` are globs; `personas` null is any; caps count per UTC day."""

    model_config: ClassVar[ConfigDict] = _STRICT

    name: Annotated[str, Field(min_length=1, max_length=80)]
    types: Annotated[list[_Glob], Field(min_length=1, max_length=50)]
    min_confidence: Annotated[Number, Field(ge=0, le=1)]
    personas: Annotated[list[_Name], Field(min_length=1, max_length=100)] | None = None
    per_day: Annotated[Whole, Field(ge=1, le=1_000_000)] | None = None
    per_subject_per_day: Annotated[Whole, Field(ge=1, le=1_000_000)] | None = None
    enabled: Flag = True

    def spec(self) -> RuleSpec:
        personas = None if self.personas is None else tuple(dict.fromkeys(self.personas))
        return RuleSpec(
            self.name, tuple(dict.fromkeys(self.types)), self.min_confidence, personas, self.per_day,
            self.per_subject_per_day, self.enabled,
        )  # fmt: skip


class ProposalRuleOut(Schema):
    id: str
    name: str
    types: list[str]
    min_confidence: float
    personas: list[str] | None
    per_day: int | None
    per_subject_per_day: int | None
    enabled: bool
    created_at: datetime
    updated_at: datetime
    updated_by: str

    @classmethod
    def of(cls, rule: Rule) -> ProposalRuleOut:
        spec = rule.spec
        return cls(
            id=rule.public_id, name=spec.name, types=list(spec.types), min_confidence=spec.min_confidence,
            personas=None if spec.personas is None else list(spec.personas), per_day=spec.per_day,
            per_subject_per_day=spec.per_subject_per_day, enabled=spec.enabled, created_at=rule.created_at,
            updated_at=rule.updated_at, updated_by=rule.updated_by,
        )  # fmt: skip


class ProposalRulesOut(Schema):
    data: list[ProposalRuleOut]
    next_cursor: str | None = None


class SimulateRuleIn(Schema):
    """A rule to try, and on how many of the last days."""

    model_config: ClassVar[ConfigDict] = _STRICT

    rule: ProposalRuleIn
    days: Annotated[Whole, Field(ge=1, le=MAX_DAYS)] = 30


class DisagreementOut(Schema):
    """One that the rule would have approved and a person rejected."""

    proposal_id: str
    type: str
    subject_id: str | None
    persona_id: str | None
    confidence: float
    decided_by: str | None
    decided_at: datetime | None
    comment: str


class SimulationOut(Schema):
    """What the rule would have done. `considered` is the denominator; `agreement` is `agreed` by `decided_by_people`,
    null when people decided none of them; `capped` fit the rule and were beyond its caps."""

    days: int
    considered: int
    truncated: bool
    covered: int
    capped: int
    would_approve: int
    decided_by_people: int
    agreed: int
    rejected_by_people: int
    decided_by_machines: int
    undecided: int
    agreement: float | None
    disagreements: list[DisagreementOut]

    @classmethod
    def of(cls, found: Simulation) -> SimulationOut:
        listed = [
            DisagreementOut(
                proposal_id=one.public_id, type=one.type, subject_id=one.subject_id, persona_id=one.persona_id,
                confidence=one.confidence, decided_by=one.decided_by, decided_at=one.decided_at, comment=one.comment,
            )
            for one in found.disagreements
        ]  # fmt: skip
        return cls(
            days=found.days, considered=found.considered, truncated=found.truncated, covered=found.covered,
            capped=found.capped, would_approve=found.would_approve, decided_by_people=found.decided_by_people,
            agreed=found.agreed, rejected_by_people=found.rejected_by_people,
            decided_by_machines=found.decided_by_machines, undecided=found.undecided, agreement=found.agreement,
            disagreements=listed,
        )  # fmt: skip


class WriteTargetIn(Schema):
    """`webhook`: `url` and perhaps `secret` (`whsec_…`); without one the target keeps its own, or is given one.
    `caldav`: the collection's `url`, `username` and `password`, which may be left out while url and user stay."""

    model_config: ClassVar[ConfigDict] = _STRICT

    kind: Literal["webhook", "caldav"]
    url: Annotated[str, Field(min_length=1, max_length=2_000)]
    username: Annotated[str, Field(max_length=256)] | None = None
    password: Annotated[str, Field(min_length=1, max_length=1_024, json_schema_extra={"writeOnly": True})] | None = None
    secret: Annotated[str, Field(min_length=1, max_length=256, json_schema_extra={"writeOnly": True})] | None = None


class WriteTargetOut(Schema):
    """`secret` is there once: in the answer that made it."""

    id: str
    name: str
    kind: str
    url: str
    username: str | None
    created_at: datetime
    updated_at: datetime
    updated_by: str
    secret: str | None = None

    @classmethod
    def of(cls, target: Target) -> WriteTargetOut:
        return cls(
            id=ids.public("wt", target.id), name=target.name, kind=target.kind.value, url=target.url,
            username=target.username or None, created_at=target.created_at, updated_at=target.updated_at,
            updated_by=target.updated_by,
        )  # fmt: skip


class WriteTargetsOut(Schema):
    data: list[WriteTargetOut]
    next_cursor: str | None = None


class WriteTargetTestOut(Schema):
    """Whether the target took the test, and if not, why."""

    ok: bool
    code: str | None
    detail: str | None
    latency_ms: int
