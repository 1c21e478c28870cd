import base64
import hashlib
import re
from pathlib import Path

import pytest

from lab.errors import UnfitError
from lab.report import assets, build
from tests.report.synthetic import write_run


def test_the_policy_allows_exactly_what_stands_in_the_page(tmp_path: Path) -> None:
    run = write_run(tmp_path, only=["ikev2/plain_tunnel"])
    build(run)
    for path in run.rglob("index.html"):
        page = path.read_text()
        policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
        assert policy
        for tag in ("style", "script"):
            (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, flags=re.DOTALL)
            digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
            assert f"{tag}-src &#39;sha256-{digest}&#39;" in policy[1]
        assert policy[1].startswith("default-src &#39;none&#39;")


def test_nothing_of_ours_names_another_place() -> None:
    for path in [*(assets.folder() / "static").iterdir(), *(assets.folder() / "templates").iterdir()]:
        assert not re.search(r"https?:|//[a-z]|url\(|@import", path.read_text()), path
    for path in (assets.folder() / "static").iterdir():
        assert not re.search(r"</(script|style)|<!--", path.read_text()), path


def test_an_installed_wheel_finds_its_own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "lab" / "report" / "assets.py"
    monkeypatch.setattr(assets, "__file__", str(module))
    assets.folder.cache_clear()
    try:
        with pytest.raises(UnfitError, match="templates are missing"):
            assets.folder()
        there = tmp_path / "lab" / "data" / "reports" / "templates"
        there.mkdir(parents=True)
        (there / "index.html").touch()
        assert assets.folder() == tmp_path / "lab" / "data" / "reports"
    finally:
        assets.folder.cache_clear()
