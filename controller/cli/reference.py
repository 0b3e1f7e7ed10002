"""docs/settings.md, written from the settings themselves: `matlabctl settings --reference > docs/settings.md`."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel

from controller.fields import allowed_text, default_text
from controller.settings import (
    ElsewhereSettings,
    GitSettings,
    PolicySettings,
    ProfileSettings,
    SessionCeilings,
    Settings,
    TotalCeilings,
    environment_name,
)
from controller.webhook_settings import WebhookSettings


def reference_page() -> str:
    return PAGE.format(
        settings="\n".join(_rows(Settings)),
        profile="\n".join(_rows(ProfileSettings)),
        elsewhere="\n".join(_rows(ElsewhereSettings)),
        git="\n".join(_rows(GitSettings)),
        policy="\n".join(_rows(PolicySettings)),
        per_session="\n".join(_rows(SessionCeilings)),
        total="\n".join(_rows(TotalCeilings)),
        webhook="\n".join(_rows(WebhookSettings)),
    )


def _rows(model: type[BaseModel]) -> Iterable[str]:
    for name, field in model.model_fields.items():
        variable = environment_name(name) if model is Settings else None
        called = f"`{name}`<br>`{variable}`" if variable else f"`{name}`"
        yield f"| {called} | `{default_text(field)}` | {field.description} Allowed: {allowed_text(field)}. |"


PAGE = """\
# Settings

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

`git` is a mapping of these; docs/gitops.md tells how it works:

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
desired state that asks for more is refused, whoever makes it; docs/declared-state.md tells how:

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
docs/operations.md tells what is sent, how it is signed, and what becomes of it when nobody takes it:

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
