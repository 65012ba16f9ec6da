"""The second route shares no code with the rest of the project: no import, and no run of the same tokens."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator

from slaledger.settings import PROJECT_DIR

PACKAGE = PROJECT_DIR / "plugins/slaledger"
RUN = 16  # tokens: about a line and a half
NO_CODE = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)

Place = tuple[int, int]
Token = tuple[str, int]  # what it says, and its line


def sources() -> tuple[dict[str, str], dict[str, str]]:
    """The texts of the second route's modules, and of all others, by their paths."""
    paths = sorted(PACKAGE.rglob("*.py"))
    texts = {path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    second = {name: text for name, text in texts.items() if name.startswith("reperform/")}
    others = {name: text for name, text in texts.items() if name not in second}
    assert len(second) > 20 and len(others) > 50
    return second, others


def tokens(text: str) -> list[Token]:
    """The tokens of a module in their order, but for what is alike everywhere."""
    left_out = sorted(alike(ast.parse(text)))
    return [
        (token.string, token.start[0])
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in NO_CODE and not any(start <= token.start < end for start, end in left_out)
    ]


def alike(tree: ast.Module) -> Iterator[tuple[Place, Place]]:
    """Where imports, docstrings, annotations, and the heads of functions and classes are."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                first = min([node, *node.decorator_list], key=lambda each: each.lineno)
                yield (first.lineno, 0), (node.body[0].lineno, node.body[0].col_offset)
            case ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()):
                yield (node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0)
            case ast.AnnAssign(annotation=kind):
                yield (kind.lineno, kind.col_offset), (kind.end_lineno or 0, kind.end_col_offset or 0)


def runs(found: list[Token]) -> Iterator[tuple[tuple[str, ...], int]]:
    """Each run of tokens, and its line."""
    said = [text for text, _ in found]
    for start in range(len(said) - RUN + 1):
        yield tuple(said[start : start + RUN]), found[start][1]


def shared(second: dict[str, str], others: dict[str, str]) -> list[str]:
    """The runs that modules of the second route have in common with others, each line once."""
    known: dict[tuple[str, ...], str] = {}
    for name, text in others.items():
        for run, line in runs(tokens(text)):
            known.setdefault(run, f"{name}:{line}")
    told = {
        f"{name}:{line} says what {known[run]} says": " ".join(run)
        for name, text in second.items()
        for run, line in runs(tokens(text))
        if run in known
    }
    return [f"{where}: {what}" for where, what in told.items()]


def test_no_run_of_tokens_is_shared():
    """Write it another way, from the rule's text: what both routes say alike, both may have wrong alike."""
    assert shared(*sources()) == []


def test_nothing_of_the_rest_is_imported():
    second, _ = sources()
    imported: set[str] = set()
    for text in second.values():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom):
                imported |= {f"{node.module}.{each.name}" for each in node.names}
            elif isinstance(node, ast.Import):
                imported |= {each.name for each in node.names}
    ours = {name for name in imported if name.startswith("slaledger")}
    assert ours and all(name.startswith("slaledger.reperform.") for name in ours)


def test_a_line_that_is_copied_is_found():
    _, others = sources()
    copied = "    return (channel.lower() if isinstance(channel, str) else channel) in _AUTOMATIC_CHANNELS\n"
    assert copied in others["feeds/zendesk.py"]
    told = shared({"reading/zendesk.py": f"def copied(channel: object) -> bool:\n{copied}"}, others)
    assert len(told) == 1 and told[0].startswith("reading/zendesk.py:2 says what feeds/zendesk.py:")


def test_what_is_alike_everywhere_is_left_out():
    text = (
        '"""A docstring."""\nimport re\nfrom a import (\n    b,\n)\n@dataclass(frozen=True)\nclass Kept(Base):\n'
        "    held: dict[str, int] = {}\n    def told(self, *, name: str) -> str:\n"
        "        'Another.'\n        return name\n"
    )
    assert " ".join(said for said, _ in tokens(text)) == "held : = { } return name"
