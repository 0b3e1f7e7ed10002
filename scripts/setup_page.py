"""The session's page: built from matlab/page into its folder dist/, which the session image takes in.

On this machine where it has Node and npm, in a container otherwise. What is built from the same sources already is left
as it is.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import ssl
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import docker
from docker.utils.build import create_archive
from setup_steps import ROOT, Step, follow_build, run

PAGE = ROOT / "matlab" / "page"
DIST = PAGE / "dist"
SOURCES = DIST / "built-from"
"""What the page was built from: in the folder itself, so that it goes with it."""

NOT_SOURCES = ("dist", "node_modules")
LEAST_NODE = 18
BUNDLES = ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""Where a host may say which authorities it trusts."""

STAGE = "matlab-session-page:build"
ADVICE = "the session's page cannot be built; mend what is complained of above."


def page_is_built() -> bool:
    return SOURCES.exists() and SOURCES.read_text() == hash_of_sources()


def provide_page(engine: docker.DockerClient, base: str, now: Step) -> None:
    """Build the page, unless it is there.

    Raises:
        SetupFailed: the build failed; with the end of its output.
    """
    if page_is_built():
        now.done("up to date")
        return
    shutil.rmtree(DIST, ignore_errors=True)
    if node := host_node():
        now.doing("fetching its parts with npm")
        # not `npm ci`: that of npm 11 wants addresses in the lock file, for parts made for other machines
        run(
            now,
            ["npm", "--prefix", PAGE, "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"],
            ADVICE,
        )
        now.doing("building it")
        run(now, ["npm", "--prefix", PAGE, "run", "build"], ADVICE)
        where = f"with this machine's Node {node}"
    else:
        build_in_container(engine, base, now)
        where = "in a container, as this machine has no Node and npm"
    SOURCES.write_text(hash_of_sources())
    now.done(f"built {where}")


def hash_of_sources() -> str:
    return hash_of(PAGE, sources())


def hash_of(folder: Path, files: Iterable[str]) -> str:
    """Of names, contents and the right to execute: what a build can see and git keeps."""
    known = hashlib.sha256()
    for name in files:
        path = folder / name
        known.update(f"{name} {os.access(path, os.X_OK)} ".encode())
        known.update(hashlib.sha256(path.read_bytes()).digest())
    return known.hexdigest()


def sources() -> list[str]:
    found = (path.relative_to(PAGE) for path in _walk(PAGE))
    return sorted(str(path) for path in found)


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if folder == PAGE and path.name in NOT_SOURCES:
            continue
        if path.is_dir():
            yield from _walk(path)
        else:
            yield path


def host_node() -> str | None:
    """Version of the Node here, if it is new enough and has npm."""
    if not (shutil.which("node") and shutil.which("npm")):
        return None
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
    version = re.fullmatch(r"v((\d+)\.\S+)\s*", said)
    return version[1] if version and int(version[2]) >= LEAST_NODE else None


def build_in_container(engine: docker.DockerClient, base: str, now: Step) -> None:
    """Build it in an image that is thrown away afterwards, and take the result out."""
    now.doing("building it in a container")
    printed: list[str] = []
    with tempfile.TemporaryFile() as context:
        create_archive(str(PAGE), files=sources(), fileobj=context, extra_files=[("host-ca.pem", trusted_here())])
        reports = engine.api.build(
            fileobj=context,
            custom_context=True,
            tag=STAGE,
            buildargs={"BASE": base},
            rm=True,
            forcerm=True,
            decode=True,
            use_config_proxy=True,
            timeout=1800,
        )
        for report in reports:
            follow_build(report, printed, now, ADVICE)
    container = engine.containers.create(STAGE, ["true"])
    try:
        pieces, _ = container.get_archive("/page/dist")
        with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
            archive.extractall(PAGE)  # noqa: S202  we have just made it
    finally:
        container.remove()
    engine.images.remove(STAGE)


def trusted_here() -> str:
    """The authorities that this host trusts, as PEM; empty if it does not say."""
    named = [os.environ.get(name) for name in BUNDLES]
    for path in (*named, ssl.get_default_verify_paths().cafile, "/etc/ssl/certs/ca-certificates.crt"):
        if path and Path(path).is_file():
            return Path(path).read_text()
    return ""
