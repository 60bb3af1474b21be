"""The `/v1` API: every router, behind the spine, with errors in each surface's dialect and one OpenAPI document."""

from __future__ import annotations

from gateway.governance.policies.api import router as policies_router
from gateway.governance.proposals.api import router as proposals_router
from gateway.knowledge.personas.api import router as personas_router
from gateway.platform.audit.api import router as audit_router
from gateway.platform.events.api import router as events_router
from gateway.platform.operations.api import router as operations_router
from gateway.platform.receipts.api import router as receipts_router
from gateway.surfaces import problems
from gateway.surfaces.anthropic.messages import router as messages_router
from gateway.surfaces.openai.completions import router as completions_router
from gateway.surfaces.openai.embeddings import router as embeddings_router
from gateway.surfaces.openai.responses import router as responses_router
from gateway.surfaces.parsing import StrictParser
from gateway.surfaces.spine import API_VERSION, spine
from gateway.surfaces.v1.about import router as about_router
from gateway.surfaces.v1.aliases import router as aliases_router
from gateway.surfaces.v1.billing import router as billing_router
from gateway.surfaces.v1.boundaries import router as boundaries_router
from gateway.surfaces.v1.chat import router as chat_router
from gateway.surfaces.v1.consents import router as consents_router
from gateway.surfaces.v1.consistency import router as consistency_router
from gateway.surfaces.v1.conversations import router as conversations_router
from gateway.surfaces.v1.document import Api
from gateway.surfaces.v1.documents import router as documents_router
from gateway.surfaces.v1.embedding_settings import router as embedding_settings_router
from gateway.surfaces.v1.experiments import router as experiments_router
from gateway.surfaces.v1.explain import router as explain_router
from gateway.surfaces.v1.flags import router as flags_router
from gateway.surfaces.v1.invitations import router as invitations_router
from gateway.surfaces.v1.key_checks import router as key_checks_router
from gateway.surfaces.v1.keys import router as keys_router
from gateway.surfaces.v1.limits import router as limits_router
from gateway.surfaces.v1.members import router as members_router
from gateway.surfaces.v1.memories import router as memories_router
from gateway.surfaces.v1.memories_one import router as memories_one_router
from gateway.surfaces.v1.memories_tidy import router as memories_tidy_router
from gateway.surfaces.v1.models_list import router as models_router
from gateway.surfaces.v1.onboarding import router as onboarding_router
from gateway.surfaces.v1.organization_settings import router as organization_settings_router
from gateway.surfaces.v1.organizations import router as organizations_router
from gateway.surfaces.v1.organizations_closing import router as organizations_closing_router
from gateway.surfaces.v1.people import router as people_router
from gateway.surfaces.v1.policies import router as effective_policies_router
from gateway.surfaces.v1.precompose import router as precompose_router
from gateway.surfaces.v1.prices import router as prices_router
from gateway.surfaces.v1.proposal_rules import router as proposal_rules_router
from gateway.surfaces.v1.proposals import router as more_proposals_router
from gateway.surfaces.v1.providers import router as providers_router
from gateway.surfaces.v1.receipts import router as receipt_keys_router
from gateway.surfaces.v1.reconciliation import router as reconciliation_router
from gateway.surfaces.v1.relationships import router as relationships_router
from gateway.surfaces.v1.request_stream import router as request_stream_router
from gateway.surfaces.v1.requests import router as requests_router
from gateway.surfaces.v1.requests_bodies import router as requests_bodies_router
from gateway.surfaces.v1.requests_tail import router as requests_tail_router
from gateway.surfaces.v1.sso import router as sso_router
from gateway.surfaces.v1.sso_domains import router as sso_domains_router
from gateway.surfaces.v1.sso_signin import router as sso_signin_router
from gateway.surfaces.v1.subject_export import router as subject_export_router
from gateway.surfaces.v1.subjects import router as subjects_router
from gateway.surfaces.v1.teams import router as teams_router
from gateway.surfaces.v1.tokens import router as tokens_router
from gateway.surfaces.v1.usage import router as usage_router
from gateway.surfaces.v1.what_if import router as what_if_router
from gateway.surfaces.v1.write_targets import router as write_targets_router

api = Api(
    title="Ikiro Gateway",
    version=API_VERSION,
    urls_namespace="v1",
    docs_url=None,  # its page loads from a CDN; the document itself is at /v1/openapi.json
    description="Personas that stay in character, remember their people, obey policy and ask before they act.",
    parser=StrictParser(),
)
api.add_decorator(spine("v1"), mode="view")
problems.install(api)
for router in (
    chat_router,
    completions_router,
    responses_router,
    embeddings_router,
    embedding_settings_router,
    messages_router,
    memories_router,
    memories_tidy_router,  # before the single memory: no id is called tidy-reports
    memories_one_router,
    consents_router,
    boundaries_router,
    documents_router,
    relationships_router,
    conversations_router,
    personas_router,
    experiments_router,
    consistency_router,
    policies_router,
    effective_policies_router,
    what_if_router,
    teams_router,
    more_proposals_router,  # before the proposals: no id is called decide
    proposals_router,
    proposal_rules_router,
    write_targets_router,
    requests_tail_router,  # before the requests: no id is called tail
    requests_router,
    requests_bodies_router,
    explain_router,
    precompose_router,
    request_stream_router,
    operations_router,
    audit_router,
    receipt_keys_router,  # before the receipts: none is called keys
    receipts_router,
    events_router,
    key_checks_router,  # before the keys: none may be called self
    keys_router,
    tokens_router,
    people_router,
    organizations_router,
    organization_settings_router,
    organizations_closing_router,
    members_router,
    invitations_router,
    onboarding_router,
    providers_router,
    aliases_router,  # before the models: one may not be called aliases
    models_router,
    sso_router,
    sso_domains_router,
    sso_signin_router,
    flags_router,
    limits_router,
    usage_router,
    billing_router,
    prices_router,
    reconciliation_router,
    about_router,
    subject_export_router,
    subjects_router,
):
    api.add_router("", router)
