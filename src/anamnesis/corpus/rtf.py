"""The text of a Rich Text Format document (version 1.9.1), without its fonts, styles and pictures."""

import re

_TOKEN = re.compile(
    r"\\(?P<word>[a-z]{1,32})(?P<number>-?\d{1,10})? ?|\\'(?P<byte>[0-9a-fA-F]{2})|\\(?P<symbol>[^a-z])|"
    r"(?P<brace>[{}])|(?P<line>[\r\n]+)|(?P<text>[^\\{}\r\n]+)|\\"
)
# What such a group holds is no text of the document.
_SKIPPED = {
    "fonttbl", "colortbl", "stylesheet", "info", "pict", "object", "generator", "listtable", "listoverridetable",
    "rsidtbl", "themedata", "latentstyles", "datastore", "xmlnstbl", "filetbl", "revtbl", "fldinst",
}  # fmt: skip
_WRITTEN = {
    "par": "\n", "line": "\n", "row": "\n", "page": "\n", "sect": "\n", "tab": "\t", "cell": "\t", "emdash": "—",
    "endash": "–", "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”", "bullet": "•",
}  # fmt: skip
# A backslash before a line end is \\par.
_SYMBOLS = {"~": "\u00a0", "-": "", "_": "-", "\n": "\n", "\r": "\n"}


def plain_text(document: str) -> str:
    """The text. Its bytes are in the code page that the document names, cp1251 by default."""
    page = re.search(r"\\ansicpg(\d{3,5})", document)
    encoding = f"cp{page[1]}" if page and page[1] in ("866", "1250", "1251", "1252") else "cp1251"
    parts: list[str] = []
    # A character in \\u is followed by some characters for readers without Unicode, as many as \\uc says.
    skipped, fallbacks, usual_fallbacks = False, 0, 1
    stack: list[bool] = []
    for token in _TOKEN.finditer(document):
        kind = token.lastgroup if token.lastgroup != "number" else "word"
        if kind == "brace":
            if token["brace"] == "{":
                stack.append(skipped)
            elif stack:
                skipped = stack.pop()
        elif (kind == "word" and token["word"] in _SKIPPED) or token["symbol"] == "*":
            skipped = True
        elif skipped or kind in ("line", None):
            continue
        elif kind == "word" and token["word"] == "u" and token["number"]:
            number = int(token["number"]) % 0x10000
            parts.append("" if 0xD800 <= number <= 0xDFFF else chr(number))
            fallbacks = usual_fallbacks
            continue
        elif kind == "word" and token["word"] == "uc" and token["number"]:
            usual_fallbacks = int(token["number"])
        elif kind == "word":
            parts.append(_WRITTEN.get(token["word"], ""))
        elif kind == "byte" and not fallbacks:
            parts.append(bytes.fromhex(token["byte"]).decode(encoding, "replace"))
        elif kind == "symbol":
            parts.append(_SYMBOLS.get(token["symbol"], token["symbol"]))
        elif kind == "text":
            parts.append(token["text"][fallbacks:])
        fallbacks = 0
    return "".join(parts).strip()
