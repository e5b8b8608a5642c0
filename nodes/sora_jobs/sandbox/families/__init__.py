"""The families that the sandbox can speak as, by name."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ...errors import InvalidInputError
from .base import Family
from .litellm import LiteLLM
from .local_servers import SGLang, VLLMOmni
from .relays import NewApi, Seedance

VARIABLE = "SORA_SANDBOX_SPEAK"
FAMILIES: dict[str, Family] = {
    family.name: family for family in (Family(), NewApi(), LiteLLM(), SGLang(), VLLMOmni(), Seedance())
}


def find_family(name: str | None = None, env: Mapping[str, str] = os.environ) -> Family:
    """The family of that name; without one, that of SORA_SANDBOX_SPEAK, else openai. InvalidInputError lists all."""
    where = "" if name else f"{VARIABLE}: "
    asked = name or env.get(VARIABLE, "").strip() or Family.name
    if asked not in FAMILIES:
        message = f"{where}the sandbox does not speak {asked!r}."
        raise InvalidInputError(message, hint=f"It speaks: {', '.join(FAMILIES)}.", code="unknown_option")
    return FAMILIES[asked]
