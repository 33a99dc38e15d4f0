"""Replies of a model in Converse's shapes, and what becomes of one that ends badly."""

import copy
import json
from typing import Any

from local_aws.bedrock.faults import Fault
from local_aws.ids import new_id

Block = dict[str, Any]
Reply = dict[str, Any]


def reply_of(
    content: list[Block], stop_reason: str, usage: dict[str, Any], latency_s: float, answered_by: str
) -> Reply:
    """Return a reply; *answered_by* is the model behind it, whoever was called."""
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": stop_reason,
        "usage": usage,
        "metrics": {"latencyMs": round(latency_s * 1000)},
        "trace": {"promptRouter": {"invokedModelId": answered_by}},
    }


def tool_use(name: str, given: object) -> Block:
    return {"toolUse": {"toolUseId": f"tooluse_{new_id(22)}", "name": name, "input": given}}


def forced_tool(body: dict[str, Any]) -> str | None:
    """Return the tool that the answer must use: the one named, or the first where any will do."""
    config = body.get("toolConfig") or {}
    choice = config.get("toolChoice") or {}
    if "tool" in choice:
        return str(choice["tool"]["name"])
    if "any" in choice:
        return next(str(tool["toolSpec"]["name"]) for tool in config["tools"] if "toolSpec" in tool)
    return None


def truncated(reply: Reply, max_tokens: int) -> Reply:
    """Return the reply as it is when the answer needs more than *max_tokens*."""
    usage = reply["usage"]
    total = usage["totalTokens"] - usage["outputTokens"] + max_tokens
    usage = {**usage, "outputTokens": max_tokens, "totalTokens": total}
    return {**_saying(reply, [_cut(_answer(reply))], "max_tokens"), "usage": usage}


def spoilt(fault: Fault, body: dict[str, Any], reply: Reply) -> Reply:
    """Return the reply as the model gives it when *fault* is one of the answer; any other leaves it as it is."""
    block, reason = _answer(reply), reply["stopReason"]
    match fault:
        case Fault.TRUNCATED:
            most = (body.get("inferenceConfig") or {}).get("maxTokens", reply["usage"]["outputTokens"])
            return truncated(reply, most)
        case Fault.REFUSED:
            return _saying(reply, [{"text": "I cannot help with that."}], "refusal")
        case Fault.FILTERED:
            return _saying(reply, [{"text": "The answer was blocked by content filters."}], "content_filtered")
        case Fault.GUARDRAIL:
            return _saying(reply, [{"text": "Sorry, this cannot be answered."}], "guardrail_intervened")
        case Fault.MALFORMED_OUTPUT:
            return _saying(reply, [_cut(block)], "malformed_model_output")
        case Fault.MALFORMED_TOOL_USE:
            return _saying(reply, [_cut(block)], "malformed_tool_use")
        case Fault.CONTEXT_WINDOW:
            return _saying(reply, [_cut(block)], "model_context_window_exceeded")
        case Fault.EMPTY:
            return _saying(reply, [], "end_turn")
        case Fault.BROKEN:
            return _saying(reply, [_cut(block)], reason)
        case Fault.PROSE:
            return _saying(reply, [{"text": "This person asks about many things, I would say."}], "end_turn")
        case Fault.SEVERAL:
            return _saying(reply, _two(block), reason)
    return reply


def _answer(reply: Reply) -> Block:
    content = reply["output"]["message"]["content"]
    return dict(content[-1]) if content else {"text": ""}


def _saying(reply: Reply, content: list[Block], stop_reason: str) -> Reply:
    return {**reply, "output": {"message": {"role": "assistant", "content": content}}, "stopReason": stop_reason}


def _cut(block: Block) -> Block:
    """Return the block with its last field missing: a text stops in the middle of it."""
    if "text" in block:
        text, comma, _ = block["text"].rpartition(",")
        return {"text": text if comma else block["text"][: len(block["text"]) // 2]}
    given = block["toolUse"]["input"]
    fields = list(given.items())[:-1] if isinstance(given, dict) else []
    return {"toolUse": {**block["toolUse"], "input": dict(fields)}}


def _two(block: Block) -> list[Block]:
    """Return the answer and another one that disagrees with it."""
    if "text" in block:
        return [{"text": f"{block['text']}\n{json.dumps(_another(block['text']))}"}]
    other = copy.deepcopy(block)
    other["toolUse"]["input"] = _another(json.dumps(block["toolUse"]["input"]))
    other["toolUse"]["toolUseId"] += "2"
    return [block, other]


def _another(text: str) -> dict[str, Any]:
    try:
        answer = json.loads(text)
        return {**answer, "inquiry_score": answer["inquiry_score"] % 5 + 1}
    except (KeyError, TypeError, ValueError):  # a real model may have answered anything
        return {"category": "other", "inquiry_score": 1}
