"""Which of the conversations that a segment holds are the work of this run; for the others, why not."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chatcensus.conversation import Conversation
from chatcensus.errors import SetupError
from chatcensus.evaluation import ATTRIBUTE, evaluation_key, is_of_another, stored_evaluation
from chatcensus.job import Job
from chatcensus.mapping import Stored

log = logging.getLogger(__name__)

# So many unreadable conversations, and no readable one beside them, are the mapping's fault and not theirs.
MOST_UNREADABLE = 20


@dataclass(frozen=True)
class Found:
    """
    A conversation of the run.

    Shape: *previous* is the evaluation of its present text that it carries; it is due when that is to be made, or made
    anew.
    """

    stored: Stored
    conversation: Conversation
    previous: Mapping[str, Any] | None
    is_due: bool


class Selection:
    """
    What is chosen of one segment, item by item.

    Shape: *skipped* counts what is not chosen, by its reason. Unreadable conversations are held back until a readable
    one has shown that the mapping fits, so that a wrong mapping writes nothing.
    """

    def __init__(self, job: Job, skipped: Counter[str], now: Callable[[], datetime]) -> None:
        self.job, self.skipped, self.now = job, skipped, now
        self._ids, self._problems = set[str](), set[str]()
        self._held, self._is_readable = list[Found](), False

    def take(self, stored: Stored) -> list[Found]:
        """
        Return *stored* as a conversation of the run, after those that were held back; nothing if it is none.

        Errors: SetupError when the first MOST_UNREADABLE conversations cannot be read, or when one carries an attribute
        of the table's own where the evaluation would be written.
        """
        conversation = self.job.mapping.conversation(stored)
        self._is_readable |= conversation.problem is None
        found = self._found(stored, conversation)
        if isinstance(found, str):
            self.skipped[found] += 1
            return []
        if conversation.problem and found.is_due:
            self._tell(conversation)
            if not self._is_readable:
                self._hold(found)
                return []
        return [*self.rest(), found] if self._is_readable else [found]

    def rest(self) -> list[Found]:
        """Return those that were held back; they are few, so that at the end of a segment they are what they are."""
        held, self._held = self._held, []
        return held

    def _found(self, stored: Stored, conversation: Conversation) -> Found | str:
        if conversation.conversation_id in self._ids:
            return "duplicate"
        self._ids.add(conversation.conversation_id)
        if conversation.created_at and conversation.created_at > self.now():
            return "created_in_future"
        if conversation.created_at not in self.job.window:
            return "outside_interval"
        if is_of_another(stored.item):
            raise SetupError(
                f"attribute {ATTRIBUTE!r} of conversation {conversation.conversation_id} is not of the census, which "
                "would overwrite it: rename it in your table, or remove it where it is a mistake; `chatcensus table "
                "check` counts them"
            )
        previous, where = stored_evaluation(stored.item, conversation.content_hash), self.job.where
        if where is None:
            # A body that has expired in S3 is no change of the text, and no reason to forget what was judged.
            is_expired = stored.body is None and self.job.mapping.body_pointer(stored.item) is not None
            is_kept = is_expired and stored.item.get(ATTRIBUTE) is not None
            return Found(stored, conversation, previous, is_due=previous is None and not is_kept)
        if previous is None or not where.matches(previous, conversation):
            return "not_chosen"
        return Found(stored, conversation, previous, is_due=not self._is_made(conversation, previous))

    def _is_made(self, conversation: Conversation, previous: Mapping[str, Any]) -> bool:
        """
        Return whether the evaluation *previous* is already what this run would make of it.

        One with the same key is; but a quarantine of another run is tried again, unless there is nothing to ask about.
        """
        if conversation.problem:
            return True
        key = evaluation_key(conversation.content_hash, self.job.prompt_version, self.job.model_id)
        is_judged = previous.get("outcome") == "evaluated" or previous.get("run_id") == self.job.run_id
        return is_judged and previous.get("key") == key

    def _hold(self, found: Found) -> None:
        self._held.append(found)
        if len(self._held) >= MOST_UNREADABLE:
            raise SetupError(
                f"the mapping does not fit: none of the first {MOST_UNREADABLE} conversations of {self.job.name} can "
                f"be read ({found.conversation.problem}); nothing was written. See `chatcensus table check`, and "
                f"correct include/table.yaml"
            )

    def _tell(self, conversation: Conversation) -> None:
        if conversation.problem and conversation.problem not in self._problems:
            self._problems.add(conversation.problem)
            log.warning("%s cannot be read: %s", conversation.conversation_id, conversation.problem)
