"""Scripts that a real `mpiexec` runs; for tests after `pytest.importorskip("mpi4py")`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from support import ROOT

MPIEXEC = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")


def mpiexec(ranks, script, *arguments, timeout=120):
    """Run a script on ``ranks`` ranks of this machine, even if there are more ranks than cores, and without a
    network."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    # Otherwise Open MPI refuses root, and more ranks than cores.
    env |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    env |= {"PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe", "OMPI_MCA_rmaps_base_oversubscribe": "1"}
    command = [MPIEXEC, "-n", str(ranks), sys.executable, "-m", "mpi4py", str(script), *map(str, arguments)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=timeout)
