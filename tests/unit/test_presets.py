"""
The presets, with items shaped as the chat tools write them.

Source: the files named at the head of each preset; the texts and ids are made up.
"""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from chatcensus.conversation import Conversation, Turn, transcript
from chatcensus.include import read_yaml
from chatcensus.mapping import Stored, TableMapping
from tests.fakes import INCLUDE, MAPPING

SIMPLE, BEDROCK_CHAT, GENU = (
    read_yaml(INCLUDE / f"presets/{name}.yaml", TableMapping)
    for name in ("simple", "bedrock-chat", "generative-ai-use-cases")
)
CREATED = datetime(2026, 10, 1, 3, 4, 5, 678_000, tzinfo=UTC)
MILLISECONDS = 1_790_823_845_678


def test_the_mapping_that_we_ship_is_the_simple_form():
    assert SIMPLE == MAPPING


# --- bedrock-chat


def said(role: str, parent: str | None, *content: dict[str, Any]) -> dict[str, Any]:
    """A message of bedrock-chat's message map."""
    return {
        "role": role,
        "content": list(content),
        "model": "claude-v4.5-haiku",
        "children": [],
        "parent": parent,
        "create_time": float(MILLISECONDS),
        "feedback": None,
        "used_chunks": None,
        "thinking_log": None,
    }


def text(body: str) -> dict[str, Any]:
    return {"content_type": "text", "body": body}


SYSTEM = {"system": said("system", None, text(""))}
MESSAGES = {
    **SYSTEM,
    "instruction": said("instruction", "system", text("You help with contracts.")),
    "01A": said(
        "user", "instruction", {"content_type": "image", "media_type": "image/png", "body": "iVBO"}, text("What?")
    ),
    "01B": said("assistant", "01A", text("A cat.")),
    "01C": said(
        "user", "instruction", text("And this?"), {"content_type": "attachment", "file_name": "a", "body": "UE"}
    ),
    "01D": said("assistant", "01C", {"content_type": "reasoning", "text": "hm", "signature": "s"}, text("A contract.")),
}
CONTRACT = (
    Turn("system", ""),
    Turn("system", "You help with contracts."),
    Turn("user", "And this?"),
    Turn("assistant", "A contract."),
)


def chat_item(**changes: Any) -> dict[str, Any]:
    """A conversation of bedrock-chat."""
    return {
        "PK": "ann",
        "SK": "ann#CONV#01X",
        "Title": "New conversation",
        "CreateTime": Decimal(MILLISECONDS),
        "LastUpdateTime": Decimal(MILLISECONDS),
        "TotalPrice": Decimal("0.00123"),
        "LastMessageId": "01D",
        "ShouldContinue": False,
        "IsLargeMessage": False,
        "MessageMap": json.dumps(MESSAGES),
        **changes,
    }


def test_bedrock_chat_the_branch_that_was_used_last_is_the_conversation():
    conversation = BEDROCK_CHAT.conversation(Stored(chat_item(), has_room=True))

    assert conversation == Conversation("ann/ann#CONV#01X", CONTRACT, "ann", CREATED)


def test_bedrock_chat_the_other_branch_is_another_conversation():
    conversation = BEDROCK_CHAT.conversation(Stored(chat_item(LastMessageId="01B"), has_room=True))

    assert [turn.text for turn in conversation.turns[2:]] == ["What?", "A cat."]


def test_bedrock_chat_what_the_bot_was_told_is_not_shown_to_the_model():
    shown = transcript(BEDROCK_CHAT.conversation(Stored(chat_item(), has_room=True)).turns)

    assert shown.parts == (("user", "And this?"), ("assistant", "A contract."))


def test_bedrock_chat_content_of_older_versions_is_one_part_outside_a_list():
    older = {**SYSTEM, "01A": said("user", "system") | {"content": text("Hi")}}
    item = chat_item(MessageMap=json.dumps(older), LastMessageId="01A")
    del item["LastUpdateTime"], item["IsLargeMessage"]

    assert BEDROCK_CHAT.conversation(Stored(item, has_room=True)).turns[1:] == (Turn("user", "Hi"),)


LARGE = chat_item(IsLargeMessage=True, LargeMessagePath="ann/01X/message_map.json", MessageMap=json.dumps(SYSTEM))


def test_bedrock_chat_a_large_conversation_is_read_from_s3():
    bucket = BEDROCK_CHAT.body.bucket

    assert BEDROCK_CHAT.body_pointer(LARGE) == (bucket, "ann/01X/message_map.json")
    assert BEDROCK_CHAT.body_pointer(chat_item()) is None
    assert BEDROCK_CHAT.conversation(Stored(LARGE, has_room=True, body=json.dumps(MESSAGES))).turns == CONTRACT


def test_bedrock_chat_a_large_conversation_whose_messages_are_gone_is_a_problem():
    conversation = BEDROCK_CHAT.conversation(Stored(LARGE, has_room=True))

    assert conversation.problem == "the S3 object that attribute 'LargeMessagePath' names cannot be found"


def test_bedrock_chat_a_thumb_is_no_change_and_a_new_answer_is():
    liked = json.loads(json.dumps(MESSAGES))
    liked["01D"]["feedback"] = {"thumbs_up": True, "category": "", "comment": ""}
    before, after = chat_item(), chat_item(MessageMap=json.dumps(liked), Title="Contracts")

    assert before[BEDROCK_CHAT.marker] == after[BEDROCK_CHAT.marker]
    assert BEDROCK_CHAT.conversation(Stored(after, has_room=True)).turns == CONTRACT
    assert chat_item(LastMessageId="01E")[BEDROCK_CHAT.marker] != before[BEDROCK_CHAT.marker]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"PK": "ann", "SK": "ann#BOT#01Y", "Title": "Contracts"}, id="bot"),
        pytest.param({"PK": "bob", "SK": "bob#BOT_ALIAS#01Y", "OriginalBotId": "ann#BOT#01Y"}, id="alias"),
        pytest.param({"PK": "ann", "SK": "ann#RELATED_DOCUMENT#01X#01D@0", "SourceName": "a.pdf"}, id="document"),
    ],
)
def test_bedrock_chat_other_items_of_the_table_are_no_conversations(other: dict[str, Any]):
    assert BEDROCK_CHAT.is_conversation(chat_item())
    assert not BEDROCK_CHAT.is_conversation(other)


# --- generative-ai-use-cases


def genu_message(milliseconds: int, role: str, content: str, **changes: Any) -> dict[str, Any]:
    """A message of generative-ai-use-cases; undefined attributes are not written."""
    return {
        "id": "chat#5e1f",
        "createdDate": f"{milliseconds}#0",
        "messageId": f"m{milliseconds}",
        "role": role,
        "content": content,
        "userId": "user#ann",
        "feedback": "none",
        "usecase": "/chat",
        "llmType": "",
        **changes,
    }


GENU_MESSAGES = (
    genu_message(MILLISECONDS, "system", "You are an assistant."),
    genu_message(MILLISECONDS + 1, "user", "翻訳して", extraData=[{"type": "image", "name": "a.png"}]),
    genu_message(MILLISECONDS + 2, "assistant", "Translated.", llmType="amazon.nova-lite-v1:0", metadata={"usage": {}}),
)


def genu(*messages: dict[str, Any]) -> Conversation:
    return GENU.conversation(Stored(messages[0], has_room=True, messages=messages))


def test_genu_the_messages_of_a_chat_are_one_conversation():
    assert genu(*GENU_MESSAGES) == Conversation(
        "chat#5e1f",
        (Turn("system", "You are an assistant."), Turn("user", "翻訳して"), Turn("assistant", "Translated.")),
        "user#ann",
        CREATED,
    )
    assert GENU.key(GENU_MESSAGES[0]) == {"id": "chat#5e1f", "createdDate": f"{MILLISECONDS}#0"}


def test_genu_feedback_is_no_change_and_another_message_is():
    liked = genu_message(MILLISECONDS, "system", "You are an assistant.", feedback="good", reasons=["clear"])
    more = genu_message(MILLISECONDS + 9, "user", "Thanks")

    assert liked[GENU.marker] == GENU_MESSAGES[0][GENU.marker]
    assert genu(liked, *GENU_MESSAGES[1:]).content_hash == genu(*GENU_MESSAGES).content_hash
    assert genu(*GENU_MESSAGES, more).content_hash != genu(*GENU_MESSAGES).content_hash


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(
            {"id": "user#ann", "chatId": "chat#5e1f", "usecase": "", "title": "", "updatedDate": ""}, id="chat"
        ),
        pytest.param({"id": "user#ann_chat#5e1f", "shareId": "share#77"}, id="share id"),
        pytest.param({"id": "share#77", "userId": "user#ann", "chatId": "chat#5e1f"}, id="shared chat"),
        pytest.param(
            {"id": "systemContext#ann", "systemContextId": "systemContext#8", "systemContext": "x"}, id="prompt"
        ),
    ],
)
def test_genu_other_items_of_the_table_are_no_messages(other: dict[str, Any]):
    assert GENU.is_conversation(GENU_MESSAGES[0])
    assert not GENU.is_conversation({"createdDate": f"{MILLISECONDS}", **other})


# --- all


@pytest.mark.parametrize("field", TableMapping.model_fields)
def test_every_field_is_explained(field: str):
    fields = (INCLUDE.parent / "docs/mapping.md").read_text().partition("## Fields")[2].partition("\n## ")[0]

    assert f"`{field}`" in "".join(row.split(" | ")[0] for row in fields.splitlines())


def test_every_preset_is_named_where_a_reader_looks_for_one():
    for path in INCLUDE.glob("presets/*.yaml"):
        assert path.name in (INCLUDE.parent / "docs/mapping.md").read_text()
        assert path.stem in (INCLUDE / "table.yaml").read_text()
