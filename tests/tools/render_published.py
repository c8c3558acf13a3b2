"""Renders each chat template of a folder with jinja2, for conversations with and without a system message, tools, calls and thoughts.

Run: python3 tests/tools/render_published.py FOLDER (needs jinja2; tests/chat_published.rs runs it). Prints JSON: for each template a
list of [what it is given, the text or null where jinja2 refuses].
"""

import json
import sys
from pathlib import Path

from jinja_oracle import render

USER = {"role": "user", "content": "What is a rush?\n"}
SYSTEM = {"role": "system", "content": " Be kind & \"brief\". "}
ANSWER = {"role": "assistant", "content": "A plant."}
AGAIN = {"role": "user", "content": "Does it burn? Größe 日本語 {{ 7 * 7 }}"}
PARTS = {"role": "user", "content": [{"type": "text", "text": "Look: "}, {"type": "image"}, {"type": "text", "text": "what?"}]}
THOUGHT = {"role": "assistant", "content": "Yes.", "reasoning_content": "hm\nhm"}
THINKING = {"role": "assistant", "content": "<think>\nhm\n</think>\n\nYes."}
CALLS = {
    "role": "assistant",
    "content": "",
    "tool_calls": [
        {"id": "abcdefghi", "type": "function", "function": {"name": "weather", "arguments": {"city": "Malmö", "days": 3, "exact": True, "unit": None, "more": {"a": [1, 2.5, "x"]}}}}
    ],
}
CALLS_AS_TEXT = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "abcdefghi", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Malmö"}'}}],
}
CALLS_PLAIN = {"role": "assistant", "content": "I look.", "tool_calls": [{"name": "weather", "arguments": {"city": "Oslo"}}, {"name": "time", "arguments": {}}]}
FOUND = {"role": "tool", "tool_call_id": "abcdefghi", "name": "weather", "content": '{"sky": "grey", "t": 7}'}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather of a city.",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "Which <city>"},
                    "days": {"type": "integer", "default": 1, "minimum": 0},
                    "unit": {"type": ["string", "null"], "enum": ["C", "F"]},
                    "more": {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "number"}}}},
                },
                "required": ["city"],
            },
            "return": {"type": "string"},
        },
    },
    {"type": "function", "function": {"name": "time", "description": "Now", "parameters": {"type": "object", "properties": {}}}},
]
DOCUMENTS = [{"title": "One", "text": "A text.", "doc_id": 1}, {"title": "Two", "text": "Another."}]

CONVERSATIONS = {
    "user": [USER],
    "system": [SYSTEM, USER],
    "turns": [USER, ANSWER, AGAIN],
    "system turns": [SYSTEM, USER, ANSWER, AGAIN],
    "parts": [SYSTEM, PARTS],
    "thought": [USER, THOUGHT, AGAIN],
    "thinking": [SYSTEM, USER, THINKING, AGAIN],
    "calls": [USER, CALLS, FOUND],
    "calls answered": [SYSTEM, USER, CALLS, FOUND, ANSWER, AGAIN],
    "calls as text": [USER, CALLS_AS_TEXT, FOUND],
    "plain calls": [USER, CALLS_PLAIN, FOUND, FOUND, ANSWER, AGAIN],
    "thought calls": [USER, {**CALLS, "reasoning_content": "hm"}, FOUND],
    "assistant last": [USER, ANSWER],
    "two users": [USER, AGAIN],
    "developer": [{"role": "developer", "content": "Be kind."}, USER],
    "odd": [{"role": "critic", "content": "No."}],
}
GIVEN = {
    "plain": {},
    "tools": {"tools": TOOLS},
    "documents": {"documents": DOCUMENTS},
    "thinking": {"enable_thinking": True, "thinking": True},
    "not thinking": {"enable_thinking": False, "thinking": False, "reasoning_effort": "high"},
    "no prompt": {"add_generation_prompt": False},
}
BASE = {"add_generation_prompt": True, "tools": None, "documents": None, "bos_token": "<s>", "eos_token": "</s>"}


def main():
    out = {}
    for path in sorted(Path(sys.argv[1]).glob("*.jinja")):
        source = path.read_bytes().decode("utf-8")
        out[path.name] = []
        for conversation in CONVERSATIONS.values():
            for more in GIVEN.values():
                given = {**BASE, "messages": conversation, **more}
                out[path.name].append([given, render(source, given)])
    print(json.dumps(out))


if __name__ == "__main__":
    main()
