"""jinja2 as transformers sets it up for chat templates."""

import copy
import functools
import json
import signal

from jinja2 import nodes
from jinja2.exceptions import TemplateError
from jinja2.ext import Extension
from jinja2.sandbox import ImmutableSandboxedEnvironment


class Generation(Extension):
    """`{% generation %}`: a call block that gives back what is in it."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("_said"), [], [], body).set_lineno(line)

    def _said(self, caller):
        return caller()


def raise_exception(message):
    raise TemplateError(message)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment(clock=lambda pattern: "T" + pattern):
    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", Generation]
    )
    made.filters["tojson"] = tojson
    made.globals["raise_exception"] = raise_exception
    made.globals["strftime_now"] = clock
    return made


MADE = environment()


@functools.lru_cache(maxsize=8)
def parsed(source):
    return MADE.from_string(source)


def late(signal, frame):
    raise TimeoutError("too slow")


def render(source, given):
    """The text, or None where jinja2 or Python refuses. Texts with an address in memory are refused, too."""
    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, 3)
    try:
        # A filter of jinja2's changes a list in place.
        text = parsed(source).render(**copy.deepcopy(given))
        text.encode("utf-8")
    except (Exception, RecursionError):
        return None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return None if " at 0x" in text or "jinja2.utils" in text or "<class " in text or len(text) > 100_000 else text
