"""The families that the sandbox can speak as, by name."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ...errors import InvalidInputError
from ...util.renamed import read_variable
from .base import Family
from .litellm import LiteLLM
from .local_servers import SGLang, VLLMOmni
from .relays import NewApi, Seedance

VARIABLE = "SORA_SANDBOX_DIALECT"
FAMILIES: dict[str, Family] = {
    family.name: family for family in (Family(), NewApi(), LiteLLM(), SGLang(), VLLMOmni(), Seedance())
}


def find_family(name: str | None = None, env: Mapping[str, str] = os.environ) -> Family:
    """The family of that name; of none: the one that SORA_SANDBOX_DIALECT names, else openai. InvalidInputError
    lists all."""
    text, variable = ("", "") if name else read_variable(env, VARIABLE)
    where = "" if name else f"{variable}: "
    asked = name or text or Family.name
    if asked not in FAMILIES:
        message = f"{where}the sandbox does not speak {asked!r}."
        raise InvalidInputError(message, hint=f"It speaks: {', '.join(FAMILIES)}.", code="unknown_option")
    return FAMILIES[asked]
