"""Programs that are published as Python packages, installed into the cache instead of the venv.

The Go toolchain and redis-server are tools of the test bed, not libraries of the project: in the
venv they would have to be locked and resolved for every user, on every platform. Here they are
fetched only on a machine that lacks them, by whichever installer the machine has.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from testbed.paths import cache_directory


def install_from_pypi(requirement: str, *, needs: str) -> Path | None:
    """Install one pinned requirement without its dependencies; return the file `needs` inside it.

    None means that no installer is present, that it failed, or that the package has no such file
    on this platform: the caller has another way, or says what is missing. A finished directory
    appears by rename, so a killed install is never mistaken for one; when two callers race, the
    loser's rename fails and it uses the winner's.
    """
    home = cache_directory() / "pypi" / f"{requirement}-py{sys.version_info[0]}.{sys.version_info[1]}"
    if not home.is_dir():
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent, prefix="install-") as scratch:
            target = Path(scratch) / "site"
            if not _install(requirement, target):
                return None
            try:
                target.rename(home)
            except OSError:
                if not home.is_dir():
                    raise
    found = home / needs
    return found if found.is_file() else None


def _install(requirement: str, target: Path) -> bool:
    options = ["--quiet", "--no-deps", "--target", str(target), requirement]
    if uv := shutil.which("uv"):
        command = [uv, "pip", "install", "--python", sys.executable, *options]
    else:
        command = [sys.executable, "-m", "pip", "install", *options]
    return subprocess.run(command, check=False).returncode == 0
