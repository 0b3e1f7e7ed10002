"""The two pages: each built into the folder dist/ beside its sources, the session's for the session image to take in.

On this machine where it has Node and npm, in a container otherwise. What is built from the same sources already is left
as it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import shutil
import ssl
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

import docker
from docker.utils.build import create_archive
from setup_steps import ROOT, Step, build_image, run

SESSION_PAGE = ROOT / "matlab" / "page"
DASHBOARD = ROOT / "controller" / "web"
BUILT_FROM = Path("dist", "built-from")
"""In a page's folder: what it was built from, so that it goes with it."""

NOT_SOURCES = ("dist", "node_modules")
LEAST_NODE = 18
BUNDLES = ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""Where a host may say which authorities it trusts."""

DOCKERFILE = ROOT / "scripts" / "page.Dockerfile"
ADVICE = "a page cannot be built; mend what is complained of above."


def is_built(page: Path) -> bool:
    stamp = page / BUILT_FROM
    return stamp.exists() and stamp.read_text() == hash_of_sources(page)


def provide_pages(engine: docker.DockerClient, base: str, now: Step) -> None:
    """Build the pages that are not there.

    Raises:
        SetupFailed: a build failed; with the end of its output.
    """
    missing = [page for page in (SESSION_PAGE, DASHBOARD) if not is_built(page)]
    if not missing:
        now.done("up to date")
        return
    node = host_node()
    try:
        for page in missing:
            shutil.rmtree(page / "dist", ignore_errors=True)
            if node:
                build_here(page, now)
            else:
                build_in_container(engine, base, page, now)
            (page / BUILT_FROM).write_text(hash_of_sources(page))
    finally:  # and no sooner, for they have their first layers in common
        if not node:
            for page in missing:
                with contextlib.suppress(docker.errors.ImageNotFound):  # its build failed
                    engine.images.remove(stage(page))
    where = f"with this machine's Node {node}" if node else "in a container, as this machine has no Node and npm"
    now.done(f"built {' and '.join(told(page) for page in missing)} {where}")


def stage(page: Path) -> str:
    """The image that a page is built in: each has a tag of its own, or the second would leave the first without any."""
    return f"matlab-page:{page.parent.name}"


def told(page: Path) -> str:
    return str(page.relative_to(ROOT))


def hash_of_sources(page: Path) -> str:
    return hash_of(page, sources(page))


def hash_of(folder: Path, files: Iterable[str]) -> str:
    """Of names, contents and the right to execute: what a build can see and git keeps."""
    known = hashlib.sha256()
    for name in files:
        path = folder / name
        known.update(f"{name} {os.access(path, os.X_OK)} ".encode())
        known.update(hashlib.sha256(path.read_bytes()).digest())
    return known.hexdigest()


def sources(page: Path) -> list[str]:
    files = (path.relative_to(page) for path in page.rglob("*") if path.is_file())
    return sorted(str(path) for path in files if path.parts[0] not in NOT_SOURCES)


def host_node() -> str | None:
    """Version of the Node here, if it is new enough and has npm."""
    if not (shutil.which("node") and shutil.which("npm")):
        return None
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
    version = re.fullmatch(r"v((\d+)\.\S+)\s*", said)
    return version[1] if version and int(version[2]) >= LEAST_NODE else None


def build_here(page: Path, now: Step) -> None:
    now.doing(f"fetching the parts of {told(page)} with npm")
    # not `npm ci`: that of npm 11 wants addresses in the lock file, for parts made for other machines
    run(
        now,
        ["npm", "--prefix", page, "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"],
        ADVICE,
    )
    now.doing(f"building {told(page)}")
    run(now, ["npm", "--prefix", page, "run", "build"], ADVICE)


def build_in_container(engine: docker.DockerClient, base: str, page: Path, now: Step) -> None:
    """Build it in an image that is thrown away afterwards, and take the result out."""
    now.doing(f"building {told(page)} in a container")
    more = [("host-ca.pem", trusted_here()), ("Dockerfile", DOCKERFILE.read_text())]
    with tempfile.TemporaryFile() as context:
        create_archive(str(page), files=sources(page), fileobj=context, extra_files=more)
        build_image(engine, now, context, stage(page), ADVICE, buildargs={"BASE": base})
    container = engine.containers.create(stage(page), ["true"])
    try:
        pieces, _ = container.get_archive("/page/dist")
        with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
            archive.extractall(page)  # noqa: S202  we have just made it
    finally:
        container.remove()


def trusted_here() -> str:
    """The authorities that this host trusts, as PEM; empty if it does not say."""
    named = [os.environ.get(name) for name in BUNDLES]
    for path in (*named, ssl.get_default_verify_paths().cafile, "/etc/ssl/certs/ca-certificates.crt"):
        if path and Path(path).is_file():
            return Path(path).read_text()
    return ""
