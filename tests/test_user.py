from typing import Any

import pytest

from lib.base.errors import Doubtful
from lib.message.user import User, read_user


def test_texts_that_cannot_be_written_are_made_fit_to_be() -> None:
    names = ("name", "email", "timezone", "language", "company", "phone")
    unfit: dict[str, Any] = {name: f"{name}\0 \ud800" for name in names}
    unfit["tags"] = [{"key": "si\0te", "value": "\udfff9"}]
    unfit["options"] = {"date_format": "YYYY\0", "time_format": "12\0"}
    made: dict[str, Any] = {name: f"{name} \ufffd" for name in names}
    assert read_user({"id": "u", **unfit}) == User(
        "u", **made, tags=(("site", "\ufffd9"),), date_format="YYYY", time_format="12"
    )


@pytest.mark.parametrize("given", [None, {}, {"id": ""}, {"id": 5}, [], "u", {"id": "\0"}])
def test_what_is_no_user_leaves_doubt(given: Any) -> None:
    with pytest.raises(Doubtful, match="it has no id"):
        read_user(given)
