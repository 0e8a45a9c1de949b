"""Puts `deploy/` into the wheel as data of the package; everything else is in `pyproject.toml`."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

DEPLOY = Path("deploy")


class WithDeployments(build_py):
    """Copies `deploy/` to `cpazmal_scale/deploy/`; an editable install reads the checkout's."""

    def run(self) -> None:
        """Build the packages, then copy."""
        super().run()
        if not self.editable_mode:
            shutil.copytree(DEPLOY, self._deployed(), dirs_exist_ok=True)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """All files of the wheel."""
        files = (path.relative_to(DEPLOY) for path in DEPLOY.rglob("*") if path.is_file())
        return super().get_outputs(include_bytecode) + [str(self._deployed() / f) for f in files]

    def _deployed(self) -> Path:
        return Path(self.build_lib) / "cpazmal_scale" / "deploy"


setup(cmdclass={"build_py": WithDeployments})
