"""Which entry of the image mapping a reference finds."""

import pytest

from testbed.localnode.images import Image, find_image

JOBS, PINNED = Image(directory="/jobs"), Image(directory="/pinned")
IMAGES = {"ninefold-jobs": JOBS, "ninefold-jobs:1.0": PINNED, "host:5000/team/other": JOBS}


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("ninefold-jobs", JOBS),
        ("ninefold-jobs:2.0", JOBS),
        ("ninefold-jobs:1.0", PINNED),
        ("host:5000/team/ninefold-jobs:2.0", JOBS),
        ("host:5000/team/ninefold-jobs@sha256:abc", JOBS),
        ("host:5000/team/other:1", JOBS),
        ("elsewhere/other:1", None),
        ("ninefold-jobs-debug", None),
    ],
)
def test_find_image(reference: str, expected: Image | None) -> None:
    assert find_image(IMAGES, reference) is expected


def test_an_image_survives_json() -> None:
    image = Image(environment={"A": "1"}, directory="/x", entrypoint=("python", "-m", "y"))
    assert Image.from_json(image.to_json()) == image
