"""What a TagoRUN has beside its users in the sandbox, asked by the official SDK: sign-on, domain, test mail, phones."""

import base64
from pathlib import Path

import pytest
from tagoio_sdk.modules.Resources.Notifications import Notifications

from lib.base.errors import Rejected
from lib.tagoio.transport import Client, PooledModule, PooledRun
from lib.tools.sandbox.server import Sandbox
from lib.tools.sandbox.state import load, save
from lib.tools.sandbox.store import Identity


class PooledOwn(PooledModule, Notifications):  # type: ignore[misc]  # the SDK carries no types
    """The SDK's `resources.notifications`, over the pool."""


@pytest.fixture
def run(sandbox: Sandbox) -> PooledRun:
    return PooledRun(Client(sandbox.api), sandbox.store.profile_token)


def test_single_sign_on_is_kept_and_given_back(run: PooledRun, sandbox: Sandbox) -> None:
    assert run.ssoSAMLInfo()["idp"] == {"issuer": ""}
    metadata = base64.b64encode(b'<EntityDescriptor entityID="https://idp.example.com"/>').decode()
    mapping = {"email": "mail", "firstName": "given"}
    done = run.ssoSAMLEdit({"idp_metadata": metadata, "mapping": mapping})
    assert done == "TagoIO Run SAML SSO Successfully Updated"
    found = run.ssoSAMLInfo()
    assert (found["idp"], found["mapping"]) == ({"issuer": "https://idp.example.com"}, mapping)
    assert found["sp"]["entity_id"].startswith(f"https://{sandbox.store.run_url}/")


def test_a_domain_waits_for_its_dns_until_it_is_removed(run: PooledRun, sandbox: Sandbox) -> None:
    profile = sandbox.store.profile_id
    with pytest.raises(Rejected, match="404 Custom Domain Not Found"):
        run.getCustomDomain(profile)
    wanted = {"domain": "example.com", "subdomain": "app", "email": "app.example.com"}
    assert run.createCustomDomain(profile, wanted) == "Custom domain created successfully"
    found = run.getCustomDomain(profile)
    assert {name: found[name] for name in wanted} == wanted
    assert found["active"] is False
    assert found["dns_page"]["type"] == "CNAME"
    assert run.regenerateCustomDomain(profile) == "Custom domain regenerated successfully"
    again = run.getCustomDomain(profile)
    assert again["dns_ssl"]["value"] != found["dns_ssl"]["value"]
    assert again["created_at"] == found["created_at"]
    assert run.deleteCustomDomain(profile) == "Custom domain deleted successfully"
    with pytest.raises(Rejected, match="404"):
        run.deleteCustomDomain(profile)
    with pytest.raises(Rejected, match="404 Profile Not Found"):
        run.createCustomDomain("0" * 24, wanted)
    with pytest.raises(Rejected, match="domain: Required"):
        run.createCustomDomain(profile, {"subdomain": "app"})


def test_a_test_mail_goes_to_the_owner(run: PooledRun) -> None:
    assert run.emailTest({"subject": "Test", "body": "Hello"}) == "E-mail sent to developer@example.com"
    with pytest.raises(Rejected, match="body: Required"):
        run.emailTest({"subject": "Test"})


def test_a_phone_is_registered_until_it_is_not(sandbox: Sandbox) -> None:
    own = PooledOwn(Client(sandbox.api), sandbox.store.profile_token)
    assert own.registerDevice("token-1", "android") == "Device successfully registered"
    assert sandbox.store.phones == {"token-1": "android"}
    assert own.unRegisterDevice("token-1") == "Device successfully unregistered"
    with pytest.raises(Rejected, match="404 Device Not Found"):
        own.unRegisterDevice("token-1")
    with pytest.raises(Rejected, match="device_token: Required"):
        own.registerDevice("", "ios")


def test_it_is_there_after_the_next_start(run: PooledRun, sandbox: Sandbox, tmp_path: Path) -> None:
    run.createCustomDomain(sandbox.store.profile_id, {"domain": "example.com"})
    save(sandbox.store, tmp_path / "state.json")
    kept = load(tmp_path / "state.json")
    assert kept is not None
    assert kept.run_site == sandbox.store.run_site


def test_an_analysis_may_do_none_of_it(peopled: Sandbox) -> None:
    (analysis,) = peopled.store.analyses.values()
    run = PooledRun(Client(peopled.api), peopled.store.token_for(Identity("analysis", analysis["id"])))
    for call in (run.ssoSAMLInfo, lambda: run.getCustomDomain(peopled.store.profile_id), lambda: run.emailTest({})):
        with pytest.raises(Rejected, match="Authorization Denied"):
            call()
