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
from controller.model import Action, Create, Move, Remove, Rename, Restart, Start, Stop, Target, Unpause, Update


class Executor:
    def __init__(self, engine: Engine, access: Access, data_elsewhere: bool = False) -> None:
        """`data_elsewhere`: as a `Site` has it."""
        self._engine = engine
        self._access = access
        self._data_elsewhere = data_elsewhere

    async def require_folder(self, want: Target) -> None:
        """Raises DataFolderUnusable: this user's is not there, or is no folder."""
        look = datafolder.there if self._data_elsewhere else datafolder.require
        await asyncio.to_thread(look, Path(want.spec.data_folder))

    async def execute(self, action: Action, want: Target | None) -> str:
        """Returns the id of what was made; empty where nothing was.

        Raises: any EngineError, as the engine's method says.
        """
        if want is not None and isinstance(action, Start | Restart | Move):
            await self.require_folder(want)
        match action:
            case Create(spec):
                await asyncio.to_thread(datafolder.prepare, Path(spec.data_folder), spec.run_as)
                return await self._engine.create(replace(spec, token_check=self._access.check(secrets.token_hex(16))))
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
            case Move(container_id):
                await self._engine.move(container_id)
            case Unpause(container_id):
                await self._engine.unpause(container_id)
            case Rename(container_id, name):
                await self._engine.rename(container_id, name)
            case _:
                assert_never(action)
        return ""
