"""A tree that cannot be uploaded is refused whole, and the file is named."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from slaledger import objects, uploads
from slaledger.settings import Exports


def _tree(directory: Path, metadata: object = None) -> Path:
    (directory / "notices").mkdir()
    (directory / "notices" / "n.ndjson").write_text("{}\n")
    if metadata is not None:
        (directory / "notices" / "n.ndjson.meta.json").write_text(json.dumps(metadata))
    return directory


def test_a_tree_is_planned_with_its_metadata(tmp_path):
    (upload,) = uploads.plan(_tree(tmp_path, {"Exported-At": "2026-04-01T00:00:00Z", "rows": 3, "note": ""}))
    assert upload.key == "notices/n.ndjson"
    assert upload.metadata == {"exported-at": "2026-04-01T00:00:00Z", "rows": "3", "note": ""}


@pytest.mark.parametrize(
    "given",
    [{"note": "zürich"}, {"nöte": "x"}, {"a note": "x"}, {"note": "a\nb"}, {"no\nte": "x"}, {"": "x"}, {"note\n": "x"}],
)
def test_metadata_that_s3_cannot_carry_names_file_and_field(tmp_path, given):
    with pytest.raises(uploads.BadTree, match=r"n\.ndjson\.meta\.json.*cannot carry") as refused:
        uploads.plan(_tree(tmp_path, given))
    assert repr(next(iter(given))) in str(refused.value)


def test_metadata_has_a_limit(tmp_path):
    with pytest.raises(uploads.BadTree, match=r"n\.ndjson\.meta\.json.*2048"):
        uploads.plan(_tree(tmp_path, {"note": "x" * 2048}))


@pytest.mark.parametrize("inside", [b"\xff.ndjson", b"\xff/n.ndjson"])
def test_a_name_that_is_no_utf_8_is_named_by_its_repr(tmp_path, inside):
    path = os.path.join(os.fsencode(_tree(tmp_path)), inside)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(b"{}\n")
    with pytest.raises(uploads.BadTree, match=r"\\udcff.*no UTF-8") as refused:
        uploads.plan(tmp_path)
    assert str(refused.value).encode()


def test_an_empty_directory_is_refused(tmp_path):
    (tmp_path / "notices").mkdir()
    with pytest.raises(uploads.BadTree, match="holds no file"):
        uploads.plan(tmp_path)


@pytest.mark.parametrize("target", ["gone", "loop.ndjson", "notices"])
def test_a_link_to_no_file_is_named(tmp_path, target):
    (_tree(tmp_path) / "loop.ndjson").symlink_to(target)
    with pytest.raises(uploads.BadTree, match=r"loop\.ndjson.*symbolic link"):
        uploads.plan(tmp_path)


def test_a_request_that_cannot_be_sent_is_not_an_s3_that_does_not_answer():
    exports = Exports("sla-exports", "http://127.0.0.1:9", "us-east-1", "key", "secret")
    with pytest.raises(objects.S3Refused, match="note"):
        objects.put(exports, "notices/n.ndjson", b"", metadata={"note": "zürich"})
