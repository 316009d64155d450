"""How names are written: what a capitalized word and initials look like, for the patterns of the other modules."""

import re

UP = "A-ZÀ-ÖØ-ÞŞĞİƏА-ЯЁІЇЄҐЎҚҒҲӘӨҮҰҢҺ"
LOW = "a-zß-öø-ÿşğıəа-яёіїєґўқғҳәөүұңһ"
PLAIN = rf"(?:[{UP}](?:['’ʼ][{UP}])?[{LOW}]+|[{UP}](?:['’ʼ])?[{UP}]+)"
WORD = rf"{PLAIN}(?:['’ʼ][{LOW}]+|(?:\s?[-–]|[-–]\s)(?=[{UP}]){PLAIN}|-[{LOW}]+){{0,3}}"
PARTICLE = r"(?:(?:[Дд]е|[Вв]ан|[Фф]он|[Дд]ер|[Ээ]ль|[Аа]ль|[Аа]бу|[Тт]ер|[Лл]а|[Бб]ен)[\s-]){0,2}"
# Latin initials have two letters for one Russian letter: Yu., Sh.
INITIAL = rf"(?:(?:S[Hh][Cc][Hh]|Y[AUEOaueo]|[IJ][AUaue]|[SCZK][Hh]|T[Ss])(?=\s?\.)|[{UP}])"
# Also А.,Б. and А.-Б.
DOTTED = rf"{INITIAL}\s?\.(?:\s?|[,-]){INITIAL}(?:\s?\.|(?!\w))(?!\s?\.?\s?[Нн](?!\w))"
INITIALS_BEHIND = re.compile(rf"\s{{0,3}}(?:{DOTTED}|[{UP}]\.|[{UP}]\s[{UP}](?!\w)|(?<=\s)[{UP}]{{2}}(?!\w))")
INITIALS_BEFORE = re.compile(rf"(?<![\w.])(?:[{UP}]\s?\.\s?){{1,2}}$")
INSIDE_SENTENCE = re.compile(r"[а-яёa-z,:–—-]\s{1,2}$")
LIKE_MEDICINES = re.compile(r"(?i)ин(?:[аеу]|ом)?$")
SENTENCE_ENDS = re.compile(r"[!?]|\.\s+(?=[А-ЯЁ][а-яё]{2})|;")
ENDS = re.compile(r"\s?(?:[,.;:?!(/)\n\d]|$|[А-ЯЁ])")
