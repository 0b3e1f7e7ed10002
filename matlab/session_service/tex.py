"""PURE. Octave's TeX in titles and labels → the HTML that Plotly knows."""

from __future__ import annotations

import re

SYMBOLS = {
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "delta": "δ",
    "epsilon": "ε",
    "zeta": "ζ",
    "eta": "η",
    "theta": "θ",
    "iota": "ι",
    "kappa": "κ",
    "lambda": "λ",
    "mu": "μ",
    "nu": "ν",
    "xi": "ξ",
    "pi": "π",
    "rho": "ρ",
    "sigma": "σ",
    "tau": "τ",
    "upsilon": "υ",
    "phi": "φ",
    "chi": "χ",
    "psi": "ψ",
    "omega": "ω",
    "Gamma": "Γ",
    "Delta": "Δ",
    "Theta": "Θ",
    "Lambda": "Λ",
    "Xi": "Ξ",
    "Pi": "Π",
    "Sigma": "Σ",
    "Phi": "Φ",
    "Psi": "Ψ",
    "Omega": "Ω",
    "infty": "∞",
    "pm": "±",
    "times": "×",
    "cdot": "·",
    "circ": "°",
    "leq": "≤",
    "geq": "≥",
    "neq": "≠",
    "approx": "≈",
    "int": "∫",
    "sum": "∑",
    "partial": "∂",
    "nabla": "∇",
    "rightarrow": "→",
    "leftarrow": "←",
    "in": "∈",
    "sqrt": "√",
}


def plain(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"\\(?:bf|it|rm|sl|fontname\{.*?\}|fontsize\{.*?\}|color\{.*?\})\s?", "", text)
    text = re.sub(r"\\([A-Za-z]+)", lambda m: SYMBOLS.get(m[1], m[0]), text)
    text = re.sub(r"\^(?:\{([^{}]*)\}|(\S))", lambda m: f"<sup>{m[1] or m[2] or ''}</sup>", text)
    text = re.sub(r"(?<!\\)_(?:\{([^{}]*)\}|(\S))", lambda m: f"<sub>{m[1] or m[2] or ''}</sub>", text)
    text = re.sub(r"(?<!\\)[{}]", "", text)
    return re.sub(r"\\([_^{}\\])", r"\1", text).replace("\n", "<br>")
