"""Reading CSV text and describing its columns."""

import csv
import io


def parse(text):
    """The rows as dictionaries. The delimiter is a tab if the first line has one, else a comma."""
    first, _, _ = text.partition("\n")
    reader = csv.DictReader(io.StringIO(text), delimiter="\t" if "\t" in first else ",", strict=True)
    rows = []
    for row in reader:
        if None in row or None in row.values():
            raise ValueError(f"line {reader.line_num} does not have the {len(reader.fieldnames)} fields of the first line")
        rows.append(row)
    return rows


def describe(rows):
    """What is in each column."""
    columns = {}
    for name in rows[0] if rows else []:
        values = [row[name] for row in rows]
        numbers = [number for number in map(_number, values) if number is not None]
        columns[name] = {"distinct": len(set(values))}
        if len(numbers) == len(values):
            columns[name].update(smallest=min(numbers), largest=max(numbers))
    return {"rows": len(rows), "columns": columns}


def _number(text):
    try:
        return float(text)
    except ValueError:
        return None
