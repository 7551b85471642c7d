"""`ipcluster-azure doctor`: checks all that a start needs."""

import json

from IPython.paths import get_ipython_dir
from traitlets import Bool

from ..clusters.doctor import FAILED, Examination
from ..clusters.profiles import profile_dir
from ..formatting import printable
from ..resource_manager.role import role_definition
from ..settings.numbers import BoundedInteger
from ..settings.values import MOST_ENGINES
from .subscription_options import SubscriptionCommand

DEFAULT_PROFILE = "azure"


class DoctorApp(SubscriptionCommand):
    """Check all that a start needs, and say what is missing."""

    name = "ipcluster-azure-doctor"
    description = """Check all that a start needs, and say what is missing.

    Prints a line for each of: versions, the profile and its settings, subscription, login, rights,
    VM sizes, quota and this computer's address. Creates nothing. With --role it prints instead the
    role that a user must have on Azure, for `az role definition create`.
    """
    examples = """
    ipcluster-azure doctor --profile=azure --n=32
    ipcluster-azure doctor --role --subscription-id=ID > role.json
    az role definition create --role-definition @role.json
    """
    n = BoundedInteger(
        1, min=1, max=MOST_ENGINES, config=True, help="How many engines the quota must allow."
    )
    role = Bool(False, config=True, help="Print the least-privilege role as JSON instead.")
    self_deletion = Bool(
        False, config=True, help="With --role: also what the setting self_deletion needs."
    )

    aliases = {**SubscriptionCommand.aliases, "n": "DoctorApp.n"}  # noqa: RUF012
    flags = {  # noqa: RUF012
        "role": ({"DoctorApp": {"role": True}}, "Print the least-privilege role as JSON instead."),
        "self-deletion": (
            {"DoctorApp": {"self_deletion": True}},
            "With --role: also what the setting self_deletion needs.",
        ),
    }

    def act(self) -> None:
        if self.role:
            subscription_id = self.places([])[0].subscription_id
            role = role_definition(subscription_id, self_deletion=self.self_deletion)
            print(json.dumps(role, indent=2))
            return
        profile = self.profile or DEFAULT_PROFILE
        folder = profile_dir(get_ipython_dir(), profile)
        failed = False
        for found in Examination(folder, self.profile_config(profile), self.n).findings():
            print(f"{found.state:8}{found.what}: {printable(found.text)}", flush=True)
            failed |= found.state == FAILED
        if failed:
            self.exit(1)
        print(f"Next: ipcluster start --profile={profile} -n {self.n}")
