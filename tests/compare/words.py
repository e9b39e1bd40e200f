"""Markdown → words, and how much of them two readings share."""

import html, re, unicodedata
from collections import Counter, defaultdict

CJK = "\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
SCRIPTS = {"RTL": re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]"), "CJK": re.compile(f"[{CJK}]")}
TOKEN = re.compile(rf"[{CJK}]|[^\W_{CJK}]+")
MARKUP = re.compile(
    r"\\([!-/:-@\[-`{-~])"                  # 1: an escaped character
    r"|(?<!`)(`+)(?!`)(.+?)(?<!`)\2(?!`)"   # 3: code
    r"|\[([^\]]+)\]\([^)\s]*\)"             # 4: a link's text
    r"|([*~]|</?(?!br\b)[A-Za-z][^<>]*>)"   # 5: what does not part words
    r"|\||<!--.*?-->|<br */?>", re.DOTALL)

def plain(markdown):
    """The text of Markdown without its markup."""
    parts = re.split(r"^```.*\n?", markdown, flags=re.MULTILINE)
    for i in range(0, len(parts), 2):  # the others are fenced code
        lines = re.sub(r"^ *(#{1,6} +|>+ ?|[-:| ]*-[-:| ]*$)", "", parts[i], flags=re.MULTILINE)
        bare = MARKUP.sub(lambda m: "" if m[5] else m[1] or m[3] or plain(m[4] or "") or " ", lines)
        parts[i] = html.unescape(bare)
    return "\n".join(parts)

def tokens(text):
    text = unicodedata.normalize("NFKC", re.sub("[\x02\u00ad\ufffe][\r\n]*", "", text))  # without soft hyphens
    if not text.isascii():  # without vowel points and invisible characters
        text = "".join(c for c in text if unicodedata.category(c) not in ("Mn", "Cf"))
    joined = re.sub(r"([^\W\d_])[-\u2010] *\r?\n\s*(?=([^\W\d_]))", lambda cut: cut[1] + " " * cut[2].isupper(), text)
    return TOKEN.findall(joined.lower())[:20000]

def longest_common(left, right):
    """Length of the longest common subsequence, a bit a token (Hyyrö 2004)."""
    places = defaultdict(int)
    for i, token in enumerate(left):
        places[token] |= 1 << i
    full = row = (1 << len(left)) - 1
    for token in right:
        met = row & places[token]
        row = ((row + met) | (row - met)) & full
    return len(left) - row.bit_count()

def agreement(read, reference):
    """F1 and order."""
    common = Counter(read) & Counter(reference)
    if not common:
        return 0.0, 0.0
    left, right = [[token for token in side if token in common] for side in (read, reference)]
    return 2 * common.total() / (len(read) + len(reference)), longest_common(left, right) / max(len(left), len(right))

def script_of(text):
    letters = sum(map(str.isalpha, text))
    return next((name for name, letter in SCRIPTS.items() if len(letter.findall(text)) > 0.2 * letters), "other")
