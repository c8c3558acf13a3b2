"""Compares a program's renderings with jinja2's.

Reads JSON lines [source, given]; the program (the arguments) gets the same lines and answers each by {"text": ...} or {"error": ...}.
Prints what differs: a text where jinja2 refuses, another text, and, with --refused first, what only the program refuses.
"""

import json
import subprocess
import sys
from collections import Counter

from jinja_oracle import render


def main():
    arguments = sys.argv[1:]
    refused = arguments[0] == "--refused"
    if refused:
        arguments = arguments[1:]
    lines = sys.stdin.read().splitlines()
    answers = subprocess.run(arguments, input="\n".join(lines) + "\n", capture_output=True, text=True)
    if answers.returncode:
        print("the program ended with", answers.returncode, answers.stderr[-2000:])
    counts = Counter()
    for line, answer in zip(lines, answers.stdout.splitlines()):
        source, given = json.loads(line)
        got = json.loads(answer)
        expected = render(source, given)
        text = got.get("text")
        if got.get("ms", 0) > 1500:
            print("SLOW", got["ms"], repr(source))
        if text == expected:
            counts["same"] += 1
        elif text is None:
            counts["only refused here"] += 1
            if refused:
                print("REFUSED", repr(source), "\n  ", got["error"], "\n  ", repr(expected))
        else:
            counts["different"] += 1
            print("DIFFERENT", repr(source), "\n  ", repr(text), "\n  ", repr(expected))
    print(dict(counts))


if __name__ == "__main__":
    main()
