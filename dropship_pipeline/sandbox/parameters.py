"""The parameters of an HTTP request: query, form body (urlencoded or multipart), headers, merged into one mapping."""

from collections.abc import Iterable
from urllib.parse import unquote

# Official samples send these, and only these, as headers (live facts: Signing).
SYSTEM_PARAMETERS = frozenset({b"app_key", b"timestamp", b"access_token", b"sign_method", b"sign"})

Headers = Iterable[tuple[bytes, bytes]]


def parse_query(query: bytes) -> dict[str, str]:
    """The fields of a query string or an urlencoded form; of a field that is there twice, the last."""
    fields = {}
    for pair in query.decode(errors="replace").split("&"):
        name, _, value = pair.partition("=")
        if name:
            if "%" in value or "+" in value:
                value = _plain(value)
            fields[_plain(name) if "%" in name else name] = value
    return fields


def parse_form(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a form body; none where the body is no form. Files are left out: they are not signed."""
    kind, _, rest = content_type.partition(";")
    kind = kind.strip().lower()
    if kind == "multipart/form-data":
        boundary = rest.partition("boundary=")[2].split(";")[0].strip().strip('"')
        return _parse_multipart(boundary.encode("latin-1"), body) if boundary else {}
    if kind in {"application/x-www-form-urlencoded", ""}:
        return parse_query(body)
    return {}


def merge(query: bytes, headers: Headers, body: bytes) -> dict[str, str]:
    """All parameters of a request. What the query says wins over the form, and the form over the headers."""
    params = {}
    content_type = ""
    for name, value in headers:
        if name in SYSTEM_PARAMETERS:
            params[name.decode("latin-1")] = value.decode("latin-1")
        elif name == b"content-type":
            content_type = value.decode("latin-1")
    if body:
        params.update(parse_form(content_type, body))
    if query:
        params.update(parse_query(query))
    return params


def _plain(text: str) -> str:
    return unquote(text.replace("+", " "))


def _parse_multipart(boundary: bytes, body: bytes) -> dict[str, str]:
    fields = {}
    for part in body.split(b"--" + boundary)[1:]:
        head, found, content = part.partition(b"\r\n\r\n")
        disposition = next(
            (line for line in head.split(b"\r\n") if line.lower().startswith(b"content-disposition:")), b""
        )
        options = dict(option.strip().partition(b"=")[::2] for option in disposition.split(b";")[1:])
        if found and b"name" in options and b"filename" not in options:
            name = options[b"name"].strip(b'"').decode(errors="replace")
            fields[name] = content.removesuffix(b"\r\n").decode(errors="replace")
    return fields
