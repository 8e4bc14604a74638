"""Base of all models of the wire: how they are read, written and merged. Not a model itself."""

from typing import Any, Self, cast

from pydantic import BaseModel, ConfigDict, model_serializer, model_validator
from pydantic_core.core_schema import SerializerFunctionWrapHandler


class Wire(BaseModel):
    """Unknown fields are ignored, "5" is no number; a null is written only where it was given on purpose."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, protected_namespaces=())

    @model_serializer(mode="wrap")
    def _leave_out_unset_nulls(self, write: SerializerFunctionWrapHandler):  # noqa: ANN202 (a type would stand for the fields in JSON schemas)
        return {key: value for key, value in write(self).items() if value is not None or key in self.model_fields_set}


class Strict(Wire):
    """Unknown fields are an error: a misspelt setting must not be swallowed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())


class Mergeable(Strict):
    """A group of settings: a later object replaces only the fields it names."""

    @model_validator(mode="before")
    @classmethod
    def _null_leaves_unchanged(cls, value: Any) -> Any:
        """A null for a field that cannot be null means "as it was" (stock clients send those)."""
        if not isinstance(value, dict):
            return value
        given = cast("dict[str, Any]", value)
        return {key: item for key, item in given.items() if item is not None or key not in cls.model_fields or cls._nullable(key)}

    @classmethod
    def _nullable(cls, field: str) -> bool:
        return type(None) in getattr(cls.model_fields[field].annotation, "__args__", ())

    def merged_with(self, patch: Any) -> Self:
        """These settings with the fields that `patch` names replaced, groups merged in depth."""
        changes: dict[str, Any] = {}
        for name in patch.model_fields_set:
            old, new = getattr(self, name), getattr(patch, name)
            changes[name] = old.merged_with(new) if isinstance(old, Mergeable) and isinstance(new, Mergeable) else new
        return self.model_copy(update=changes)
