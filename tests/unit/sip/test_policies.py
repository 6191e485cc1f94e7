from __future__ import annotations

from sipcc.sip.admission import Admitted
from sipcc.sip.policies import Policies
from sipcc.sip.settings import SipSettings, TrunkSettings


def test_everybody_gets_what_sip_says() -> None:
    policies = Policies(SipSettings(reliable="supported", session_timer="required", session_expires=600))
    for who in (None, Admitted(), Admitted(user="1001"), Admitted(trunk=TrunkSettings(name="x")), object()):
        policy = policies.of(who)
        assert policy.reliable == "supported"
        assert (policy.timer.mode, policy.timer.interval) == ("required", 600)


def test_a_trunk_may_differ_in_either() -> None:
    policies = Policies(SipSettings(reliable="off", session_timer="supported", min_se=120))
    one = policies.of_trunk(TrunkSettings(name="one", reliable="required"))
    assert (one.reliable, one.timer.mode, one.timer.least) == ("required", "supported", 120)
    two = policies.of_trunk(TrunkSettings(name="two", session_timer="off"))
    assert (two.reliable, two.timer.mode) == ("off", "off")
    assert policies.of(Admitted(trunk=TrunkSettings(name="two", session_timer="off"))) is two
