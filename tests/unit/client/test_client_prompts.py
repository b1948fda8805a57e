"""Prompts reads the mounted pointer ConfigMap, notices kubelet's swap, and keeps the last good prompts."""

import json
import logging

import pytest
from builders import a_content, a_version, an_edit

from ninefold.client import Prompts, PromptsUnavailable
from ninefold.versions import pointer


def pointer_data(number=1, *edits):
    return pointer("hotel", "ns", "prompts", a_version(number, *edits), "Client")["data"]


def mount(root, data):
    """Write files as kubelet does: a fresh folder, `..data` swapped onto it, a link a key."""
    fresh = root / f"..{len(list(root.iterdir()))}"
    fresh.mkdir(parents=True)
    for key, text in data.items():
        (fresh / key).write_text(text)
        if not (root / key).is_symlink():
            (root / key).symlink_to(f"..data/{key}")
    (root / "..tmp").symlink_to(fresh.name)
    (root / "..tmp").replace(root / "..data")


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "prompts"
    folder.mkdir()
    return folder


def test_prompts_render_what_the_operator_wrote_for_the_session_at_hand(root):
    mount(root, pointer_data(1, an_edit("Rome closes at nine.", when={"city": "rome"})))
    prompts = Prompts(root)
    assert prompts.render({"city": "rome"}).components["system"].endswith("\n\nRome closes at nine.")
    assert prompts.render({"city": "oslo"}).components == a_content().components
    assert prompts.render().version.startswith("v1-")


def test_a_swap_of_the_mounted_folder_is_noticed(root):
    mount(root, pointer_data(1))
    prompts = Prompts(root)
    mount(root, pointer_data(2, an_edit("Say the price.")))
    assert prompts.render().components["system"].endswith("Say the price.")
    assert prompts.version.startswith("v2-")


def test_a_plain_folder_works_as_well(root):
    for key, text in pointer_data(1).items():
        (root / key).write_text(text)
    prompts = Prompts(root)
    for key, text in pointer_data(2, an_edit()).items():
        (root / key).write_text(text)
    assert prompts.version.startswith("v2-")


@pytest.mark.parametrize(
    ("key", "text", "sentence"),
    [
        ("stable.json", "{", "cannot be read"),
        (
            "stable.json",
            '{"version": "v9-0123456789", "components": {"system": 5}, "edits": []}',
            "does not hold version",
        ),
        (
            "stable.json",
            '{"version": "v9-0123456789", "components": {}, "edits": [{"component": "system", "text": "x"}]}',
            "parts of two",
        ),
        ("release.json", "[]", "must hold a JSON object"),
        ("release.json", '{"stable": "v9-0123456789"}', "parts of two versions"),
    ],
)
def test_a_broken_update_keeps_the_last_good_prompts_and_says_so_once(root, caplog, key, text, sentence):
    mount(root, pointer_data(1))
    prompts = Prompts(root)
    mount(root, {**pointer_data(2), key: text})
    with caplog.at_level(logging.WARNING, "ninefold.client"):
        assert prompts.render().version.startswith("v1-")
        assert prompts.render().version.startswith("v1-")
    assert [sentence in message for message in caplog.messages] == [True]
    assert sentence in (prompts.problem or "")
    mount(root, pointer_data(3))
    assert prompts.render().version.startswith("v3-") and prompts.problem is None


def test_files_that_vanish_keep_the_last_good_prompts(root):
    mount(root, pointer_data(1))
    prompts = Prompts(root)
    (root / "..data").unlink()
    assert prompts.render().version.startswith("v1-")
    assert "has no release.json" in (prompts.problem or "")


def test_a_missing_mount_says_what_to_mount(tmp_path):
    with pytest.raises(PromptsUnavailable, match=r"There is no folder .*spec\.delivery\.configMap"):
        Prompts(tmp_path / "nothing")


def test_a_foreign_configmap_says_what_is_missing(root):
    (root / "system").write_text("hello")
    with pytest.raises(PromptsUnavailable, match=r"has no release\.json"):
        Prompts(root)


def test_an_edit_that_cannot_be_rendered_is_found_when_it_is_read_not_when_a_session_meets_it(root):
    data = pointer_data(1)
    stable = json.loads(data["stable.json"])
    stable["edits"] = [{"component": "tool.find", "text": "x", "when": {"city": "rome"}}]
    mount(root, {**data, "stable.json": json.dumps(stable)})
    with pytest.raises(PromptsUnavailable, match=r"cannot be rendered: .*tool\.find"):
        Prompts(root)
