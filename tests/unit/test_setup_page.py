"""What `make run` builds the pages in, where the machine has no Node, is thrown away."""

from __future__ import annotations

import importlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker
import pytest

from tests.rig import ROOT


class _Engine:
    """Keeps images as Docker does: a tag that is given anew leaves the image that had it behind."""

    def __init__(self, fails: Callable[[int], bool]) -> None:
        self.left: dict[int, str] = {}
        self._fails = fails
        self.api = SimpleNamespace(build=self._build)
        self.images = SimpleNamespace(remove=self._remove)
        self.containers = SimpleNamespace(create=self._create)
        self._builds = 0

    def _build(self, *, tag: str, **_: Any) -> list[dict[str, str]]:
        self._builds += 1
        if self._fails(self._builds):
            return [{"error": "npm has failed"}]
        self.left = {image: "" if had == tag else had for image, had in self.left.items()} | {self._builds: tag}
        return []

    def _remove(self, tag: str) -> None:
        if tag not in self.left.values():
            raise docker.errors.ImageNotFound(tag)
        self.left = {image: had for image, had in self.left.items() if had != tag}

    def _create(self, tag: str, _: list[str]) -> Any:
        assert tag in self.left.values()
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            folder = tarfile.TarInfo("dist")
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(folder)
        return SimpleNamespace(get_archive=lambda _: ([packed.getvalue()], {}), remove=lambda: None)


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_no_page_that_was_built_leaves_its_image_whatever_became_of_the_other(
    failing: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    setup_page: Any = importlib.import_module("setup_page")
    setup_steps: Any = importlib.import_module("setup_steps")
    pages = [tmp_path / "matlab" / "page", tmp_path / "controller" / "web"]
    for page, name in zip(pages, ("SESSION_PAGE", "DASHBOARD"), strict=True):
        page.mkdir(parents=True)
        (page / "package.json").write_text("{}")
        monkeypatch.setattr(setup_page, name, page)
    monkeypatch.setattr(setup_page, "ROOT", tmp_path)
    monkeypatch.setattr(setup_page, "host_node", lambda: None)
    engine, step = _Engine(lambda build: build == failing), setup_steps.Step("Pages")
    if failing:
        with pytest.raises(setup_steps.SetupFailed):
            setup_page.provide_pages(engine, "debian", step)
    else:
        setup_page.provide_pages(engine, "debian", step)
    assert engine.left == {}
    assert [setup_page.is_built(page) for page in pages] == [failing != 1, failing == 0]
