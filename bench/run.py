"""All that one run has measured, to a file and back."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Self

from bench.beside import Beside
from bench.figure import Figure
from bench.growth import Curve


@dataclass
class Run:
    machine: str
    began: str
    minutes: float = 0.0
    figures: dict[str, list[Figure]] = field(default_factory=dict)
    """By part."""
    curves: list[Curve] = field(default_factory=list)
    beside: list[Beside] = field(default_factory=list)

    def text(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def read(cls, text: str) -> Self:
        said = json.loads(text)
        figures = {part: [Figure(**each) for each in of_part] for part, of_part in said.pop("figures").items()}
        curves = [Curve(**each) for each in said.pop("curves")]
        return cls(figures=figures, curves=curves, beside=[Beside(**each) for each in said.pop("beside")], **said)

    def ratios(self) -> dict[str, float]:
        """By what they are of."""
        every = [each for figures in self.figures.values() for each in figures]
        return {f"{each.name} ÷ {each.against}": each.ratio for each in every if each.ratio is not None}
