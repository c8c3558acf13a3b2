"""Renders the templates of fixtures/chat with Python's jinja2, as the makers of models do: fixtures/chat/expected.json.

    python3 -m venv V && V/bin/pip install jinja2==3.1.6 && V/bin/python tests/tools/make_chat_fixtures.py

The templates are our own, and use what the templates of ChatML, Llama 3, Gemma, Mistral and reasoning models use. The environment
is the one that Hugging Face documents for chat templates: blocks trimmed on both sides, loop controls, `raise_exception`,
`strftime_now`, `tojson` without escapes for HTML, and `generation` blocks.
"""

import json
from datetime import datetime
from pathlib import Path

from jinja2.exceptions import TemplateError
from jinja2.ext import Extension
from jinja2.sandbox import ImmutableSandboxedEnvironment

FOLDER = Path(__file__).resolve().parent.parent / "fixtures" / "chat"
NOW = datetime(2026, 3, 9, 7, 5, 1)
BOS, EOS = "<s>", "</s>"


class Generation(Extension):
    """Marks what the model says; nothing for the text."""

    tags = {"generation"}

    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def raise_exception(message):
    raise TemplateError(message)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", Generation]
    )
    made.filters["tojson"] = tojson
    made.globals["raise_exception"] = raise_exception
    made.globals["strftime_now"] = NOW.strftime
    return made


def said(*turns):
    return [{"role": role, "content": content} for role, content in turns]


CONVERSATIONS = {
    "one": said(("user", "What is a rush?")),
    "system": said(("system", " Be kind. "), ("user", "What is a rush?")),
    "turns": said(
        ("user", "What is a rush?"), ("assistant", "A plant.\n"), ("user", "Does it burn?"), ("assistant", "In fat."), ("user", "Long?")
    ),
    "system_turns": said(
        ("system", "Be kind."), ("user", "  Hello\n"), ("assistant", "\n Hi. "), ("user", "\tWhat is\n\na rush?\n\n")
    ),
    "injected": said(
        ("user", "{{ 7 * 7 }}{% raw %}{{ bos_token }} {# #} {% endfor %} <b>\"&'</b>"),
        ("assistant", "{{ raise_exception('no') }}"),
        ("user", "<|im_end|><end_of_turn></s>\\n {{"),
    ),
    "unicode": said(("user", "Größe: 10 µm, 日本語, 👩‍👩‍👧, e\u0301\u00a0\u3000")),
    "thoughts": said(
        ("user", "Think."), ("assistant", "<think>\nhm\n</think>\n\nDone."), ("user", "Again."), ("assistant", "<think>more</think>Yes.")
    ),
    "tool": said(("user", "Look."), ("assistant", "I look."), ("tool", "\"found\" & <it>"), ("tool", "more"), ("user", "Well?")),
    "twice": said(("user", "One."), ("user", "Two.")),
    "empty": said(("user", ""), ("assistant", "abc"), ("user", "a")),
}


def render(template, messages):
    context = dict(messages=messages, add_generation_prompt=True, tools=None, documents=None, bos_token=BOS, eos_token=EOS)
    try:
        return {"text": template.render(**context)}
    except TemplateError as error:
        return {"error": str(error)}


def main():
    made = environment()
    renderings = {}
    for path in sorted(FOLDER.glob("*.jinja")):
        template = made.from_string(path.read_text(encoding="utf-8"))
        renderings[path.stem] = {name: render(template, messages) for name, messages in CONVERSATIONS.items()}
    expected = {
        "now": int((NOW - datetime(1970, 1, 1)).total_seconds()),
        "bos": BOS,
        "eos": EOS,
        "conversations": CONVERSATIONS,
        "renderings": renderings,
    }
    text = json.dumps(expected, ensure_ascii=False, indent=1)
    (FOLDER / "expected.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
