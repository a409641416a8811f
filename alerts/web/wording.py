"""What pages say, in Chinese and English: texts by key, numbers, times, and who and where without saying too much."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec
from markupsafe import Markup, escape

from alerts.kept import LeadRow
from detectors.finding import Evidence

Lang = Literal["zh", "en"]
LANGS: tuple[Lang, ...] = ("zh", "en")
CHINA = timezone(timedelta(hours=8))
TAIL = 4  # characters shown of a pseudonym
CODE_TAIL = 8  # characters shown of a trace code

_WEEKDAYS = {
    "zh": ("周一", "周二", "周三", "周四", "周五", "周六", "周日"),
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_ARTICLE = re.compile(r"第([一二三四五六七八九十]+)条(?:第([一二三四五六七八九十]+)项)?")
_DIGITS = "零一二三四五六七八九"
_ORG = re.compile(r"(?<![A-Za-z0-9])[A-Z]\d{11}(?!\d)")
_NUMBER = r"\d[\d,]*(?:\.\d+)?"
_ZH_UNIT = "公里/小时|小时|分钟|公里|元|秒|天|晚|次|家|张|人|盒|条|笔|名|种|分|个|岁|%"
_EN_UNIT = (
    "km/h|km|min|h|s|yuan|persons?|times|days?|nights?|cards?|bills?|institutions?|stores?|shops?|sales|rounds?|"
    "checks?|packs?|stays?|pharmacies|records|patients|hours|minutes|seconds|%"
)
_FACT = {
    "zh": re.compile(rf"(?:{_NUMBER}(?:{_ZH_UNIT}))+"),
    "en": re.compile(rf"(?:{_NUMBER} ?(?:{_EN_UNIT})\b ?)+(?<! )", re.IGNORECASE),
}


@cache
def catalogue(lang: Lang) -> Mapping[str, str]:
    """Every text of a language by its key."""
    body = files("alerts.web").joinpath("locale", f"{lang}.json").read_bytes()
    return msgspec.json.decode(body, type=dict[str, str])


@dataclass(frozen=True, slots=True)
class Words:
    """One language at one moment: years are named only where they are not this one."""

    lang: Lang
    now: datetime
    revealed: frozenset[str] = frozenset()  # persons who may be named in full: see alerts.reveal

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key. "one|{n} many" is chosen by the value of ``n``. Raises KeyError if there is none."""
        text = catalogue(self.lang)[key]
        one, bar, many = text.partition("|")
        if bar:
            text = one if values.get("n") in (1, "1") else many
        return text.format(**values)

    def known(self, group: str, name: str) -> str:
        """The text of ``group.name``; the bare name where we have no word for it."""
        return catalogue(self.lang).get(f"{group}.{name}", name)

    # -- numbers

    def yuan(self, fen: int) -> str:
        """123456 -> "1,234.56"."""
        return f"{'-' if fen < 0 else ''}{abs(fen) // 100:,}.{abs(fen) % 100:02d}"

    def quantity(self, value: float | str, unit: str) -> str:
        """A number with its unit: "13人", "38秒", "0.67", "62%"."""
        if isinstance(value, str):
            return value
        if unit in ("ratio", "share"):
            return f"{value:.2f}"
        number = f"{value:,.2f}" if unit == "yuan" else f"{value:,.1f}".removesuffix(".0")
        key = f"unit.{unit}"
        return self(key, n=number) if key in catalogue(self.lang) else f"{number} {unit}".strip()

    def long(self, span: timedelta) -> str:
        """How long, in the two largest units: "16天", "2小时5分钟", "38秒"."""
        seconds = max(0, round(span.total_seconds()))
        if seconds < 60:
            return self("unit.s", n=seconds)
        if seconds < 3_600:
            return self("unit.min", n=round(seconds / 60))
        hours, minutes = divmod(round(seconds / 60), 60)
        if hours >= 48:
            return self("unit.days", n=round(hours / 24))
        joint = "" if self.lang == "zh" else " "
        rest = joint + self("unit.min", n=minutes) if minutes else ""
        return self("unit.h", n=hours) + rest

    # -- times, all in +08:00

    def day(self, at: datetime) -> str:
        """ "11月17日", with the year where it is another one."""
        local = at.astimezone(CHINA)
        other = local.year != self.now.astimezone(CHINA).year
        if self.lang == "zh":
            return f"{local.year}年{local.month}月{local.day}日" if other else f"{local.month}月{local.day}日"
        named = f"{local.day} {_MONTHS[local.month - 1]}"
        return f"{named} {local.year}" if other else named

    def weekday(self, at: datetime) -> str:
        return _WEEKDAYS[self.lang][at.astimezone(CHINA).weekday()]

    def clock(self, at: datetime, *, seconds: bool = False) -> str:
        return at.astimezone(CHINA).strftime("%H:%M:%S" if seconds else "%H:%M")

    def moment(self, at: datetime, *, seconds: bool = False) -> str:
        """ "11月17日 21:04"."""
        return f"{self.day(at)} {self.clock(at, seconds=seconds)}"

    def recent(self, at: datetime) -> str:
        """The clock alone if it is today, else the day too."""
        today = at.astimezone(CHINA).date() == self.now.astimezone(CHINA).date()
        return self.clock(at) if today else self.moment(at)

    def lately(self, at: datetime) -> str:
        """The clock if it is today, else only the day."""
        today = at.astimezone(CHINA).date() == self.now.astimezone(CHINA).date()
        return self.clock(at) if today else self.day(at)

    def between(self, since: datetime, to: datetime | None, *, seconds: bool = False) -> str:
        """ "11月17日 20:54:12—21:21:22", "11月12日至17日"."""
        if to is None:
            return f"{self.day(since)}{self._to()}{self('lead.fact.going')}"
        if since.astimezone(CHINA).date() == to.astimezone(CHINA).date():
            ends = f"{self.clock(since, seconds=seconds)}—{self.clock(to, seconds=seconds)}"
            return f"{self.day(since)} {ends}"
        return f"{self.moment(since, seconds=seconds)}{self._to()}{self.moment(to, seconds=seconds)}"

    def days(self, since: datetime, to: datetime | None) -> str:
        """A period by its days; an end at midnight does not touch the day it begins."""
        if to is None:
            return f"{self.day(since)}{self._to()}{self('lead.fact.going')}"
        last = to - timedelta(microseconds=1) if to > since else to
        first, end = self.day(since), self.day(last)
        return first if first == end else f"{first}{self._to()}{end}"

    def _to(self) -> str:
        return "至" if self.lang == "zh" else " – "

    # -- who and where

    def org(self, code: str) -> str:
        """P33010210007 -> "P33****10007": a code until a directory tells names."""
        return f"{code[:3]}****{code[-5:]}" if len(code) > 8 else code

    def person(self, pseudonym: str) -> str:
        """ "参保人 尾号 7F3A"."""
        if pseudonym in self.revealed:
            return self("subject.person.whole", id=pseudonym)
        return self("subject.person", tail=tail(pseudonym))

    def tail(self, pseudonym: str) -> str:
        """ "尾号 7F3A", where it is clear that a person is meant."""
        return pseudonym if pseudonym in self.revealed else self("person.tail", tail=tail(pseudonym))

    def subject(self, kind: str, name: str) -> str:
        """Whom a lead is about, in words; composite ids (org/till, person/drug) part by part."""
        first, _, rest = name.partition("/")
        match kind:
            case "till":
                return self("subject.till", org=self.org(first), till=rest)
            case "org":
                return self.org(first)
            case "person":
                return f"{self.org(first)} {self.person(rest)}" if _ORG.fullmatch(first) else self.person(first)
            case "doctor" | "stay" | "group":
                return self(f"subject.{kind}", tail=tail(rest if kind == "stay" and rest else first))
            case "trace_code":
                return self("subject.trace_code", tail=code_tail(first))
            case "drug" if rest:
                where = self.org(first) if _ORG.fullmatch(first) else self.person(first)
                return f"{where} {self('subject.drug', tail=rest)}"
            case "area" if rest:
                return self("subject.ward", org=self.org(first), ward=rest)
            case "device" | "drug" | "area":
                return self(f"subject.{kind}", tail=name)
            case _:
                return name

    def article(self, named: str) -> str:
        """ "第三十八条第一项", or "Article 38(1)"."""
        if self.lang == "zh":
            return named
        return _ARTICLE.sub(lambda found: _article_en(found.group(1), found.group(2)), named)

    # -- sentences

    def sentence(self, text: str, most: int | None = None) -> Markup:
        """A sentence with its facts bold, each unbroken with its unit; ``most`` of them, then the rest are plain."""
        parts, at, bold = [], 0, 0
        for fact in _FACT[self.lang].finditer(text):
            parts.append(escape(text[at : fact.start()]))
            tag = "b" if most is None or bold < most else "span"
            parts.append(Markup("<{0} class=nb>{1}</{0}>").format(Markup(tag), fact.group()))
            at, bold = fact.end(), bold + 1
        return Markup("").join([*parts, escape(text[at:])])


def _article_en(article: str, item: str | None) -> str:
    return f"Article {_number(article)}" + (f"({_number(item)})" if item else "")


def _number(chinese: str) -> int:
    """三十八 -> 38; below a hundred."""
    tens, ten, ones = chinese.rpartition("十")
    return (_DIGITS.index(tens or "一") * 10 if ten else 0) + (_DIGITS.index(ones) if ones else 0)


def tail(pseudonym: str) -> str:
    """The last four characters, as they are read out."""
    return pseudonym[-TAIL:].upper()


def code_tail(code: str) -> str:
    """The last eight digits, in two fours."""
    shown = code[-CODE_TAIL:]
    return f"{shown[:4]} {shown[4:]}".strip()


@dataclass(frozen=True, slots=True)
class Mask:
    """Replaces, inside sentences that others wrote, every id that a page shows only in part."""

    words: Words
    persons: frozenset[str] = frozenset()
    codes: frozenset[str] = frozenset()

    @classmethod
    def of(cls, words: Words, persons: Iterable[str], codes: Iterable[str] = ()) -> "Mask":
        return cls(words, frozenset(filter(None, persons)), frozenset(filter(None, codes)))

    @classmethod
    def of_lead(cls, words: Words, row: LeadRow, evidence: Iterable[Evidence]) -> "Mask":
        """Everybody and every code that a lead names."""
        persons = {event.person for event in evidence} | ({row.subject_id} if row.subject_kind == "person" else set())
        codes = {code for event in evidence for code in event.facts.get("codes", "").split()}
        return cls.of(words, persons, codes)

    def __call__(self, text: str) -> str:
        for person in self.persons:
            text = text.replace(person, self.words.tail(person))
        for code in self.codes:
            text = text.replace(code, code_tail(code))
        return _ORG.sub(lambda found: self.words.org(found.group()), text)
