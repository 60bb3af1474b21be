"""All that a turn needs from the database, read in one hop of one thread: the connection is back in the pool before
the model is called."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.db import transaction

from gateway.core.endpoint import Call
from gateway.core.errors import BadRequest, FieldProblem
from gateway.engine.chat import shadowing
from gateway.engine.chat.guarding import check_tools, guarded
from gateway.engine.chat.messages import Message
from gateway.engine.chat.types import ChatRequest, question_of
from gateway.engine.conversations import services as conversations
from gateway.engine.conversations.types import Conversation
from gateway.engine.experiments import services as experiments
from gateway.governance.policies import selectors as policies
from gateway.governance.policies.guardrails import Finding
from gateway.governance.policies.merge import merge
from gateway.governance.policies.types import EffectivePolicy, RequestedPolicy
from gateway.knowledge.memory import selectors as memory
from gateway.knowledge.memory.types import Meaning, Recall, RecallQuery
from gateway.knowledge.personas import modes, relationships, safety
from gateway.knowledge.personas import selectors as personas
from gateway.knowledge.personas.compile import compile_persona, keeping, situation, speaking
from gateway.knowledge.personas.modes import ModeLimits
from gateway.knowledge.personas.safety import Redirect
from gateway.knowledge.personas.types import PersonaVersion
from gateway.knowledge.subjects import services as subjects
from gateway.knowledge.subjects.types import SubjectRef
from gateway.platform import embeddings
from gateway.platform.flags import catalogue
from tenants.context import in_tenant
from tenants.types import Principal

RECALLED = 10
NOTHING_RECALLED = Recall((), cache_hit=False, degraded=False, version=0)


@dataclass(frozen=True, slots=True)
class Prepared:
    """The turn's persona, subject, policy, conversation and memories, as values that outlive the connection.

    ``messages``, ``tools`` and ``params`` are the caller's, masked as the policy asks; ``findings`` are what its
    guardrails saw in them; ``persona`` has the prompt that policy leaves of its own;
    ``stage`` is how well persona and subject know each other (None where that is nobody's business); ``situation`` is
    what stage and mode add to the prompt; ``redirect`` is what to answer instead of asking a model;
    ``arm`` is the experiment that chose the version, and which of its arms; ``kept`` says whether the turn may leave
    anything behind but its trail.
    """

    persona: PersonaVersion
    subject: SubjectRef
    policy: EffectivePolicy
    conversation: Conversation
    recall: Recall
    messages: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...]
    params: dict[str, Any]
    findings: tuple[Finding, ...]
    limits: ModeLimits
    stage: str | None
    situation: str
    redirect: Redirect | None
    arm: dict[str, str] | None
    kept: bool


def admitted(principal: Principal, request: ChatRequest) -> ChatRequest:
    """The request with the version that its ``persona_id`` may name in its own place. Raises BadRequest, and Forbidden
    for what the caller may not touch, before anything is read or counted."""
    persona_id, version = personas.parse_ref(request.persona_id)
    if version is not None:
        if request.persona_version not in (None, version):
            problem = FieldProblem("#/persona_version", "disagrees", f"must be {version} as in persona_id, or left out")
            raise BadRequest(f"persona_version {problem.message}.", problems=(problem,))
        request = replace(request, persona_id=persona_id, persona_version=version)
    principal.require_persona(persona_id)
    principal.require_subject(request.subject_id)
    principal.require_memory_scopes(request.memory_scopes or ())
    return request


async def ready(call: Call, request: ChatRequest, *, instead: tuple[str, ...] = (), keep: bool = True) -> Prepared:
    """All that the turn needs: what its question means, asked of the embedder, and one hop for the rest. Where the
    embedder is somebody else's server, it is asked between two hops, with what policy lets out. ``instead`` are the
    models that ``shadowing.planned`` found."""
    principal = call.principal
    keep = keep and request.rehearsal is None
    if not embeddings.is_elsewhere(principal.organization):
        meaning = await _meaning(principal, request.question)
        return await in_tenant(principal.ref, _at_once, call, request, instead, meaning=meaning, keep=keep)
    prepared = await in_tenant(principal.ref, prepare, call, request, instead, keep=keep)
    if prepared.redirect is not None:
        return prepared
    meaning = await _meaning(principal, question_of(prepared.messages))
    return await in_tenant(principal.ref, _remembering, prepared, request, principal, meaning)


async def _meaning(principal: Principal, question: str) -> Meaning | None:
    found = await embeddings.query(principal.organization, question)
    return Meaning(found.model_id, found.vector) if found is not None else None


def _at_once(
    call: Call, request: ChatRequest, instead: tuple[str, ...], *, meaning: Meaning | None, keep: bool
) -> Prepared:
    prepared = prepare(call, request, instead, keep=keep)
    return _remembering(prepared, request, call.principal, meaning) if prepared.redirect is None else prepared


def prepare(call: Call, request: ChatRequest, instead: tuple[str, ...], *, keep: bool) -> Prepared:
    """Persona (at its pinned version), policy, subject and conversation. Runs inside the organization's scope.
    With ``keep`` false everything is read and decided alike, and nothing is left behind. What overlays in shadow would
    decide is noted on a call that is kept, also of a turn that is refused.

    Raises NotFound for an unknown persona or conversation, Conflict for a pinned one, Forbidden where policy refuses;
    then nothing is left behind, not even a subject seen for the first time.
    """
    principal: Principal = call.principal
    with transaction.atomic():
        subject = subjects.ensure(request.subject_id, actor=principal.actor, request_id=call.request_id)
        begun_with, arm = _version(request)
        persona = request.rehearsal or personas.load(request.persona_id, begun_with)
        conversation = _conversation(request, subject, persona)
        if conversation.persona_version != persona.version:
            persona = personas.load(request.persona_id, conversation.persona_version)
        overlays = policies.overlays(
            teams=(*principal.grant.team_ids, *subject.team_ids),
            subject_id=subject.id,
            conversation_id=conversation.public_id,
        )
        limits = modes.limits(request.mode)
        stage = relationships.of(subject.pk, persona.persona_id).stage if limits.history else None
        behavior = speaking(persona.cartridge, stage=stage, mode=request.mode).behavior
        bound_with: dict[str, Any] = {
            "persona_do": behavior.do, "persona_dont": behavior.dont, "request": _requested(request, principal),
        }  # fmt: skip
        policy = merge(overlays, **bound_with)
        # Before anything refuses: what is kept of a refused turn is kept by its own policy too.
        call.body_days, call.body_mode = policy.retention.body_days, policy.redact_mode
        if keep:
            shadowing.turned(call, request, policy, overlays, bound_with, instead=instead)
        if request.model:
            policy.check_model(*(request.targets or (request.model,)))
        check_tools(request.tools, policy)
        shown, findings = guarded(request, policy)
        if not keep:
            transaction.set_rollback(True)
    redirect = safety.redirect(persona.cartridge, request.question)
    bound = keeping(persona.cartridge, do=policy.persona_do, dont=policy.persona_dont)
    if bound.behavior != persona.cartridge.behavior:
        persona = replace(persona, prompt=compile_persona(bound))
    return Prepared(
        persona,
        subject,
        policy,
        conversation,
        NOTHING_RECALLED,
        shown.messages,
        shown.tools,
        shown.params,
        findings,
        limits,
        stage,
        situation(bound, stage=stage, mode=request.mode),
        redirect,
        arm,
        keep,
    )


def _remembering(prepared: Prepared, request: ChatRequest, principal: Principal, meaning: Meaning | None) -> Prepared:
    """The same with what is remembered. After the transaction that prepared it: recall keeps and uses its cache only
    for what is committed."""
    query = RecallQuery(
        prepared.subject.pk,
        request.question,
        k=RECALLED,
        memory_scopes=prepared.limits.narrow_scopes(prepared.policy.memory_scopes),
        personas=(prepared.persona.persona_id,),
        visibilities=prepared.limits.visibilities,
        meaning=meaning,
        meaning_expected=embeddings.active_model(principal.organization) is not None,
    )
    ttl_s = catalogue.value(principal.organization, "cache-memory-ttl-seconds")
    return replace(prepared, recall=memory.recall(query, ttl_s=ttl_s))


def _version(request: ChatRequest) -> tuple[int | None, dict[str, str] | None]:
    """(the version asked for, or that an experiment gives this subject; the experiment's facts). What a conversation
    began with is kept by the conversation."""
    if any(given is not None for given in (request.persona_version, request.conversation_id, request.rehearsal)):
        return request.persona_version, None
    found = experiments.version_for(request.persona_id, request.subject_id)
    if found is None:
        return None, None
    experiment, arm = found
    return experiment.version(arm), {"id": experiment.public_id, "arm": arm.value}


def _conversation(request: ChatRequest, subject: SubjectRef, persona: PersonaVersion) -> Conversation:
    if request.conversation_id is None:
        return conversations.begin(
            subject_pk=subject.pk, persona_id=persona.persona_id, persona_version=persona.version
        )
    return conversations.take_up(
        request.conversation_id,
        subject_pk=subject.pk,
        persona_id=request.persona_id,
        persona_version=request.persona_version,
    )


def _requested(request: ChatRequest, principal: Principal) -> RequestedPolicy:
    return RequestedPolicy(
        redact_mode=request.redact_mode,
        memory_scopes=request.memory_scopes,
        key_memory_scopes=principal.grant.memory_scopes,
        max_output_tokens=request.max_tokens,
    )


def decided(call: Call, prepared: Prepared) -> None:
    """The lines of persona, policy and recall in the decision record: ids, values and scores, no content. Memories that
    were read are noted for the audit."""
    persona, recall = prepared.persona, prepared.recall
    call.decided(
        "persona",
        "ok",
        persona_id=persona.persona_id,
        version=persona.version,
        digest=persona.digest,
        relationship=prepared.stage,
        **({"experiment": prepared.arm} if prepared.arm is not None else {}),
    )
    call.decided("policy", "ok", values=prepared.policy.trace_json())
    if prepared.findings:
        call.decided("guardrails", "ok", direction="input", findings=[one.as_json() for one in prepared.findings])
    if (redirect := prepared.redirect) is not None:
        call.decided("safety", "redirected", rule=redirect.pointer, term=redirect.term)
        return
    recalled = [{"id": one.public_id, "score": round(one.score, 4)} for one in recall.memories]
    verdict = "degraded" if recall.degraded else "ok"
    call.decided("recall", verdict, memories=recalled, cache_hit=recall.cache_hit, version=recall.version)
    call.read("memory.recalled", prepared.subject.id, memories=[one["id"] for one in recalled])
