"""moto's items are bytes at rest and say the same as ever."""

from copy import deepcopy

import pytest
from moto.dynamodb.models.dynamo_type import DynamoType, Item

from local_aws.dynamodb.item_image import Image, forget_decoded, image_of, settle


@pytest.fixture(autouse=True)
def _nothing_left():
    forget_decoded()
    yield
    forget_decoded()


def _item(key, text):
    return Item(DynamoType({"S": key}), None, {"id": {"S": key}, "text": {"S": text}})


def test_a_read_leaves_the_very_image_that_was_there():
    item = _item("a", "old")
    settle(is_change=True)
    image = image_of(item)

    assert item.attrs["text"].value == "old"
    settle(is_change=False)

    assert image_of(item) is image


def test_a_change_gives_a_new_image_and_leaves_the_old_one_to_who_has_it():
    item = _item("a", "old")
    settle(is_change=True)
    before, copied = image_of(item), deepcopy(item)

    item.attrs["text"] = DynamoType({"S": "new"})
    settle(is_change=True)

    assert before.attributes() == image_of(copied).attributes() == {"id": {"S": "a"}, "text": {"S": "old"}}
    assert image_of(item).attributes() == {"id": {"S": "a"}, "text": {"S": "new"}}


def test_a_copy_of_an_item_that_is_being_changed_changes_by_itself():
    item = _item("a", "old")
    item.attrs["text"] = DynamoType({"S": "new"})
    copied = deepcopy(item)

    copied.attrs["text"].value = "copy"
    settle(is_change=True)

    assert [image_of(one).attributes()["text"]["S"] for one in (item, copied)] == ["new", "copy"]


def test_what_is_too_much_to_stay_decoded_is_bytes_again_and_still_right():
    items = [_item(str(number), "x" * 400_000) for number in range(50)]
    settle(is_change=True)

    at_rest = [item for item in items if item._attrs is None]
    assert 0 < len(at_rest) < len(items)
    at_rest[0].attrs["text"] = DynamoType({"S": "new"})
    settle(is_change=True)

    assert image_of(at_rest[0]).attributes()["text"] == {"S": "new"}
    assert image_of(at_rest[1]).attributes()["text"] == {"S": "x" * 400_000}


def test_an_image_knows_the_size_that_dynamodb_bills():
    assert Image.of({"id": {"S": "あ"}, "n": {"N": "12"}}).size_bytes == 2 + 3 + 1 + 2


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        ({"b": {"S": "2"}, "a": {"S": "1"}}, True),
        ({"a": {"S": "1"}, "b": {"S": "3"}}, False),
        ({"a": {"S": "1"}, "b": {"S": "22"}}, False),
    ],
)
def test_images_say_the_same_whatever_the_order_of_attributes(other, is_same):
    image = Image.of({"a": {"S": "1"}, "b": {"S": "2"}})

    assert image.says_the_same(Image.of(other)) is is_same
