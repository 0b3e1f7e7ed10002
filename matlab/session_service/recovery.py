"""PURE. What is to be done after an interpreter ended: how long to wait, and whether to trust the user's startup.m."""

from __future__ import annotations

from dataclasses import dataclass

QUICK_DEATH_SECONDS = 10.0
FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Recovery:
    """How the next interpreter is to be started."""

    safe_mode: bool = False
    """Without the user's own startup.m: the interpreter died in it."""
    quick_deaths: int = 0
    """Deaths in a row soon after the start."""

    @property
    def delay(self) -> float:
        """Seconds to wait before the next start. One death is healed at once; a series of them is not."""
        if self.quick_deaths < 2:
            return 0.0
        return float(min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** (self.quick_deaths - 2)))

    def after_death(self, *, lived: float, in_user_startup: bool) -> Recovery:
        """`lived`: seconds from its start to its end. Only a restart that somebody asks for leaves safe mode again."""
        quick = lived < QUICK_DEATH_SECONDS
        return Recovery(self.safe_mode or in_user_startup, self.quick_deaths + 1 if quick else 0)
