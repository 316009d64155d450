"""What leads to a person on a network: disguised e-mail, links, names of accounts, addresses and numbers of devices."""

import re

from anamnesis.corpus.deidentification.patterns import pattern

# "@", "(at)", "[собака]", or a word between spaces or lines; a dot, "[.]", "(dot)" or " точка ".
_AT_WORD = r"(?:at|эт|ат|собак[аиоу]й?|собачк[аиоу]й?|sobaka|sobachka|arroba|эт\sкоммерч\w{1,10}+)"
_DOT_WORD = r"(?:dot|точк[аиоу]й?|тчк|tochka|дот)"
_AT = (
    rf"(?:\s?[(\[{{<«\"*/]\s?(?:@|a|{_AT_WORD})\s?[)\]}}>»\"*/]\s?|\s?[@＠]\s?|&#0?64;|&#x40;|&commat;|%40|"
    rf"\s{_AT_WORD}\s|[-_.]{_AT_WORD}[-_.]|(?:собак[аи]|собачка))"
)
_SPELT_DOT = rf"\s?[(\[{{<«\"*/]\s?(?:\.|{_DOT_WORD})\s?[)\]}}>»\"*/]\s?|\s{_DOT_WORD}\s|[-_]{_DOT_WORD}[-_]"
_DOT = rf"(?:\s?\.\s?|{_SPELT_DOT})"
_TOP = (
    r"(?:ru|рф|ру|com|ком|org|орг|net|нет|su|by|kz|ua|uz|kg|am|az|ge|md|info|инфо|biz|me|de|eu|edu|gov|clinic|"
    r"москва|дети|онлайн|online|moscow|site|pro)(?!\w)"
)
_LABEL = r"[a-zа-яё0-9][a-zа-яё0-9-]{1,40}"
_LOCAL = rf"(?<![\w.+-])[a-zа-яё0-9][\w+-]{{0,40}}(?:(?:\.|{_SPELT_DOT})[\w+-]{{1,40}}){{0,2}}"
_DOMAIN = rf"(?:{_LABEL}{_DOT}){{1,3}}{_TOP}"

_TAIL = r"(?:[/?#][^\s<>\"«»)\]¤]{0,300}(?<![.,;:!?]))?"
_LINK_TOP = (
    r"(?:ru|рф|com|org|net|su|by|kz|ua|uz|kg|info|biz|me|de|eu|edu|gov|io|clinic|online|moscow|site|pro|link|ly|be)"
)
_ACCOUNT = r"@?(?=[a-z0-9_.-]*[a-z])[a-z0-9_][a-z0-9_.-]{2,31}(?<![.-])(?![\w@])"
_NETWORK = (
    r"(?<!\w)(?:telegram|телеграмм?\w{0,2}|телега|тлг|tlg|инстаграмм?\w{0,2}|инста|instagram|skype|скайп\w?|vkontakte|"
    r"вконтакте|одноклассники|facebook|фейсбук\w?|tiktok|тикток\w?|discord|дискорд\w?|icq|аська|никнейм\w?|nickname|"
    r"ник(?!\w)|логин\w?|login|аккаунт\w?|account|юзернейм|username)"
)
_HEX = r"[0-9a-f]"
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_PORT = r"(?::\d{2,5}(?!\d)|/\d\d?(?!\d))?"

_LATIN = re.compile("[a-z]")
_HEX_DIGITS = re.compile(rf"{_HEX}{{2}}[:.-]?{_HEX}{{2}}")
_TWELVE_HEX = re.compile(rf"(?<!\w){_HEX}{{12}}(?!\w)")
_DOTTED = re.compile(r"\d\.\d{1,39}\.\d")

PATTERNS = [
    # The domain may be Cyrillic (.рф).
    pattern("email", r"(?<![\w.+-])[\w.+-]{1,64}(?:@|\s@\s)[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}", "@"),
    pattern(
        "email",
        rf"{_LOCAL}{_AT}{_DOMAIN}",
        gate=re.compile(r"[@＠]|(?<![^\W_])(?:at|эт|ат|sobaka|sobachka|arroba)(?![^\W_])|собак|собач|&#0?64;|&#x40;|"
        r"&commat;|"
        r"%40|[(\[{]a[)\]}]"),
    ),
    pattern(
        "url",
        r"(?<!\w)(?:https?|ftps?|sftp|file|tg)(?:://|:\\\\)[^\s<>\"«»¤]{2,300}(?<![.,;:!?)\]])", ":",
        gate=_LATIN,
    ),
    pattern("url", rf"(?<![\w@.-])www\.[\w-]{{2,60}}(?:\.[\w-]{{1,40}}){{1,4}}(?::\d{{2,5}})?{_TAIL}", "www."),
    # Without a scheme: a Latin name with a known end, or a Cyrillic one with .рф.
    pattern(
        "url",
        rf"(?<![\w@.-])(?:(?:[a-z0-9][a-z0-9-]{{0,40}}\.){{1,4}}{_LINK_TOP}|[а-яё0-9][а-яё0-9-]{{2,40}}\.рф)(?![\w@-])"
        rf"(?!\.\w){_TAIL}",
        gate=re.compile(rf"\.{_LINK_TOP}(?!\w)"),
    ),
    # A folder of a server or a disk: it often has a user's or a patient's name.
    pattern("url", r"(?<![\w\\])\\\\[\w.$-]{2,40}(?:\\[^\s\\/:*?\"<>|¤]{1,60}){1,12}", "\\\\"),
    pattern("url", r"(?<!\w)[a-z]:\\(?:[^\s\\/:*?\"<>|¤]{1,60}\\?){1,12}", ":\\", gate=_LATIN),
    pattern("handle", r"(?<![\w.@/])@[a-zа-яё_][\w.]{1,31}(?<!\.)(?![\w@])", "@"),
    pattern(
        "handle",
        rf"{_NETWORK}(?:[\s:=–—(-]|(?:пациент|мам|пап|доч|сын|муж|жен|родств|канал|ник|id|аккаунт|"
        rf"личн)\w{{0,6}}+){{1,6}}"
        rf"(?P<value>{_ACCOUNT})",
        "tel", "тел", "тлг", "tlg", "инст", "inst", "sk", "ск", "vk", "вк", "одно", "face", "фей", "tik", "тик", "dis",
        "дис", "icq", "аськ", "ник", "nick", "лог", "log", "акк", "acc", "юз", "user",
        gate=_LATIN,
    ),
    # ТГ, ВК and ОК also mean thyroglobulin, a commission and a form: the account must have a digit or an underscore.
    pattern(
        "handle",
        r"(?<!\w)(?:тг|tg|вк|vk|ок|ig|fb)[\s:–—-]{1,3}(?P<value>(?!id\s)(?=[a-z0-9.-]{0,31}(?:_|(?<=[a-z])\d))"
        r"[a-z][a-z0-9_.-]{3,31}(?<![.-])(?![\w@]))",
        "тг", "tg", "вк", "vk", "ок", "ig", "fb",
        gate=_LATIN,
    ),
    pattern("network", rf"(?<!\w)(?:{_HEX}{{2}}:){{5}}{_HEX}{{2}}(?!:?\w)", ":", gate=_HEX_DIGITS),
    pattern(
        "network",
        rf"(?<![\w-])(?=[0-9-]{{0,16}}[a-f])(?:{_HEX}{{2}}-){{5}}{_HEX}{{2}}(?!-?\w)", "-",
        gate=_HEX_DIGITS,
    ),
    pattern(
        "network",
        rf"(?<![\w.])(?=[0-9.]{{0,13}}[a-f])(?:{_HEX}{{4}}\.){{2}}{_HEX}{{4}}(?!\.?\w)", ".",
        gate=_LATIN,
    ),
    pattern(
        "network",
        rf"(?<!\w)(?:mac|мак|физ\w{{0,8}}\sадрес|плат[аы]|интерфейс|"
        rf"ethernet)[\w\s:.=-]{{0,12}}?[\s:=](?P<value>{_HEX}{{2}}(?:[\s:.-]?{_HEX}{{2}}){{5}})(?!\w)",
        "mac", "мак", "адрес", "плат", "интерфейс", "ethernet",
    ),
    # Twelve hexadecimal digits, of them letters and digits.
    pattern(
        "network",
        rf"(?<!\w)(?=\d{{0,11}}[a-f])(?=[a-f]{{0,11}}\d)(?=[0-9a-f]{{0,8}}\d[a-f]{{1,3}}\d|"
        rf"[0-9a-f]{{0,8}}[a-f]\d{{1,4}}[a-f]){_HEX}{{12}}(?!\w)",
        gate=_TWELVE_HEX,
    ),
    # Four numbers up to 255: announced; or a private network's; or too long for the number of a chapter.
    pattern(
        "network",
        rf"(?<!\w)(?:ip(?:v4)?|айпи|хост|host|сервер\w?|server|шлюз\w?|gateway|адрес\w{{0,3}}+|address|компьютер\w?|"
        rf"терминал\w?|станци\w|пк|арм|роутер\w?|router|client|клиент\w?|узл?[еа]?л?\sсети)"
        rf"(?:[\s:.=№(-]|[a-zа-яё]{{1,16}}+){{0,6}}?[\s:=(]"
        rf"(?P<value>(?:{_OCTET}\.){{3}}{_OCTET}{_PORT})(?![\d.]\d|\d)",
        "ip", "айпи", "хост", "host", "сервер", "server", "шлюз", "gateway", "адрес", "address", "компьют", "терминал",
        "станци", "пк", "арм", "роутер", "router", "client", "клиент", "сети",
        gate=_DOTTED,
    ),
    pattern(
        "network",
        rf"(?<![\w.])(?:(?:10|127|172|(?=(?:\d{{1,3}}\.){{0,3}}\d{{3}})(?=(?:\d\d?\d?\.){{2,3}}\d\d){_OCTET})"
        rf"(?:\.{_OCTET}){{3}}|192\.168(?:\.{_OCTET}){{2}}|(?=(?:\d\d\d?\.){{2}}){_OCTET}(?:\.{_OCTET}){{3}}|"
        rf"{_OCTET}(?:\.{_OCTET}){{3}}(?=:\d{{2,5}}(?!\d)))(?!\d|\.\d){_PORT}",
        gate=_DOTTED,
    ),
    pattern(
        "network",
        rf"(?<![\w:])(?=[0-9:]{{0,30}}[a-f])(?:(?:{_HEX}{{1,4}}:){{7}}{_HEX}{{1,4}}|"
        rf"(?:{_HEX}{{1,4}}:){{1,6}}(?::{_HEX}{{1,4}}){{1,6}})(?!:?\w)",
        gate=re.compile(r"::|:[0-9a-f]{1,4}:"),
    ),
    pattern(
        "uid",
        rf"(?<!\w)[{{(]?{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}[)}}]?(?!\w)", "-",
        gate=_HEX_DIGITS,
    ),
    # DICOM and HL7: numbers between dots, from the roots 0, 1 and 2 (PS3.5, chapter 9).
    pattern("uid", r"(?<![\w.])[0-2](?:\.(?:0|[1-9]\d{0,38})){5,20}(?!\w|\.\d)", gate=_DOTTED),
    # Fewer numbers, but a long one: 2.25. and a UUID as one number (PS3.5, B.2).
    pattern(
        "uid",
        r"(?<![\w.])(?=[\d.]{12})(?=[\d.]{0,60}?\d{5})[0-2]\.\d{1,3}(?:\.\d{1,39}){1,20}(?!\w|\.\d)",
        gate=_DOTTED,
    ),
    pattern(
        "uid",
        r"(?<!\w)(?:oid|оид|uid|уид|urn:oid)[\s:=№]{1,3}(?P<value>[0-2](?:\.\d{1,39}){2,20})(?!\w|\.\d)",
        "oid", "оид", "uid", "уид",
        gate=_DOTTED,
    ),
    # A digest.
    pattern(
        "uid",
        rf"(?<!\w)(?=[a-f]*+\d)(?=\d*+[a-f]){_HEX}{{32}}(?:{_HEX}{{8}}(?:{_HEX}{{24}})?)?(?!\w)",
        gate=re.compile(rf"{_HEX}{{32}}"),
    ),
]  # fmt: skip
