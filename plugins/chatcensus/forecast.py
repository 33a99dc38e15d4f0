"""What judging a conversation is expected to cost, before anything is paid: an estimate, and never the bill."""

import math

from chatcensus.conversation import Conversation, estimated_tokens, transcript
from chatcensus.pricing import Usage
from chatcensus.prompt import user_message

OUTPUT_TOKENS = 40  # of one answer


def expected_usage(conversation: Conversation, instruction_tokens: float) -> Usage:
    """Return the tokens of one call about *conversation*, as a model gets to read it; none where no call is made."""
    shown = transcript(conversation.turns)
    if conversation.problem or shown.is_blank:
        return Usage()
    message = user_message(shown, "0" * 16, "tool")
    return Usage(math.ceil(instruction_tokens + estimated_tokens(message)), OUTPUT_TOKENS)
