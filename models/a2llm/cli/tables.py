"""Tables on stdout: as wide as the terminal, or wide enough to be read in a log."""

from collections.abc import Iterable, Sequence

LOG_COLUMNS = 140


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None) -> None:
    """Print rows under their heads; cells may hold rich's colour marks, and the first column is never broken."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console = Console(width=LOG_COLUMNS)
    table = Table(title=title)
    for place, head in enumerate(heads):
        table.add_column(head, no_wrap=place == 0)
    for row in rows:
        table.add_row(*row)
    console.print(table)
