"""One action becomes one engine call. It decides nothing: what to do is the planner's, whether to go on the loop's."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from pathlib import Path
from typing import assert_never

from controller import datafolder
from controller.access import Access
from controller.engine import Engine
from controller.model import Action, Create, Remove, Rename, Restart, Start, Stop, Target, Unpause, Update


class Executor:
    def __init__(self, engine: Engine, access: Access) -> None:
        self._engine = engine
        self._access = access

    async def execute(self, action: Action, want: Target | None) -> None:
        """Raises: any EngineError, as the engine's method says."""
        if want is not None and isinstance(action, Start | Restart):
            await asyncio.to_thread(datafolder.there, Path(want.spec.data_folder))
        match action:
            case Create(spec):
                await asyncio.to_thread(datafolder.prepare, Path(spec.data_folder), spec.run_as)
                await self._engine.create(replace(spec, token_check=self._access.check(secrets.token_hex(16))))
            case Start(container_id):
                await self._engine.start(container_id)
            case Stop(container_id):
                await self._engine.stop(container_id)
            case Remove(container_id):
                await self._engine.remove(container_id)
            case Update(container_id, limits):
                await self._engine.update(container_id, limits)
            case Restart(container_id):
                await self._engine.restart(container_id)
            case Unpause(container_id):
                await self._engine.unpause(container_id)
            case Rename(container_id, name):
                await self._engine.rename(container_id, name)
            case _:
                assert_never(action)
