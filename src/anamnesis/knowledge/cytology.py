"""Cytology of another organ: salivary-gland aspirates with their category in the Milan System.

A large language model has read cytology before it meets a thyroid; without such text the tiny one would have to
learn during fine-tuning what a description is for. So its general text holds reports of another organ in which the
category follows from the findings (the Milan System: Faquin WC, Rossi ED, Baloch Z, et al. The Milan System for
Reporting Salivary Gland Cytopathology. Springer 2018). The odds below are judgements that make it follow, not
measured frequencies. No thyroid aspirate and no wording of the FNA corpus is among them.
"""

import random

# Aspect -> finding -> wordings.
_FINDINGS: dict[str, dict[str, tuple[str, ...]]] = {
    "material": {
        "empty": ("Клеточный материал отсутствует.", "В препарате только кровь.", "Клеток для оценки нет."),
        "poor": ("Клеток мало.", "Материал скудный.", "Препарат беден клетками."),
        "fair": ("Клеток умеренное количество.", "Материал достаточный.", "Клеточность умеренная."),
        "rich": ("Клеток много.", "Материал обильный.", "Препарат богат клетками."),
    },
    "background": {
        "mucus": ("Фон слизистый.", "Слизь в фоне препарата.", "На фоне слизи."),
        "inflamed": ("В фоне много лимфоцитов и нейтрофилов.", "Выраженное воспаление.", "Воспалительный фон."),
        "stroma": ("Хондромиксоидная строма.", "Обилие миксоидного вещества.", "Строма волокнистая, миксоидная."),
        "clean": ("Фон чистый.", "Фон без особенностей.", "Межклеточного вещества нет."),
        "necrosis": ("В фоне некроз.", "Некротический детрит.", "Детрит и распад клеток."),
    },
    "structure": {
        "acini": ("Ацинусы обычного строения.", "Дольки нормальных ацинусов.", "Ацинарные клетки гроздьями."),
        "sheets": ("Клетки пластами.", "Ровные пласты протокового эпителия.", "Пласты без наслоения."),
        "crowded": ("Скопления тесные, с наслоением ядер.", "Трёхмерные комплексы.", "Клетки лежат тесно."),
        "single": ("Клетки разрозненные.", "Клетки лежат поодиночке.", "Связь между клетками утрачена."),
    },
    "nuclei": {
        "small": ("Ядра мелкие, одинаковые.", "Ядра округлые, мономорфные.", "Полиморфизма ядер нет."),
        "mixed": ("Часть ядер увеличена.", "Отдельные ядра неправильной формы.", "Полиморфизм ядер слабый."),
        "large": ("Ядра крупные, полиморфные.", "Ядра резко увеличены.", "Полиморфизм ядер выражен."),
    },
    "chromatin": {
        "even": ("Хроматин равномерный.", "Хроматин нежный.", "Рисунок хроматина обычный."),
        "dense": ("Хроматин уплотнён.", "Хроматин местами грубый.", "Гиперхромия отдельных ядер."),
        "coarse": ("Хроматин грубый, глыбчатый.", "Гиперхромия ядер.", "Хроматин распределён неравномерно."),
    },
    "mitoses": {
        "none": ("Митозов нет.", "Фигуры деления не найдены.", "Митозы не обнаружены."),
        "some": ("Единичные митозы.", "Встречаются фигуры деления.", "Найдены два митоза."),
        "many": ("Митозы частые, патологические.", "Много митозов.", "Митозы в каждом поле зрения."),
    },
}

# Category -> aspect -> odds of its findings; what is missing to 1 is silence.
_ODDS: dict[str, dict[str, dict[str, float]]] = {
    "I": {
        "material": {"empty": 0.6, "poor": 0.4},
        "background": {"clean": 0.4, "mucus": 0.2},
        "nuclei": {"small": 0.2},
    },
    "II": {
        "material": {"fair": 0.8, "rich": 0.1},
        "background": {"inflamed": 0.6, "clean": 0.3},
        "structure": {"acini": 0.7, "sheets": 0.3},
        "nuclei": {"small": 0.9},
        "chromatin": {"even": 0.7},
        "mitoses": {"none": 0.5},
    },
    "III": {
        "material": {"poor": 0.8, "fair": 0.2},
        "background": {"mucus": 0.6, "inflamed": 0.2},
        "structure": {"sheets": 0.4, "crowded": 0.4},
        "nuclei": {"mixed": 0.9},
        "chromatin": {"even": 0.4, "dense": 0.4},
        "mitoses": {"none": 0.5},
    },
    "IV": {
        "material": {"rich": 0.9, "fair": 0.1},
        "background": {"stroma": 0.8, "clean": 0.2},
        "structure": {"crowded": 0.5, "sheets": 0.5},
        "nuclei": {"small": 0.7, "mixed": 0.3},
        "chromatin": {"even": 0.7},
        "mitoses": {"none": 0.6},
    },
    "V": {
        "material": {"poor": 0.5, "fair": 0.5},
        "background": {"mucus": 0.3, "necrosis": 0.3},
        "structure": {"crowded": 0.5, "single": 0.5},
        "nuclei": {"large": 0.8, "mixed": 0.2},
        "chromatin": {"dense": 0.7, "coarse": 0.3},
        "mitoses": {"some": 0.8},
    },
    "VI": {
        "material": {"rich": 1.0},
        "background": {"necrosis": 0.7, "inflamed": 0.1},
        "structure": {"single": 0.6, "crowded": 0.4},
        "nuclei": {"large": 1.0},
        "chromatin": {"coarse": 0.8},
        "mitoses": {"many": 0.7, "some": 0.2},
    },
}

_SHARES = {"I": 0.15, "II": 0.3, "III": 0.12, "IV": 0.18, "V": 0.11, "VI": 0.14}

_CONCLUSIONS = {
    "I": ("Материал неинформативен.", "Оценка невозможна, повторить пункцию."),
    "II": ("Сиаладенит.", "Изменения неопухолевые."),
    "III": ("Атипия неясного значения.", "Опухоль исключить нельзя."),
    "IV": ("Плеоморфная аденома.", "Доброкачественное новообразование слюнной железы."),
    "V": ("Подозрение на злокачественную опухоль.", "Вероятна карцинома, нужна биопсия."),
    "VI": ("Карцинома слюнной железы.", "Злокачественная опухоль."),
}

_SITES = ("околоушной", "поднижнечелюстной", "подъязычной", "малой слюнной")


def cytology_reports(count: int, seed: int) -> list[str]:
    """Return `count` different reports of salivary-gland aspirates."""
    rng = random.Random(seed)
    reports: dict[str, None] = {}
    while len(reports) < count:
        reports[_report(rng)] = None
    return list(reports)


def _report(rng: random.Random) -> str:
    category = rng.choices(list(_SHARES), list(_SHARES.values()))[0]
    findings = []
    for aspect, odds in _ODDS[category].items():
        found = rng.choices([*odds, None], [*odds.values(), max(0.0, 1 - sum(odds.values()))])[0]
        if found is not None:
            findings.append(rng.choice(_FINDINGS[aspect][found]))
    rng.shuffle(findings)
    site = f"Пунктат {rng.choice(_SITES)} железы, образование {rng.randint(6, 40)} мм."
    return f"Описание: {site} {' '.join(findings)}\nЗаключение: Milan {category}. {rng.choice(_CONCLUSIONS[category])}"
