"""Mail domains: claimed, proved through a real name server, given up; each belongs to one organization at most."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from tenants.sso.models import DomainRow
from tests.sso.nameserver import NameServer
from tests.sso.support import Company


def claim(company: Company, domain: str) -> dict[str, Any]:
    answer = company.call("POST", "/v1/sso/domains", {"domain": domain})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def verify(company: Company, domain: dict[str, Any]) -> Any:
    return company.call("POST", f"/v1/sso/domains/{domain['id']}/verify")


def new_domain() -> str:
    return f"{secrets.token_hex(4)}.example"


def test_domain__with_its_record__is_verified_and_listed(acme: Company, globex: Company, names: NameServer) -> None:
    name = new_domain()
    domain = claim(acme, f" {name.upper()}. ")
    assert (domain["domain"], domain["state"]) == (name, "pending")
    assert domain["record"]["name"] == f"_ikiro-challenge.{name}"
    names.texts[domain["record"]["name"]] = ["v=spf1 -all", domain["record"]["value"]]
    answer = verify(acme, domain)
    assert (answer.status_code, answer.json()["state"]) == (200, "verified"), answer.text
    assert names.asked == [domain["record"]["name"]]
    assert name in [one["domain"] for one in acme.call("GET", "/v1/sso/domains").json()["data"]]
    assert name not in [one["domain"] for one in globex.call("GET", "/v1/sso/domains").json()["data"]]
    assert {"domain.added", "domain.verified"} <= set(acme.audit())
    assert verify(globex, domain).json()["code"] == "domain_not_found"


def test_domain__without_or_with_another_record__stays_pending(
    acme: Company, globex: Company, names: NameServer
) -> None:
    domain = claim(acme, new_domain())
    missing = verify(acme, domain)
    assert (missing.status_code, missing.json()["code"]) == (409, "domain_record_missing")
    names.texts[domain["record"]["name"]] = ["ikiro-verify=of-somebody-else"]
    wrong = verify(acme, domain)
    assert (wrong.status_code, wrong.json()["code"]) == (409, "domain_record_wrong")
    assert wrong.json()["found"] == ["ikiro-verify=of-somebody-else"]
    assert DomainRow.objects.get(domain=domain["domain"]).verified_at is None
    assert not DomainRow.objects.filter(domain=domain["domain"], organization_id=globex.ref.id).exists()


@pytest.mark.parametrize("fault", ["servfail", "silent"])
def test_name_server__that_gives_no_answer__is_503_and_decides_nothing(
    acme: Company, globex: Company, names: NameServer, fault: str
) -> None:
    domain = claim(acme, new_domain())
    names.fault = fault
    answer = verify(acme, domain)
    assert (answer.status_code, answer.json()["code"]) == (503, "dns_unavailable")
    assert "retry-after" in answer.headers
    assert DomainRow.objects.get(domain=domain["domain"]).verified_at is None
    assert not DomainRow.objects.filter(domain=domain["domain"], organization_id=globex.ref.id).exists()


def test_domain__of_two_claims__belongs_to_who_proves_it_first(
    acme: Company, globex: Company, names: NameServer
) -> None:
    name = new_domain()
    mine, theirs = claim(acme, name), claim(globex, name)
    assert mine["record"]["value"] != theirs["record"]["value"]
    names.texts[mine["record"]["name"]] = [mine["record"]["value"], theirs["record"]["value"]]
    assert verify(acme, mine).status_code == 200
    late = verify(globex, theirs)
    assert (late.status_code, late.json()["code"]) == (409, "domain_taken")
    assert globex.call("DELETE", f"/v1/sso/domains/{theirs['id']}").status_code == 204
    again = globex.call("POST", "/v1/sso/domains", {"domain": name})
    assert (again.status_code, again.json()["code"]) == (409, "domain_taken")
    assert acme.call("DELETE", f"/v1/sso/domains/{mine['id']}").status_code == 204
    assert claim(globex, name)["state"] == "pending"
    assert "domain.removed" in acme.audit()


@pytest.mark.parametrize(
    ("domain", "code"),
    [
        ("gmail.com", "public_mail_domain"),
        ("Outlook.COM.", "public_mail_domain"),
        ("acme", "invalid_domain"),
        ("127.0.0.1", "invalid_domain"),
        ("acme .example", "invalid_domain"),
        ("-a.example", "invalid_domain"),
        ("a@acme.example", "invalid_domain"),
        ("x" * 250 + ".example", "invalid_domain"),
        ("\ud83d\ude00.example"[1:], "invalid_domain"),
    ],
)
def test_domain__that_nobody_can_claim__is_refused(acme: Company, globex: Company, domain: str, code: str) -> None:
    before = DomainRow.objects.count()
    text = domain.encode("utf-8", "replace").decode()
    answer = acme.call("POST", "/v1/sso/domains", {"domain": text})
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["errors"][0]["pointer"] == "#/domain"
    assert DomainRow.objects.count() == before
    assert DomainRow.objects.filter(organization_id=globex.ref.id).count() >= 1


def test_domain__claimed_twice__is_there_once(acme: Company, globex: Company) -> None:
    name = new_domain()
    claim(acme, name)
    again = acme.call("POST", "/v1/sso/domains", {"domain": name})
    assert (again.status_code, again.json()["code"]) == (409, "domain_exists")
    assert DomainRow.objects.filter(domain=name).count() == 1
    assert claim(globex, name)["state"] == "pending"
