"""Makes tests/fixtures/jinja/expected.json: small templates, and what Python's jinja2 makes of each.

jinja2 is set up as transformers does for chat templates. Run: python3 tests/tools/make_jinja_fixtures.py
(needs jinja2 3.1; the fixture was made with 3.1.6 and Python 3.11).

With a number as argument it prints that many random templates instead, a JSON line each, for tests/tools/compare_jinja.py.
"""

import itertools
import json
import random
import sys
from pathlib import Path

from jinja_oracle import render

OUT = Path(__file__).resolve().parent.parent / "fixtures" / "jinja" / "expected.json"

GIVEN = {
    "a": 7, "b": -3, "z": 0, "f": 2.5, "big": 10**17, "t": True, "n": None, "s": "Hello, World", "e": "", "u": "Straße ÉCOLE ǆ ﬁn",
    "w": "  two  words\t\n", "l": [3, 1, 2], "m": ["b", "A", "c", "a"], "el": [], "d": {"x": 1, "y": "two", "items": [1]}, "ed": {},
    "deep": {"k": [1, {"n": None, "q": "it's \"so\""}], "é": "\u200b\x00\x7f\u00a0"},
    "rows": [{"r": "user", "c": "Hi", "n": 2}, {"r": "bot", "c": None, "n": 1}, {"r": "user", "c": "Bye"}],
    "think": "<think>hm</think>Yes", "json": {"type": "object", "properties": {"a": {"type": "string", "enum": ["x", "y"]}}},
    "floats": [1.0, 0.1, 1e16, 1e15, 123456789.125, 1e-5, 0.0001, -0.0, 1e300],
}

# Expressions that stand in {{ }}; `V` is replaced by each of some values.
VALUES = ["a", "b", "f", "t", "n", "s", "e", "l", "m", "d", "el", "ed", "nothing", "(1, 'x')", "range(3)", "d.items()", "u", "deep", "big", "floats"]
OF_ANY = [
    "V", "V ~ '|'", "V | string", "V | tojson", "V | tojson(indent=2)", "V | tojson(indent=1, separators=(',', ':'), sort_keys=true)",
    "V | tojson(ensure_ascii=true)", "V | length", "V | list", "V | default('D')", "V | default('D', true)", "V | first", "V | last", "V | join('-')",
    "V | upper", "V | title", "V | capitalize", "V | trim", "V | int", "V | float", "V | int(9)", "V | reverse | list", "V | unique | list",
    "V | sort", "V | sort(reverse=true)", "V | min", "V | max", "V | sum", "V | abs", "V | round", "V | round(1)", "V | round(1, 'floor')",
    "V | replace('l', 'L')", "V | replace('l', 'L', 1)", "V | indent", "V | indent(2, true)", "V | indent('> ', first=true, blank=true)", "V | center(20)", "V | e", "V | items | list",
    "V | dictsort", "V | map('string') | list", "V | map('upper') | join(',')", "V | select | list", "V | reject | list", "V | select('string') | list",
    "V | select('number') | list", "V | batch(2) | list", "V | batch(2, 'f') | list", "V | slice(2) | list", "V | slice(2, 'f') | list", "V | wordcount", "V | truncate(5)",
    "V | truncate(5, true, '', 0)", "V | urlencode", "V | xmlattr", "V | filesizeformat", "V | format(1)", "V | attr('x')", "V | map(attribute='x') | list", "V | map(attribute=0) | list",
    "V | selectattr('x') | list", "V | lower", "V | forceescape", "V | safe", "V | groupby(0) | list", "V | count", "V | striptags | length >= 0",
    "V + 1", "1 + V", "V * 2", "2 * V", "V - 1", "V / 2", "V // 2", "V % 2", "V ** 2", "-V", "+V", "not V", "V + V", "V == V", "V == 1", "V != 1", "V < 1", "V <= V", "V > V",
    "V in l", "1 in V", "'x' in V", "V not in m", "V and 'yes'", "V or 'no'", "'y' if V else 'n'", "'y' if V", "V[0]", "V[-1]", "V[1:]", "V[::-1]", "V[:2]", "V['x']", "V.x", "V.x.y",
    "V is defined", "V is undefined", "V is none", "V is boolean", "V is true", "V is false", "V is integer", "V is float", "V is number", "V is string",
    "V is mapping", "V is sequence", "V is iterable", "V is callable", "V is odd", "V is even", "V is divisibleby 2", "V is lower", "V is upper", "V is eq 1", "V is in l", "V is escaped",
    "V is sameas none", "V is filter", "V is test", "V is ge 1", "V is lt 1", "V is ne 'x'", "V()", "V.items()", "V.keys() | list", "V.values() | list", "V.get('x')", "V.get('q', 4)", "V.upper()", "V.count(1)", "V.index(1)", "V.append(1)",
    "V.copy()", "'%s' % V", "'%r' % V", "'%d' % V", "'%5.1f' % V", "'%s' % (V,)", "'{}'.format(V)", "'{!r:>12}'.format(V)", "'{:>8}'.format(V)", "'{:d}'.format(V)", "'{:.2f}'.format(V)",
    "dict(k=V)", "[V]", "(V, V)", "{'k': V}", "[V] == [V]", "namespace(k=V).k", "cycler(V).next()", "V.real", "V.is_integer()",
]

TEXTS = ["s", "e", "u", "w", "think", "'a,b,,c'", "'xxabcxx'", "'line\\r\\nline\\x0bline\\n'", "'12'", "'-12.50'", "'aAbB'", "'ΑΣ ΟΔΟΣ'", "'½²٣x'", "'İstanbul ß'"]
OF_TEXT = [
    "V.capitalize()", "V.casefold()", "V.center(16)", "V.center(15, '*')", "V.count('l')", "V.count('')", "V.count('x', 1, 3)", "V.endswith('x')", "V.endswith(('x', 'd'))", "V.endswith('x', 0, 2)",
    "V.expandtabs()", "V.expandtabs(3)", "V.find('b')", "V.find('')", "V.find('x', 1)", "V.find('x', -2)", "V.rfind('x')", "V.rfind('x', 0, 3)", "V.index('a')", "V.rindex('a')", "V.isalnum()", "V.isalpha()", "V.isascii()",
    "V.isdecimal()", "V.isdigit()", "V.isidentifier()", "V.islower()", "V.isnumeric()", "V.isprintable()", "V.isspace()", "V.istitle()", "V.isupper()", "V.join(['p', 'q'])", "V.join('pq')",
    "V.join([1])", "V.ljust(16) ~ '|'", "V.ljust(16, '-')", "V.lower()", "V.lstrip()", "V.lstrip('xH ')", "V.partition(',')", "V.partition('</think>')[2]", "V.rpartition(',')", "V.removeprefix('<think>')",
    "V.removesuffix('Yes')", "V.replace('a', 'AA')", "V.replace('', '.')", "V.replace('x', '', 2)", "V.replace('x', 'y', 0)", "V.rjust(16)", "V.rsplit()", "V.rsplit(',', 1)", "V.rsplit(maxsplit=1)",
    "V.rsplit('</think>', 1)[1]", "V.rstrip()", "V.rstrip('xd\\n')", "V.split()", "V.split(',')", "V.split(',', 1)", "V.split(None, 1)", "V.split(sep='b', maxsplit=1)", "V.split('</think>')[-1]", "V.split('')", "V.splitlines()", "V.splitlines(true)",
    "V.startswith('x')", "V.startswith(('q', 'H'))", "V.startswith('e', 1)", "V.startswith('', 99)", "V.strip()", "V.strip('x')", "V.strip('')", "V.swapcase()", "V.title()", "V.upper()", "V.zfill(9)", "V.foo()", "V.foo",
    "V[1]", "V[-2]", "V[99]", "V[2:5]", "V[-3:]", "V[:-1]", "V[::2]", "V[::-2]", "V[5:1:-1]", "V[1:99]", "V * 3", "V | title", "V | capitalize", "V | upper", "V | lower", "V | length", "V | list", "V | reverse", "V | int", "V | float", "V | int(base=16)",
    "V | wordcount", "V | trim('x')", "V | indent(3)", "V | tojson", "V | truncate(6)", "V | urlencode", "V | escape", "V | escape | escape", "V ~ 1", "V + 'x'", "V < 'm'", "V in 'x'", "V | replace('a', none)", "V is lower", "V is upper", "[V]", "V | first", "V | last", "V | unique | join", "V.format(1, x=2)",
]

NUMBERS = ["7", "-7", "2", "-2", "0", "2.5", "-2.5", "0.1", "1e16", "true", "10**20", "1_000", "0x1F", "0b101", "0o17", "3.0", "1e-7", "2.675"]
OF_TWO_NUMBERS = ["V + W", "V - W", "V * W", "V / W", "V // W", "V % W", "V ** W", "V == W", "V < W", "V >= W", "[V, W] | sum", "[V, W] | max", "V if V > W else W"]
FORMATS = [
    "%d", "%5d|", "%-5d|", "%05d", "%+d", "% d", "%x", "%X", "%#x", "%o", "%#o", "%i", "%u", "%e", "%E", "%.2e", "%f", "%.0f", "%#.0f", "%08.3f", "%+.1f", "%g", "%G", "%.3g", "%#g", "%c", "%s", "%r", "%a", "%10s|", "%-10s|", "%.1s", "%%", "%5%", "%.3d", "%#08x", "%q", "%",
    "%(k)s", "%*d", "%.*f", "%ld", "{}", "{0}", "{:d}", "{:5}", "{:<5}|", "{:^7}|", "{:>7}", "{:*>7}", "{:+}", "{: }", "{:05}", "{:=+6}", "{:,}", "{:_}", "{:x}", "{:#x}", "{:b}", "{:#b}", "{:o}", "{:e}", "{:.1e}", "{:f}", "{:.1f}", "{:g}", "{:.3g}", "{:.3}", "{:%}", "{:.1%}", "{:10.2f}|", "{!r}", "{!s:>6}", "{!a}", "{", "}", "{{}}", "{:{}}", "{0[0]}", "{0.real}", "{x}", "{:c}", "{:s}", "{:q}", "{!x}", "{:.2s}",
]
FORMATTED = ["7", "-7", "65", "2.5", "-0.125", "1e20", "123456789", "'text'", "'é\\n'", "true", "none", "[1]", "nothing"]

SINGLE = [
    "1 < 2 < 3", "1 < 2 > 3", "3 > 2 == 2", "not 1 == 2", "-2 ** 2", "2 ** 3 ** 2", "-7 // 2", "7 % -3", "1 + 2 ~ 3 + 4", "1 ~ 2 * 3", "'a' 'b' \"c\"", "'a' in 'abc' and 'x' not in 'abc'", "1 if 0 else 2 if 0 else 3",
    "a if false", "(a if false) is defined", "[1, 2,]", "{'a': 1, 'b': {'c': [none, true]},}", "{1: 2, 1.0: 3, true: 4}", "(1,)", "()", "1, 2", "d.x", "d['x']", "d.items", "d.items is callable", "d['items']", "d.keys is defined", "d.nope", "d.nope is defined", "d['__class__']", "d.__class__", "s.__class__", "l.append", "l.append(3)",
    "rows[0].r", "rows[0]['c']", "rows[1].c", "rows[9]", "rows[9].x", "rows[2].n is defined", "rows | map(attribute='r') | list", "rows | map(attribute='n', default=0) | list", "rows | selectattr('r', 'equalto', 'user') | map(attribute='c') | list", "rows | rejectattr('c') | list | length", "rows | selectattr('n', 'defined') | sum(attribute='n')", "rows | groupby('r')",
    "rows | groupby('r') | map(attribute='grouper') | list", "rows | groupby('r') | map(attribute='list') | map('length') | list", "rows | sort(attribute='r') | map(attribute='c') | list", "rows | sort(attribute='r,c') | length", "rows | map(attribute='c') | map('default', 'x', true) | join(',')", "rows | map('items') | map('list') | list", "rows | join(', ', attribute='r')", "rows | unique(attribute='r') | list | length", "rows | max(attribute='r')",
    "m | sort", "m | sort(case_sensitive=true)", "m | unique | list", "m | map('upper') | list", "m | map('replace', 'a', 'Z') | list", "m | select('in', ['a', 'b']) | list", "m | reject('equalto', 'a') | list", "l | select('odd') | list", "l | select('>', 1) | list", "l | map('string') | join", "l | first", "el | first", "el | first is defined", "el | last", "el | max", "el | sum", "l | sum(start=10)", "[[1], [2]] | sum(start=[])", "l | batch(2) | map('join', '+') | list",
    "d | dictsort", "d | dictsort(by='value')", "{'b': 1, 'A': 2} | dictsort(true)", "{'b': 1, 'A': 2} | dictsort(false, 'value', true)", "d | items | list", "d | length", "d | list", "d | first", "nothing | items | list", "d.items() | list", "d.keys()", "d.values()", "d.items()", "dict(a=1, b=2)", "dict(d, z=9)", "dict([('a', 1)])",
    "range(5)", "range(2, 10, 3) | list", "range(5)[1]", "range(5)[-1]", "range(10, 0, -3) | list", "range(3) | length", "3 in range(5)", "range(0)", "range(100001)", "range(1.5)", "range(5) | last",
    "'%s:%d' % ('a', 3)", "'%s' % 'x'", "'%s %s' % ('x',)", "'%s' % ('x', 'y')", "'%(x)s and %(y)r' % d", "'x' % {}", "'x' % []", "'x' % 1", "'100%% of %s' % s", "'{0} {1} {0}'.format('a', 'b')", "'{a} {b[x]} {b.y}'.format(a=1, b=d)", "'{} {}'.format(1)", "'{0}{}'.format(1, 2)", "'{:>{w}}'.format('x', w=5)", "'{a}'.format_map({'a': 1})",
    "strftime_now('%Y')", "raise_exception('no: ' ~ s)", "lipsum", "namespace", "namespace(a=1)", "joiner", "floats | list", "floats | map('string') | join(' ')", "1e22", "1.5e3", "123456789012345678", "0.1 + 0.2", "1 / 3", "2 ** 0.5", "2 ** -1", "10 ** 20", "1e308 * 10", "-(1e308 * 10)", "7 / 2", "6 / 2", "7.0 // 2", "-7.5 % 2", "0 * -1.0", "5 // 0", "5.0 % 0", "true + true", "true * 3", "'a' * -1", "[0] * 3", "(1, 2) + (3,)", "[1] + (2,)", "'a' + 1", "1 + 'a'", "none + 1", "nothing + 1", "nothing ~ 1", "nothing == nothing", "nothing == none", "nothing < 1", "nothing.x", "nothing['x']", "nothing()", "-nothing", "nothing in [1]", "1 in nothing", "nothing in 'abc'", "nothing | length", "nothing | list", "nothing | tojson", "nothing | upper", "nothing | join", "nothing | int", "nothing | default",
    "[1, 2] < [1, 3]", "[1] < ['a']", "'a' < 'b'", "'a' < 1", "none < none", "(1, 2) == (1, 2)", "[1] == (1,)", "{'a': 1} == {'a': 1.0}", "1 == 1.0", "1 == true", "'1' == 1", "1 is sameas 1", "none is none", "1 is not none", "1 is none or 2", "not none is none", "4 is divisibleby(2)", "4 is divisibleby 3", "'x' is in 'xyz'", "'A' is upper", "d is mapping and l is sequence", "x is defined and x.y",
    "u | upper", "u.title()", "u | title", "u.casefold()", "u.swapcase()", "'ß'.upper()", "'ŉ'.title()", "'ﬃ'.capitalize()", "'ა'.title()", "'ᾳ'.title()", "'\\u00e9\\x41\\101\\n\\q'", "'\\U0001f600' | length", "'e\\u0301' | length", "deep", "deep | string | length", "deep | tojson", "deep['é']", "deep['é'] | tojson(ensure_ascii=true)", "'\\U0001f600' | tojson(ensure_ascii=true)", "'it\\'s'", "[\"it's\", 'say \"x\"', 'both \\' \"']", "['\\u0301', '\\u200b', '\\xad', '\\ufeff', '\\ue000', '\\U0001f600']", "'\\u2028\\u0085'.splitlines()", "'</script>&' | tojson", "'a\\x7fb' | tojson(ensure_ascii=true)",
    "{'z': 1, 'a': {'c': 1, 'b': [1, {}]}} | tojson(sort_keys=true)", "{1: 'a', none: 2, true: 3, 2.5: 4} | tojson", "{'a': []} | tojson(indent=4)", "[] | tojson(indent=2)", "[[]] | tojson(indent=2)", "[1, [2, {'x': (1, 2)}]] | tojson(indent='--')", "1.0 | tojson", "1e16 | tojson", "[1] | tojson(indent=0)", "[1] | tojson(indent=-1)", "[1, 2] | tojson(separators=('; ', '='))", "{'a': 1} | tojson(2)", "{'a': 1} | tojson(false, 2)", "{(1, 2): 3} | tojson", "d.items() | tojson", "range(3) | tojson", "s | tojson | tojson", "namespace(a=1) | tojson", "[1] | tojson(foo=1)",
    "'a b c' | replace(' ', '')", "12345 | replace(3, 'x')", "'x' | center(5) ~ '|'", "'abc' | batch(2) | list", "'ab' | list", "'abc' | map('upper') | join", "'abc' | last", "'a\\nb\\n' | indent", "'\\n\\na' | indent(2)", "'a\\r\\nb' | indent(2, true)", "'a\\n\\nb' | indent(2, blank=true)", "'foo bar baz qux' | truncate(9)", "'foo bar baz qux' | truncate(9, true)", "'foo bar baz qux' | truncate(11)", "'<a href=\"x\">' | e", "'<' | e ~ '<'", "('<' | e) + '<'", "'<' | safe + '<'", "'&amp;' | e | e", "'a b&c/d' | urlencode", "{'a b': 'c/d', 'x': 1} | urlencode", "[('a', 1)] | urlencode", "{'class': 'x', 'id': none, 'n': '<'} | xmlattr", "1000 | filesizeformat", "1 | filesizeformat", "1536 | filesizeformat(true)", "12345678 | filesizeformat", "42.55 | round(1)", "42.55 | round(1, 'floor')", "42.55 | round", "2.5 | round", "3.5 | round", "1234 | round(-2)", "15 | round(-1)", "25 | round(-1)", "2.675 | round(2)", "42 | round(1, 'ceil')", "-2.5 | round(0, 'ceil')",
    "'42' | int", "'42.9' | int", "'x' | int", "'x' | int(-1)", "'0x1A' | int(0, 16)", "'1010' | int(base=2)", "' 7 ' | int", "'1_000' | int", "'1__0' | int", "'١٢' | int", "'1e3' | int", "'inf' | int(5)", "'nan' | float", "'1e400' | float", "'-inf' | float", "'+1.5' | float", "'.5' | float", "'5.' | float", "true | int", "none | int", "[] | int", "3.99 | int", "-3.99 | int", "'x' | float(1.5)", "'1_0.5' | float",
    "cycler('a', 'b').next()", "joiner('; ')()", "l | map('nosuch') | list", "l | nosuch", "l is nosuch", "1 if l is nosuch else 2", "'' if true else (l | nosuch)", "l | map() | list", "l | select('nosuch') | list", "l | map(attribute='a', foo=1) | list", "l | attr('append')", "s | attr('upper')", "d | attr('x')", "l.count(1)", "l.index(2)", "l.index(9)", "(1, 2, 1).count(1)", "d.get('x')", "d.get('q')", "d.get('q', 'z')", "d.get([])", "d[[]]", "d.pop('x')", "d.update({})", "d.setdefault('k', 1)", "d.copy() == d", "f.is_integer()", "a.bit_length()", "a.real", "1 .real", "l.0", "rows.0.r", "l[true]", "l['0']", "l[1.0]", "l[0:2, 1]", "d[1, 2]", "s[0].upper()", "l[:][0]", "l[5:]", "l[::0]", "l['a':]", "range(5)[1:3]", "e[0]", "e[0] is defined", "'\\\\'", "'\\", "\"", "1 2", "a b", "(a", "a)", "[1", "{1}", "{'a'}", "a.", ".a", "a..b", "a |", "| a", "a is", "a is not", "not", "a if", "if a", "1 +", "* 1", "a = 1", "a := 1", "a; b", "a ? b", "a && b", "a and", "f(**{'a': 1}, 2)", "dict(*[[('a', 1)]], **{'b': 2})", "range(*[1, 5]) | list", "dict(a=1, a=2)", "dict(a=1, **{'a': 2})", "1.e5", "1e5", ".5", "5.", "1.5.real", "00", "01", "0_0", "1__0", "é", "x·y", "True and False", "None", "none is None", "not not 1", "--1", "-+-1", "not -1", "+'a'", "-'a'", "1 is 1", "1 is number is true", "a is eq b", "a is eq -3", "a is divisibleby a", "'a' is in ['a']", "1 in [1] in [[1]]", "1 == 1 in [true]", "loop", "loop is defined", "self", "super()", "caller", "varargs", "true is defined", "missing is defined", "(1, 2)[0]", "[1, 2][0]", "{'a': 1}.a", "{'a': 1}['a']", "'abc'[0]", "'abc'.upper()", "('a' ~ 'b').upper()", "('a', 'b') | join", "s | upper | lower | title", "s|upper|replace('HELLO','x')", "(s | upper)[0]", "s.upper()[0].lower()", "rows[0].r.upper()", "rows[-1]['r'][0]", "rows[1:][0].r", "rows[::-1] | map(attribute='r') | list", "rows | length > 2 and rows[0].r == 'user'", "rows | first | length", "(rows | first).r", "rows | list | last | dictsort",
]

WHOLE = [
    "{% for x in l %}{{ x }}{% endfor %}", "{% for x in l %}{{ loop.index }}/{{ loop.length }}{{ ',' if not loop.last }}{% endfor %}", "{% for x in el %}x{% else %}none{% endfor %}", "{% for x in nothing %}x{% else %}none{% endfor %}", "{% for x in n %}{% endfor %}", "{% for x in 5 %}{% endfor %}", "{% for k in d %}{{ k }}{% endfor %}", "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k, v in d | items %}{{ k }};{% endfor %}", "{% for k, v in d %}{% endfor %}", "{% for a, b in [(1, 2), (3, 4)] %}{{ a }}{{ b }}{% endfor %}", "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "{% for a in l if a > 1 %}{{ a }}{{ loop.last }}{% endfor %}", "{% for a in l if a > 9 %}{% else %}E{% endfor %}", "{% for c in s %}{{ c }}.{% endfor %}",
    "{% for x in l %}{{ loop.first }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.depth }}{{ loop.cycle('a', 'b') }}{{ loop.changed(x // 2) }} {% endfor %}", "{% for x in l %}{{ loop }}{% endfor %}", "{% for x in l %}{% for y in l %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}", "{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}", "{% for x in l %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% else %}E{% endfor %}", "{% for x in l %}{% break %}{% else %}E{% endfor %}", "{% for x in l %}{% continue %}{% else %}E{% endfor %}", "{% break %}", "{% for x in l %}{% set y = x %}{% endfor %}{{ y }}", "{% set y = 0 %}{% for x in l %}{% set y = y + x %}{{ y }}{% endfor %}{{ y }}", "{% set ns = namespace(y=0) %}{% for x in l %}{% set ns.y = ns.y + x %}{% endfor %}{{ ns.y }}", "{% set ns = namespace() %}{{ ns.q }}{{ ns.q is defined }}{{ ns['q'] }}{% set ns.q = 1 %}{{ ns }}{{ ns['q'] }}", "{% set d.x = 1 %}", "{% set nope.x = 1 %}", "{% set loop = 1 %}{{ loop }}", "{% for x in l %}{% set loop = 1 %}{% endfor %}",
    "{% if a %}1{% elif b %}2{% else %}3{% endif %}", "{% if nothing %}1{% elif l %}2{% endif %}", "{% if el %}1{% elif ed %}2{% else %}3{% endif %}", "{% if a == 7 and not z %}y{% endif %}", "{% if true %}{% set q = 1 %}{% endif %}{{ q }}", "{% if false %}{% set a = 1 %}{% endif %}{{ a }}", "{% for x in l %}{{ a }}{% endfor %}{% set a = 1 %}", "{{ a }}{% for x in l %}{{ a }}{% endfor %}{% set a = 1 %}{{ a }}", "{% if false %}{% set a = 1 %}{% else %}{% set b = 1 %}{% endif %}{{ a }}{{ b }}", "{% for x in l %}{% if loop.first %}{% set q = x %}{% endif %}{{ q }}{% endfor %}", "{% set x = 1, 2 %}{{ x }}", "{% set x, y = 1, 2 %}{{ x }}{{ y }}", "{% set x, y = l %}", "{% set (x, y) = 'ab' %}{{ y }}", "{% set x %}a{{ a }}{% endset %}{{ x }}", "{% set x | upper %}abc{% endset %}{{ x }}", "{% set x | upper | replace('A', 'z') %}abc{% endset %}{{ x }}", "{% set x = x + 1 %}", "{% set true = 1 %}", "{% set x.y.z = 1 %}",
    "{% macro m(x, y=2) %}[{{ x }}{{ y }}]{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(x=4) }}{{ m() }}", "{% macro m(x) %}{{ x }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, k=3) }}", "{% macro m() %}{% endmacro %}{{ m(1) }}", "{% macro m() %}{% endmacro %}{{ m(q=1) }}", "{% macro m(x, y=x) %}{{ y }}{% endmacro %}{{ m(3) }}", "{% macro m() %}{{ a }}{{ q }}{% endmacro %}{% set q = 5 %}{{ m() }}", "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}in{% endcall %}", "{% macro m() %}{{ caller(1, 2) }}{% endmacro %}{% call(p, q) m() %}{{ p }}{{ q }}{% endcall %}", "{% macro m() %}{{ caller }}{% endmacro %}{{ m() }}", "{% macro m(n) %}{{ n }}{% if n %}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(5) }}", "{{ m }}{% macro m() %}{% endmacro %}", "{% macro m() %}{% endmacro %}{{ m }}{{ m.name }}{{ m.arguments }}", "{{ m() }}{% macro m() %}x{% endmacro %}", "{% macro m(x) %}{% set x = x + 1 %}{{ x }}{% endmacro %}{{ m(1) }}{{ x }}", "{% for x in l %}{% macro m() %}{{ x }}{% endmacro %}{{ m() }}{% endfor %}", "{% macro a(x) %}{{ x }}{% endmacro %}{{ a(1) }}", "{% macro m(x, x) %}{% endmacro %}", "{% macro m(x=1, y) %}{% endmacro %}", "{% macro m(caller) %}{{ caller() }}{% endmacro %}", "{% macro m() %}{{ loop.index }}{% endmacro %}{% for x in l %}{{ m() }}{% endfor %}", "{% macro m(d) %}{% for k, v in d.items() %}{{ k }}{% if v is mapping %}({{ m(v) }}){% endif %}{% endfor %}{% endmacro %}{{ m(json) }}", "{% call dict() %}{% endcall %}", "{% call a %}{% endcall %}",
    "{% for x in [[1, [2, [3]]]] recursive %}{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}@{{ loop.depth }}{% endif %}{% endfor %}", "{% for x in l %}{{ loop(l) }}{% endfor %}", "{% filter upper %}a{{ s }}{% endfilter %}", "{% filter replace('l', 'L') | upper %}hello{% endfilter %}", "{% with %}x{% endwith %}", "{% with x = 1, y = 2 %}{{ x }}{{ y }}{% endwith %}{{ x }}", "{% with x = a %}{% set a = 1 %}{{ x }}{{ a }}{% endwith %}{{ a }}", "{% with a = 1, b = a %}{{ b }}{% endwith %}", "{% generation %}x{{ a }}{% endgeneration %}", "{% generation %}{% set q = 1 %}{% endgeneration %}{{ q }}", "{% for x in l %}{% generation %}{{ x }}{{ loop.index }}{% endgeneration %}{% endfor %}", "{% for x in l %}{% generation %}{% break %}{% endgeneration %}{% endfor %}", "{% print a, s %}", "{% include 'x' %}", "{% import 'x' as y %}", "{% from 'x' import y %}", "{% extends 'x' %}", "{% unknown %}", "{% endif %}", "{% if %}{% endif %}", "{% if a %}", "{% for %}{% endfor %}", "{% for x in l %}", "{% else %}", "{% set %}", "{% raw %}{{ a }}{% if %}{% endraw %}", "{% raw %} x {%- endraw -%} y", "  {% raw -%}  x{% endraw %}", "{%raw%}{%endraw%}", "{# c #}a", "{# c", "a{#- c -#} b", "{#+ c +#}\nb", "{{ '{#' }}", "{{ '}}' }}", "{{ {'a': {'b': 1}}['a']['b'] }}", "{{ {'a': 1}}}", "{{", "}}", "%}", "{{ }}", "{% %}", "{{ a", "{{ a }", "{ { a }}", "{{a}}{{b}}", "{{-a-}}", "{{- a -}} x", "{{+ a }}", "{{ a +}}", "a {{- a }}", "a\n{{- a -}}\nb",
    "  {% if a %}\n  x\n  {% endif %}\n  y\n", "  {%+ if a %}\n  x\n  {% endif +%}\n y", "\t{% if a -%}\n\n  x\n  {%- endif %}\n\ny\n\n", "a {% if a %} b {% endif %} c", "a\n  {% if a %}b{% endif %}\n", "  {{ a }}\n  {# x #}\n  y", "{% if a %}\n\n\nx{% endif %}\n\n\n", "x\n", "x\n\n", "\n", "", "x\r\ny\r\n", "x\ry\r", "{% if a %}\r\nx\r\n{% endif %}\r\n", "{{ 'a\r\nb' }}", "{% set x = 'q' %}\n{% set y = 'r' %}\n{{ x }}\n{{ y }}\n", "  {% set x = 1 -%}  \n  {{ x }}", "{% for x in l %}\n  {{ x }}\n{% endfor %}\n", "{% for x in l -%}\n  {{ x }}\n{%- endfor %}", "\u00a0{% if a %}x{% endif %}", "\u2003\n \u2003{% if a %}x{% endif %}", "a{% if a %} {% endif %}b", "{{ a }}\n{% if a %}x{% endif %}\n\n{{ a }}", "   {#- x -#}   y", "x   {%- if a %}   y   {%- endif %}   z", "{{ s }}\n\n{%- if a -%}\n\n x", "{% if a %}{{ a }}{% endif %}{% if b %}{{ b }}{% endif %}", "{%- for m in rows -%}{{ m.r }}: {{ m.c }}\n{% endfor -%}\n end", "{% if rows[0]['r'] == 'user' %}{{ '<|' + rows[0]['r'] + '|>' }}{% endif %}",
    "{%- set ns = namespace(found=false) -%}{%- for m in rows -%}{%- if m.r == 'bot' -%}{%- set ns.found = true -%}{%- endif -%}{%- endfor -%}{{ ns.found }}", "{% set loop_messages = rows[1:] %}{% for m in loop_messages %}{{ m.r }}{% endfor %}", "{% set x = {'a': 1} %}{% for k in x %}{{ x[k] }}{% endfor %}", "{% for m in rows %}{% if (m['r'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('alternate') }}{% endif %}{% endfor %}", "{{ rows | tojson }}\n{{ rows | tojson(indent=2) }}", "{% for t in [json] %}{{ t | tojson(indent=4) }}{% endfor %}", "{% set c = cycler('odd', 'even') %}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.next() }}{% set _ = c.reset() %}{{ c.next() }}{{ c.pos }}{{ c.items }}", "{% set j = joiner() %}{% for x in l %}{{ j() }}{{ x }}{% endfor %}", "{% set g = l | map('string') %}{{ g | join }}{{ g | join }}|", "{% set g = l | select %}{% if g %}t{% endif %}{{ g is iterable }}{{ g is sequence }}", "{% set g = el | select %}{% if g %}t{% endif %}", "{{ l | map('string') }}", "{% for x in l | map('int') if loop is undefined %}{{ x }}{% endfor %}", "{% set ns = namespace(k=true) %}{% for x in l if ns.k %}{{ x }}{% set ns.k = false %}{% endfor %}", "{% set ns = namespace(k=true) %}{% for x in l if ns.k %}{{ x }}{{ loop.last }}{% set ns.k = false %}{% endfor %}", "{% for x in l if x > 1 %}{{ loop.length }}{{ x }}{% endfor %}", "{% for x in l %}{% for x in m %}{{ x }}{% endfor %}{{ x }}{% endfor %}{{ x }}", "{% set x = 1 %}{% for x in l %}{{ x }}{% endfor %}{{ x }}", "{% for x in l %}{% with %}{% set q = x %}{{ q }}{% endwith %}{{ q }}{% endfor %}", "{% set x = 1 %}{% macro m() %}{{ x }}{% set x = 2 %}{{ x }}{% endmacro %}{{ m() }}{{ x }}", "{% macro m() %}{{ x }}{% endmacro %}{% for x in l %}{{ m() }}{% endfor %}", "{% set x = 1 %}{% macro m() %}{{ x }}{% endmacro %}{% set x = 2 %}{{ m() }}", "{% if a %}{% macro m() %}M{% endmacro %}{% endif %}{{ m() }}", "{% set f %}{% for x in l %}{{ x }}{% endfor %}{% endset %}{{ f | length }}", "{% set x %}{% set y = 1 %}{% endset %}{{ y }}", "{% for x in l %}{% set s = '>' %}{{ s }}{% endfor %}{{ s }}", "{{ l | nosuch if false }}", "{% if false %}{{ l | nosuch }}{% endif %}ok", "{% if false %}{{ l is nosuch }}{% endif %}ok", "{% if false %}{% for x in l %}{{ x | nosuch }}{% endfor %}{% endif %}ok", "{% for x in l recursive %}{{ loop.depth0 }}{{ loop.index }}{% endfor %}", "{% for x in l recursive %}{{ x }}{% else %}E{% endfor %}", "{% for a, b in rows | groupby('r') %}{{ a }}{{ b | length }}{% endfor %}", "{% for g in rows | groupby('r') %}{{ g.grouper }}{{ g.list | length }}{{ g[0] }}{% endfor %}",
]


def expressions():
    for value, pattern in itertools.product(VALUES, OF_ANY):
        yield pattern.replace("V", value)
    for value, pattern in itertools.product(TEXTS, OF_TEXT):
        yield pattern.replace("V", value)
    for left, right, pattern in itertools.product(NUMBERS, NUMBERS, OF_TWO_NUMBERS):
        if "**" in pattern and len(right) > 2:
            continue
        yield pattern.replace("V", f"({left})").replace("W", f"({right})")
    for pattern, value in itertools.product(FORMATS, FORMATTED):
        yield f"'{pattern}' % {value}" if "%" in pattern and "{" not in pattern else f"'{pattern}'.format({value})"
    yield from SINGLE


def random_expression(depth):
    if depth <= 0 or random.random() < 0.2:
        return random.choice(list(GIVEN) + ["nothing", "1", "0", "'x'", "2.5", "none", "true", "[]", "'a b'", "-1"])
    inner = lambda: random_expression(depth - 1)
    kind = random.random()
    if kind < 0.45:
        pattern = random.choice(OF_ANY)
        return "(" + pattern.replace("V", inner() if "|" not in pattern else f"({inner()})") + ")"
    if kind < 0.65:
        return "(" + random.choice(OF_TEXT).replace("V", inner()) + ")"
    if kind < 0.85:
        operator = random.choice(["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", "in", "not in", "and", "or", "is eq"])
        return f"({inner()} {operator} {inner()})"
    if kind < 0.92:
        return random.choice(["[{}, {}]", "({}, {})", "{{'k': {}, 'x': {}}}"]).format(inner(), inner())
    return f"({inner()} if {inner()} else {inner()})"


NAMES = ["x", "y", "a", "s", "q", "ns", "loop", "l", "m"]


def random_body(depth):
    return "".join(random_statement(depth) for _ in range(random.randint(1, 3)))


def random_statement(depth):
    name = random.choice(NAMES)
    sign = lambda: random.choice(["", "", "", "-", "+"])
    end = lambda: random.choice(["", "", "", "-"])
    tag = lambda text: f"{{%{sign()} {text} {end()}%}}"
    space = random.choice(["", "", " ", "\n", "\n  ", " t "])
    if depth <= 0 or random.random() < 0.3:
        return space + f"{{{{{end()} {random.choice(NAMES + ['a', 'l', 'd.x', 'loop.index', 'loop.last', 'rows[0].r'])} {end()}}}}}" + space
    body = lambda: space + random_body(depth - 1) + space
    kind = random.randrange(13)
    if kind == 0:
        return tag(f"set {name} = {random_expression(1)}")
    if kind in (1, 2):
        test = random.choice(["", "", f" if {random.choice(NAMES)}"])
        otherwise = random.choice(["", tag("else") + body()])
        recursive = random.choice(["", "", "", " recursive"])
        return tag(f"for {name} in {random.choice(['l', 'm', 'el', 'd', 'nothing', '[1]'])}{test}{recursive}") + body() + otherwise + tag("endfor")
    if kind in (3, 4):
        middle = random.choice(["", tag("else") + body(), tag(f"elif {random.choice(NAMES)}") + body()])
        return tag(f"if {random.choice(NAMES + ['false', 'true'])}") + body() + middle + tag("endif")
    if kind == 5:
        return tag(f"macro {name}({random.choice(['', 'x', 'x, y=2', 's=a'])})") + body() + tag("endmacro")
    if kind == 6:
        return "{{ " + name + random.choice(["()", "(1)", "(1, y=3)"]) + " }}"
    if kind == 7:
        return tag(f"set {name}") + body() + tag("endset")
    if kind == 8:
        return tag(f"with {name} = {random_expression(1)}") + body() + tag("endwith")
    if kind == 9:
        return tag("filter upper") + body() + tag("endfilter")
    if kind == 10:
        return tag(random.choice(["break", "continue"]))
    if kind == 11:
        return tag("set ns = namespace(x=1)") + tag(f"set ns.{name} = 2") + "{{ ns.x }}"
    return tag(f"call {name}()") + body() + tag("endcall")


def random_template():
    if random.random() < 0.6:
        return "{{ " + random_expression(random.randint(1, 3)) + " }}"
    return random_body(random.randint(1, 4))


def main():
    if len(sys.argv) > 1:
        random.seed(int(sys.argv[2]) if len(sys.argv) > 2 else None)
        for _ in range(int(sys.argv[1])):
            print(json.dumps([random_template(), GIVEN]))
        return
    cases = {}
    for source in [f"{{{{ {expression} }}}}" for expression in expressions()] + WHOLE:
        cases[source] = render(source, GIVEN)
    lines = [json.dumps([source, expected], ensure_ascii=True) for source, expected in cases.items()]
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text('{"given": ' + json.dumps(GIVEN) + ',\n"cases": [\n' + ",\n".join(lines) + "\n]}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
