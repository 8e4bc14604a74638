"""A setting that is the URL of a database. (Apart from starting.py, since inference has no SQLAlchemy.)"""

from typing import Annotated

from pydantic import AfterValidator
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError


def _database_url(url: str) -> str:
    try:
        if url:
            make_url(url)
    except ArgumentError as error:
        raise ValueError(str(error)) from None
    return url


DatabaseUrl = Annotated[str, AfterValidator(_database_url)]  # may be empty
