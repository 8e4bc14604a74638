"""A persona as REST takes and shows it, and as Redis keeps it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from a2llm.messages import Affect, ModelInfo, Persona
from a2serve.contracts.session_config import MOST_EXPRESSIVE, PERSONA_VOICE
from a2serve.gateway.language_model.body import LanguageModelBody

NAME = r"^[a-z0-9][a-z0-9_-]{0,63}$"
PersonaName = Annotated[str, Field(pattern=NAME, description="a-z, 0-9, hyphen, underscore", examples=["concierge"])]


class AffectBody(BaseModel):
    """A feeling and how strong it is."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    category: str = Field(default="neutral", min_length=1, max_length=32, examples=["joy"])
    intensity: float = Field(default=0.0, ge=0, le=1)


class PersonaBody(BaseModel):
    """The avatar's character: instructions for the model, its baseline affect, its head and its voice."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: PersonaName
    instructions: str = Field(min_length=1, max_length=8000, examples=["You are the concierge of a small hotel. Be brief and kind."])
    avatar: str = Field(default="woman", pattern=NAME, description="one of GET /v1/avatars")
    voice: str = Field(default=PERSONA_VOICE, pattern=NAME, description="of a persona that ships, or `default`: the model's own")
    affect_baseline: AffectBody | None = None
    expressiveness: float | None = Field(default=None, ge=0, le=MOST_EXPRESSIVE, description="how strongly it expresses; null is 1")

    language_model: LanguageModelBody | None = Field(default=None, description="an endpoint that finds the words; null: our own model")

    def as_info(self) -> Persona:
        rest = self.affect_baseline
        baseline = Affect(rest.category, rest.intensity) if rest else None
        return Persona(self.name, self.instructions, baseline, self.avatar, self.voice, self.expressiveness)


def persona_body(info: Persona) -> PersonaBody:
    """A persona of inference, as REST shows it."""
    rest = info.affect_baseline
    baseline = AffectBody(category=rest.category or "neutral", intensity=rest.intensity) if rest else None
    return PersonaBody.model_construct(
        name=info.name,
        instructions=info.instructions,
        avatar=info.avatar,
        voice=info.voice,
        affect_baseline=baseline,
        expressiveness=info.expressiveness,
    )


def voices_of(info: ModelInfo) -> list[str]:
    """The voices that the model has, its first one first; of one that does not say, those of the personas that ship."""
    return list(info.voices or dict.fromkeys(persona.voice for persona in info.personas))
