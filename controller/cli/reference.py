"""docs/settings.md and its Chinese twin, written from the settings themselves: `matlabctl settings --reference`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from controller.cli import reference_zh
from controller.fields import allowed_text, default_text
from controller.home_settings import ElsewhereSettings, GitSettings
from controller.profile_settings import PolicySettings, ProfileSettings, SessionCeilings, TotalCeilings
from controller.settings import Settings, environment_name
from controller.swarm_settings import NodeEngineSettings, VolumeSettings
from controller.webhook_settings import WebhookSettings

TABLES: dict[str, type[BaseModel]] = {
    "settings": Settings,
    "profile": ProfileSettings,
    "elsewhere": ElsewhereSettings,
    "git": GitSettings,
    "volume": VolumeSettings,
    "nodes": NodeEngineSettings,
    "policy": PolicySettings,
    "per_session": SessionCeilings,
    "total": TotalCeilings,
    "webhook": WebhookSettings,
}


def reference_page(language: Literal["en", "zh"]) -> str:
    page, cells = (reference_zh.PAGE, reference_zh.cells) if language == "zh" else (PAGE, _cells)
    return page.format(**{name: "\n".join(_rows(model, cells)) for name, model in TABLES.items()})


def _rows(model: type[BaseModel], cells: Callable[[FieldInfo], str]) -> Iterable[str]:
    for name, field in model.model_fields.items():
        variable = environment_name(name) if model is Settings else None
        called = f"`{name}`<br>`{variable}`" if variable else f"`{name}`"
        yield f"| {called} | {cells(field)} |"


def _cells(field: FieldInfo) -> str:
    return f"`{default_text(field)}` | {field.description} Allowed: {allowed_text(field)}."


PAGE = """\
# Settings

[中文](settings.zh-CN.md)

<!-- Written by `matlabctl settings --reference`; change controller/settings.py instead of this page. -->

What the operator of a machine decides. Who gets a session is not here: that is the desired state.

A setting is looked for in four places, and the later one wins:

1. the built-in default,
2. the file `controller.yaml` in the working folder, or the one that `--config` names (`controller.example.yaml` is a
   start),
3. the environment variable named below,
4. the flag: the setting's name with dashes, as in `--api-port 8081`.

`matlabctl settings` shows each value and where it came from. A name that is not known, in the file or as an `MCM_`
variable, is an error and not ignored: a misspelt `MCM_STATE_DIR` would start a second controller on the state of the
first. (Variables that start with `MCM_TEST_` are left to tests.) A relative path in the file starts at the file's
folder, any other at the working folder; `~` is the home folder. Sizes are bytes, or numbers with `k`, `m` or `g` as
Docker writes them (1024 each).

Two controllers run side by side on one machine when they differ in `instance`, `container_prefix`, `api_port`,
`desired_state`, `state_dir` and `data_root`, and their session ports do not overlap.

| setting | default | meaning |
|---|---|---|
{settings}

## Another home of the desired state

In place of a path, `desired_state` in `controller.yaml` may be a mapping with one of these:

| key | default | meaning |
|---|---|---|
{elsewhere}

`git` is a mapping of these; [gitops](gitops.md) tells how it works:

| key | default | meaning |
|---|---|---|
{git}

```yaml
desired_state:
  git: {{url: "ssh://git@git.example.org/lab.git", branch: main, path: wish.yaml, write: true}}
```

## A profile

Profiles say what sessions may be given. They are set in the file only. An entry may leave out any of these:

| key | default | meaning |
|---|---|---|
{profile}

```yaml
profiles:
  standard: {{cpus: 2, memory: 4g}}
  large:
    cpus: 4
    memory: 8g
    env: {{OMP_NUM_THREADS: "4"}}
```

## Data on the nodes of a swarm

`swarm_volume` is a mapping of these, set in the file only;
[more than one machine](scale.md#data-that-the-nodes-mount) tells how it works:

| key | default | meaning |
|---|---|---|
{volume}

```yaml
swarm_volume: {{type: nfs, options: "addr=10.0.0.9,rw,nfsvers=4.2,hard", device: ":/export/matlab"}}
```

## The engines of a swarm's nodes

`swarm_nodes` is a mapping of these, set in the file only;
[more than one machine](scale.md#asking-the-nodes-themselves) tells how to set them up:

| key | default | meaning |
|---|---|---|
{nodes}

## Policy

What profiles may offer, and how much all sessions together may come to. It is set in the file only. Left out, it allows
everything:

| key | default | meaning |
|---|---|---|
{policy}

`per_session` has any of these. With a profile that passes one, or whose image is not listed, the controller does not
start, and says so:

| key | default | meaning |
|---|---|---|
{per_session}

`total` has any of these. Each user whose session shall run counts, with the limits of the profile. A change of the
desired state that asks for more is refused, whoever makes it;
[the desired state](declared-state.md#what-the-operator-allows) tells how:

| key | default | meaning |
|---|---|---|
{total}

```yaml
policy:
  images: ["matlab-session:*", "registry.example.org/lab/matlab@sha256:*"]
  per_session: {{cpus: 8, memory: 16g, shm: 8g}}
  total: {{sessions: 40, cpus: 96, memory: 200g}}
```

## Webhooks

Where events are sent to as they happen. They are set in the file only, each under a name of its own;
[operations](operations.md#webhooks) tells what is sent, how it is signed, and what becomes of it when nobody takes it:

| key | default | meaning |
|---|---|---|
{webhook}

```yaml
webhooks:
  platform: {{url: "https://platform.example.org/mcm", secret_file: webhook-secret}}
  chat:
    url: https://hooks.example.org/services/T0/B0/x
    format: slack
    reasons: [ActionFailed, NotReady, OverQuota, Lost, Reached, Held, Refused]
```
"""
