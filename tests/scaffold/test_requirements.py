from __future__ import annotations

from include.datasets.nyc_flights.declaration import DATASET
from include.scaffold.requirements import lock_without, without
from include.settings import REPOSITORY

LOCK = """\
alpha==1.0 ; python_full_version >= '3.12' \\
    --hash=sha256:aaaa \\
    --hash=sha256:bbbb
    # via -r requirements.in
beta[extra]==2.0
    # via
    #   alpha
    #   gamma
delta==3.0 \\
    --hash=sha256:cccc
    # via beta
epsilon_zeta==4.0
    # via
    #   alpha
    #   beta
    #   gamma
gamma==5.0
    # via -r requirements.in
"""


def test_what_only_a_package_needed_goes_with_it() -> None:
    assert lock_without(LOCK, ["gamma"]) == LOCK[: LOCK.index("gamma==")].replace(
        "    # via\n    #   alpha\n    #   gamma\n", "    # via alpha\n"
    ).replace("    #   beta\n    #   gamma\n", "    #   beta\n")
    left = lock_without(LOCK, ["Alpha", "gamma"])
    assert left == "", "nothing else was asked for by name"
    assert "--hash=sha256:aaaa" not in lock_without(LOCK, ["alpha"])
    assert "--hash=sha256:cccc" in lock_without(LOCK, ["alpha"])


def test_the_sample_s_package_leaves_the_real_requirements() -> None:
    wanted = (REPOSITORY / "requirements.in").read_text(encoding="utf-8")
    lock = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8")
    assert lock_without(lock, []) == lock and without(wanted, []) == wanted
    (package,) = DATASET.packages
    lines = without(wanted, [package]).splitlines()
    assert len(lines) == len(wanted.splitlines()) - 1
    assert package not in lock_without(lock, [package])
    assert lock_without(lock, [package]).count("==") == lock.count("==") - 1
