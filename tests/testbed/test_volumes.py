"""Content volumes change all at once, as kubelet's do."""

from pathlib import Path

from testbed.localnode.volumes import publish


def contents(directory: Path) -> dict[str, bytes]:
    """What a program sees: the visible names only."""
    return {path.name: path.read_bytes() for path in directory.iterdir() if not path.name.startswith("..")}


def test_files_appear_change_and_vanish(tmp_path: Path) -> None:
    publish(tmp_path, {"a": b"1", "b": b"2"})
    assert contents(tmp_path) == {"a": b"1", "b": b"2"}
    publish(tmp_path, {"a": b"3", "c": b"4"})
    assert contents(tmp_path) == {"a": b"3", "c": b"4"}


def test_the_swap_is_one_link(tmp_path: Path) -> None:
    """A reader that resolved `..data` before an update reads old files, never a mixture."""
    publish(tmp_path, {"a": b"1", "b": b"1"})
    before = (tmp_path / "..data").readlink()
    publish(tmp_path, {"a": b"2", "b": b"2"})
    after = (tmp_path / "..data").readlink()
    assert before != after
    assert {(tmp_path / after / name).read_bytes() for name in ("a", "b")} == {b"2"}


def test_the_same_content_swaps_nothing(tmp_path: Path) -> None:
    publish(tmp_path, {"a": b"1"})
    before = (tmp_path / "..data").readlink()
    publish(tmp_path, {"a": b"1"})
    assert (tmp_path / "..data").readlink() == before


def test_no_old_directory_is_left(tmp_path: Path) -> None:
    for number in range(5):
        publish(tmp_path, {"a": str(number).encode()})
    assert len([path for path in tmp_path.iterdir() if path.is_dir() and not path.is_symlink()]) == 1


def test_items_may_have_directories(tmp_path: Path) -> None:
    publish(tmp_path, {"sub/a": b"1", "sub/b": b"2"})
    assert (tmp_path / "sub" / "b").read_bytes() == b"2"
