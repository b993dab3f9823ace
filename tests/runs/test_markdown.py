"""Descriptions: what Markdown becomes, and what never comes through."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from html.parser import HTMLParser

import pytest
from bleach._vendor import html5lib

from studio.runs import markdown_process
from studio.runs.markdown import LIMIT_BYTES, DescriptionTooLong, plain_html, render_markdown
from studio.runs.markdown_cleaner import TAGS, address_kind, clean_html, keeps_attribute
from studio.runs.markdown_references import GONE, Link, filled, references_of
from tests.runs.hostile_markdown import HOSTILE, HOSTILE_HTML

REL = 'rel="noopener noreferrer nofollow"'
HEX = "0123456789abcdef0123456789abcdef"


DIGEST = "0123456789abcdef0123456789abcdef01234567"


def shown(text: str, *, gone: str = "run:gone") -> str:
    """The HTML of `text` as it is shown; every reference but `gone` leads somewhere."""
    html = render_markdown(text)
    links = {
        one.written: Link(f"/w/lab/{one.kind}/{one.key}", f"<{one.kind} {one.key[:8]}>")
        for one in references_of(html, limit=200)
        if one.written != gone
    }
    return filled(html, links, attachments="/w/lab/attachments/")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# One\n\ntwo **b** *i*", "<h1>One</h1>\n<p>two <strong>b</strong> <em>i</em></p>"),
        ("3. a\n4. b", '<ol start="3">\n<li>a</li>\n<li>b</li>\n</ol>'),
        ("> said", "<blockquote>\n<p>said</p>\n</blockquote>"),
        ("`a < b`", "<p><code>a &lt; b</code></p>"),
        ("<b>x</b> & &lt;", "<p>&lt;b&gt;x&lt;/b&gt; &amp; &lt;</p>"),
        ("<div>\n*x*\n</div>", "<p>&lt;div&gt;\n<em>x</em>\n&lt;/div&gt;</p>"),
        ("[a](https://x.example 't')", f'<p><a href="https://x.example" {REL} title="t">a</a></p>'),
        ("[a](/w/x?q=1&r#s)", '<p><a href="/w/x?q=1&amp;r#s">a</a></p>'),
        ("[a][1]\n\n[1]: ../b", '<p><a href="../b">a</a></p>'),
        ("<https://x.example/>", f'<p><a href="https://x.example/" {REL}>https://x.example/</a></p>'),
        ("(https://x.example/a_b_(c)).", f'<p>(<a href="https://x.example/a_b_(c)" {REL}>'
         "https://x.example/a_b_(c)</a>).</p>"),
        ("![a](/f.png 't')", '<p><img alt="a" src="/f.png" title="t"></p>'),
        ("![a](https://x.example/i.png)", f'<p><a href="https://x.example/i.png" {REL}>a</a></p>'),
        ("[![a](//x.example/i)](/b)", '<p><a href="/b"><span>a</span></a></p>'),
        ("", ""),
        (" \n\0", ""),
    ],
)  # fmt: skip
def test_markdown_becomes_this_html(text: str, expected: str) -> None:
    assert render_markdown(text) == expected


def test_a_mail_address_becomes_a_link() -> None:
    html = render_markdown("<a@b.example>")
    assert f'<a href="mailto:a@b.example" {REL}>a@b.example</a>' in html


def test_a_table_keeps_its_alignment_without_styles() -> None:
    html = render_markdown("| a | b |\n|:--|--:|\n| 1 | `x` |")
    assert '<th align="left">a</th>' in html
    assert '<td align="right"><code>x</code></td>' in html
    assert "style" not in html


def test_fenced_code_is_highlighted_by_its_language() -> None:
    html = render_markdown('```python\nif a < "<b>":\n    pass\n```')
    assert '<div class="hl"><pre>' in html
    assert '<span class="k">if</span>' in html
    assert "&lt;b&gt;" in html


def test_code_without_a_language_is_not_guessed() -> None:
    html = render_markdown("```\nimport os\n```\n\n    import sys")
    assert html.count("<pre>") == 2
    assert '<span class="' not in html


def test_options_of_a_fence_reach_nothing() -> None:
    html = render_markdown(
        "``` {.python #me .btn linenos=table lineanchors=x full=True}\nx = 1\n```"
    )
    assert '<span class="n">x</span>' in html
    assert not any(word in html for word in ("btn", "id=", "<table", "linenos", "me"))


def test_a_task_list_has_boxes_with_names() -> None:
    html = render_markdown("- [x] a **b**\n- [ ] c\n- [z] d")
    assert '<ul class="md-tasks">' in html
    assert '<input aria-label="done" checked="" disabled="" type="checkbox"> a <strong>b' in html
    assert '<input aria-label="not done" disabled="" type="checkbox"> c' in html
    assert "<li>[z] d</li>" in html


def test_a_loose_task_list_has_boxes_too() -> None:
    assert render_markdown("- [x] a\n\n- [ ] b").count("<input") == 2


def test_footnotes_point_both_ways() -> None:
    html = render_markdown("text[^n]\n\n[^n]: note")
    assert 'id="fnref:n"' in html
    assert 'href="#fn:n"' in html
    assert '<li id="fn:n">' in html
    assert 'href="#fnref:n"' in html


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("run:a_b_c.", '<a class="md-ref" href="/w/lab/run/a_b_c">&lt;run a_b_c&gt;</a>.'),
        (HEX, f'<a class="md-ref" href="/w/lab/run/{HEX}">&lt;run 01234567&gt;</a>'),
        ("**run:a**", '<strong><a class="md-ref" href="/w/lab/run/a">&lt;run a&gt;</a></strong>'),
        ("log:a/logs/o.txt#L1-L2, x", 'href="/w/lab/log/a/logs/o.txt#L1-L2"'),
        ("run:gone", f'<span class="md-gone" title="{GONE}">run:gone<span '),
        ("`run:a`", "<code>run:a</code>"),
        ("[run:a](/x)", '<a href="/x">run:a</a>'),
        ("rerun:a", "<p>rerun:a</p>"),
        (f"x{HEX} {HEX}0", f"<p>x{HEX} {HEX}0</p>"),
        (f"https://x.example/{HEX}", f">https://x.example/{HEX}</a>"),
        (f"![a b](attachment:{DIGEST})",
         f'<img alt="a b" src="/w/lab/attachments/{DIGEST}" loading="lazy">'),
        (f"![a](attachment:{DIGEST}0)", "<p><span>a</span></p>"),
        (f"[a](attachment:{DIGEST})", "<p><a>a</a></p>"),
        (f'`src="attachment:{DIGEST}"`', f'<code>src="attachment:{DIGEST}"</code>'),
        ('<span class="md-ref">run:a</span>',
         '&lt;span class="md-ref"&gt;<a class="md-ref" href="/w/lab/run/a">'),
    ],
)  # fmt: skip
def test_a_reference_becomes_a_link_where_it_is_one(text: str, expected: str) -> None:
    assert expected in shown(text)


def test_a_bare_number_that_is_no_run_stays_as_it_is() -> None:
    assert shown(HEX, gone=HEX) == f"<p>{HEX}</p>"


def test_references_are_told_once_and_not_without_end() -> None:
    html = render_markdown("run:a run:a " + " ".join(f"run:n{n}" for n in range(1_000)))
    found = references_of(html, limit=200)
    assert len(set(found)) == len(found) == 200


def test_a_reference_names_a_metric_and_the_lines_of_a_log() -> None:
    html = render_markdown("metric:a/val%20loss log:a/logs/output.txt#L12-L20 log:a/x#L3 run:a")
    told = [(one.name, one.inside, one.lines) for one in references_of(html, limit=9)]
    assert told == [
        ("a", "val loss", None),
        ("a", "logs/output.txt", (12, 20)),
        ("a", "x", (3, 3)),
        ("a", "", None),
    ]


def test_a_hostile_name_gives_no_hostile_link() -> None:
    link = Link('/x"onclick="alert(1)', '</a><img onerror="x">')
    html = filled(render_markdown("run:a"), {"run:a": link}, attachments="/")
    judge_shown(html)
    assert "&lt;/a&gt;&lt;img" in html


@pytest.mark.parametrize("case", range(len(HOSTILE)))
def test_hostile_markdown_becomes_harmless(case: int) -> None:
    judge(render_markdown(HOSTILE[case]))
    judge_shown(shown(HOSTILE[case]))


@pytest.mark.parametrize("html", HOSTILE_HTML)
def test_hostile_html_does_not_pass_the_cleaner(html: str) -> None:
    """The cleaner has to hold by itself: one day the dialect may let HTML through."""
    judge(clean_html(html))


def test_the_corpus_is_large_and_dangerous_without_us() -> None:
    assert len(set(HOSTILE)) + len(set(HOSTILE_HTML)) >= 200
    with pytest.raises(AssertionError):
        judge('<p><a href="java&#9;script:alert(1)">x</a></p>')
    with pytest.raises(AssertionError):
        judge('<p><svg><a xlink:href="/x">x</a></svg></p>')


def judge_shown(html: str) -> None:
    """As `judge`, for what is shown: links with a class, hints, images of this site."""
    fragment = html5lib.parseFragment(html, treebuilder="etree", namespaceHTMLElements=False)
    for element in fragment.iter():
        if element is fragment:
            continue
        attributes = dict(element.attrib)
        if attributes.get("class") in ("md-ref", "md-gone", "visually-hidden"):
            assert element.tag in ("a", "span"), html
            assert set(attributes) <= {"class", "href", "title"}, html
            assert attributes.get("href", "/").startswith("/"), html
            continue
        assert attributes.pop("loading", "lazy") == "lazy", html
        judge_element(element.tag, attributes, html)


def judge(html: str) -> None:
    """Only what is allowed stands in `html`, read as a browser and as a plain tokenizer would."""
    fragment = html5lib.parseFragment(html, treebuilder="etree", namespaceHTMLElements=False)
    for element in fragment.iter():
        if element is not fragment:
            judge_element(element.tag, dict(element.attrib), html)
    _Tokens(html).close()
    # Parsing and writing again changes nothing: no mutation is left to happen in a browser.
    assert clean_html(html) == html


def judge_element(tag: object, attributes: dict[str, str | None], html: str) -> None:
    assert tag in TAGS, (tag, html)
    for name, value in attributes.items():
        assert keeps_attribute(str(tag), name, value or ""), (tag, name, value, html)
        assert not name.startswith("on"), html
        if (tag, name) == ("img", "src") and re.fullmatch("attachment:[0-9a-f]{40}", value or ""):
            continue
        if name in ("href", "src"):
            plain = "".join(c for c in (value or "").lower() if c.isprintable() and c != " ")
            scheme = plain.split(":")[0] if ":" in plain.split("/")[0].split("#")[0] else ""
            assert scheme in ("", "http", "https", "mailto"), (value, html)
            assert not plain.startswith(("//", "/\\", "\\")), (value, html)
            assert name == "href" or scheme == "", (value, html)
    if tag == "input":
        assert (attributes.get("type"), "disabled" in attributes) == ("checkbox", True), html


class _Tokens(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self._html = html
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs)), self._html
        judge_element(tag, dict(attrs), self._html)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(self._html)

    handle_decl = handle_pi = unknown_decl = handle_comment


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("/a", "own"), ("a/b:c", "own"), ("#x", "own"), ("?a=b:c", "own"), ("", "own"),
        ("HTTPS://x", "absolute"), ("mailto:a@b", "absolute"), ("//x", None), ("/\\x", None),
        ("https:x", None), ("https:///x", None), ("JavaScript:x", None), ("java\tscript:x", None),
        ("\x01javascript:x", None), ("javascript&colon;x", None), ("1:x", None), ("data:,x", None),
        ("http://[x", None), ("///x", None), ("blob:https://x/1", None), ("/" + "a" * 3000, None),
    ],
)  # fmt: skip
def test_an_address_is_own_absolute_or_refused(address: str, kind: str | None) -> None:
    assert address_kind(address) == kind


PATHOLOGICAL = {
    "brackets": "[" * 20_000,
    "links": "[a](" * 10_000,
    "declarations": "<![CDATA[" * 5_000,
    "quotes": ">" * 50_000,
    "lists": "\n".join("  " * n + "- x" for n in range(300)),
    "emphasis": "*a_" * 20_000,
    "references": "[a]: http://x/" + "b" * 20_000 + "\n\n" + "[a] " * 15_000,
    "table": "|a" * 5_000 + "|\n" + "|-" * 5_000 + "|\n" + "|\n" * 10_000,
    "backticks": "".join("`" * n + " " for n in range(400)),
}


@pytest.mark.parametrize("name", PATHOLOGICAL)
def test_a_nasty_text_is_rendered_in_time_or_shown_as_it_is(name: str) -> None:
    started_s = time.monotonic()
    html = render_markdown(PATHOLOGICAL[name])
    assert time.monotonic() - started_s < markdown_process.ANSWER_LIMIT_S + 3
    if "md-plain" in html:
        assert html == plain_html(PATHOLOGICAL[name])
    assert render_markdown("*still here*") == "<p><em>still here</em></p>"


@pytest.mark.parametrize(
    "text", ["x" * (LIMIT_BYTES + 1), "é" * (LIMIT_BYTES // 2 + 1), "[" * 10**6]
)
def test_a_text_over_the_limit_is_refused_and_told_the_limit(text: str) -> None:
    with pytest.raises(DescriptionTooLong, match="100,000"):
        render_markdown(text)


def test_a_text_at_the_limit_is_rendered() -> None:
    html = render_markdown("word " * (LIMIT_BYTES // 5))
    assert html.startswith("<p>word word")


def test_lone_surrogates_control_and_direction_marks_do_not_come_through() -> None:
    html = render_markdown("a\ud800b\0c\x1bd\u202ee\x02wzxhzdk:0\x03")
    assert html == "<p>a\ufffdbcdewzxhzdk:0</p>"
    html.encode()


def test_threads_get_each_their_own_text_back() -> None:
    wrong: list[str] = []

    def work(n: int) -> None:
        for turn in range(15):
            if f"<em>{n}-{turn}</em>" not in render_markdown(f"*{n}-{turn}*"):
                wrong.append(f"{n}-{turn}")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_killed_worker_is_replaced_unnoticed() -> None:
    worker = markdown_process.Worker()
    slots = markdown_process.Pool()
    slots._slots.get()
    slots._slots.put(worker)
    os.kill(worker.pid, signal.SIGKILL)
    worker._process.wait(10)
    assert "html" in slots.ask({"text": "x"})
    slots.close()


def test_a_stopped_worker_is_given_up_and_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markdown_process, "ANSWER_LIMIT_S", 0.3)
    worker = markdown_process.Worker()
    os.kill(worker.pid, signal.SIGSTOP)
    slots = markdown_process.Pool()
    slots._slots.get()
    slots._slots.put(worker)
    with pytest.raises(markdown_process.RenderFailed):
        slots.ask({"text": "x" * 90_000})
    assert worker._process.returncode == -signal.SIGKILL
    slots.close()


def test_a_worker_ends_with_its_parent() -> None:
    code = (
        "import os\nfrom studio.runs.markdown_process import Worker\n"
        "print(Worker().pid, flush=True)\nos.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    deadline_s = time.monotonic() + 10
    while alive(int(done.stdout)) and time.monotonic() < deadline_s:
        os.sched_yield()
    assert not alive(int(done.stdout))


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_worker_has_neither_django_nor_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIO_SECRET_KEY", "canary")
    worker = markdown_process.Worker()
    with open(f"/proc/{worker.pid}/environ") as environ:
        assert "canary" not in environ.read()
    worker.stop()
    code = "import studio.runs.markdown_worker, sys; print('django' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_forked_child_does_not_share_the_pipes_of_its_parent() -> None:
    render_markdown("start")
    before = markdown_process._pool
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, b"1" if markdown_process._pool is not before else b"0")
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(read, 1) == b"1"
    os.close(read)
    os.close(write)
