"""The tagger of identifiers: its words, its findings, how it is trained, and what it does beside the rules."""

from pathlib import Path

import numpy as np
import pytest
import torch

from anamnesis.corpus.deidentification import Deidentifier, Found, tagger
from anamnesis.corpus.deidentification.tagger import WEIGHTS, Tagged, findings, tag, tag_probabilities
from anamnesis.corpus.deidentification.tagger_network import KINDS, Network, Words, words_of
from benchmarks.tagger import Reader, batch_of, changed, digest, tags_of, trained, training_reports
from tests.heldout import Planted, Report

TEXTS = [
    "Больная Гусарова М.П., 14.06 в 9-40, стёкла 1201/3.",
    "Узел 12 мм.",
    "",
    "¤ ¤",
    "Позвонить [ИМЯ] 67-12-90, каб. 4 и ещё раз завтра после обхода, она живёт на Лесной 4-12",
]

# The tags of their first words.
NAME, DATE = 1 + 2 * KINDS.index("name"), 1 + 2 * KINDS.index("date")


def test_words_are_letters_numbers_marks_and_placeholders() -> None:
    text = "к [ИМЯ] 12а/3\n_Ю"
    assert [text[start:end] for start, end in words_of(text)] == ["к", "[ИМЯ]", "12", "а", "/", "3", "\n", "_", "Ю"]


def _probabilities(rows: list[dict[int, float]]) -> np.ndarray:
    probabilities = np.zeros((len(rows), 1 + 2 * len(KINDS)))
    for number, row in enumerate(rows):
        probabilities[number, 0] = 1 - sum(row.values())
        for number_of_tag, probability in row.items():
            probabilities[number, number_of_tag] = probability
    return probabilities


def test_words_of_an_identifier_are_joined_and_the_next_begins_anew() -> None:
    text = "у Юрьевой А 5 мая, ."
    rest, rest_of_date = NAME + 1, DATE + 1
    said = [{}, {NAME: 0.9}, {rest: 0.4, NAME: 0.2}, {DATE: 0.4, rest: 0.3}, {rest_of_date: 0.51}]
    said += [{rest_of_date: 0.49}, {rest_of_date: 0.9}]
    found = findings(text, words_of(text), _probabilities(said), 0.5)
    assert [(text[one.start : one.end], one.kind, one.by) for one in found] == [
        ("Юрьевой А", "name", "tagger"),
        ("5 мая", "date", "tagger"),
    ]


def test_a_placeholder_is_no_identifier() -> None:
    text = "для [ИМЯ] Рубцовой"
    found = findings(text, words_of(text), _probabilities([{}, {NAME: 1.0}, {NAME: 1.0}]))
    assert [text[one.start : one.end] for one in found] == ["Рубцовой"]


def test_only_kinds_that_rules_mistake_are_ruled_out_and_only_if_no_word_is_likely() -> None:
    text = "Жгут Эсма рхов"
    tagged = Tagged((), ((0, 4), (5, 9), (10, 14)), (0.001, 0.001, 0.3))
    assert tagged.rules_out(text, Found(0, 9, "name"))
    assert tagged.rules_out(text, Found(2, 7, "name"))
    assert not tagged.rules_out(text, Found(5, 14, "name"))
    assert not tagged.rules_out(text, Found(5, 11, "name"))
    assert not tagged.rules_out(text, Found(0, 9, "snils"))
    assert not tagged.rules_out(text.upper(), Found(0, 9, "name"))
    assert not Tagged().rules_out(text, Found(0, 9, "name"))


def test_a_text_is_read_as_among_others() -> None:
    alone = [tag([text])[0] for text in TEXTS]
    for one, among in zip(alone, tag(TEXTS), strict=True):
        assert one.found == among.found
        assert one.words == among.words
        np.testing.assert_allclose(one.probabilities, among.probabilities, atol=1e-4)
    assert alone[0].found
    assert not alone[2].words


def _network(seed: int = 0) -> tuple[Reader, Network]:
    torch.manual_seed(seed)
    reader = Reader().eval()
    return reader, reader.network({"texts": "some"})


def test_large_batches_are_split_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    _, network = _network()
    sizes: list[int] = []
    real = network.probabilities

    def counted(texts: list[str], words: list[Words]) -> np.ndarray:
        sizes.append(len(texts))
        return real(texts, words)

    monkeypatch.setattr(network, "probabilities", counted)
    monkeypatch.setattr(tagger, "_MOST_WORDS", 60)
    texts = [f"{'слово ' * (number % 40 + 1)}" for number in range(50)]
    numbers = sorted(at for at, words, said in tag_probabilities([network], texts) if len(words) == len(said))
    assert numbers == list(range(50))
    assert len(sizes) > 10
    assert max(sizes) > 1


def test_numpy_computes_what_torch_computes() -> None:
    """Of texts of different lengths, in one batch, and of a word of each form."""
    reader, network = _network()
    texts = [TEXTS[0], "у", TEXTS[4], "ДОМ Ab c D XY xY № [ДАТА] 1 12345678901234567890 длиннющеесловище Щ\nщ"]
    words = [words_of(text) for text in texts]
    with torch.inference_mode():
        expected = reader(batch_of(texts, words, [np.zeros(len(spans), bool) for spans in words])).softmax(-1).numpy()
    said = network.probabilities(texts, words)
    for ours, theirs, spans in zip(said, expected, words, strict=True):
        np.testing.assert_allclose(ours[: len(spans)], theirs[: len(spans)], atol=1e-5)


def test_a_saved_network_says_nearly_the_same(tmp_path: Path) -> None:
    _, network = _network()
    network.save(tmp_path / "weights.safetensors")
    loaded = Network.load(tmp_path / "weights.safetensors")
    words = [words_of(TEXTS[0])]
    expected = network.probabilities(TEXTS[:1], words)
    np.testing.assert_allclose(loaded.probabilities(TEXTS[:1], words), expected, atol=2e-3)
    assert loaded.made == {"texts": "some"}


def test_the_weights_were_trained_on_the_open_sets_as_they_are() -> None:
    """After a change of the sets, run `python -m benchmarks.tagger`."""
    texts = digest(training_reports())
    for path in WEIGHTS:
        made = Network.load(path).made
        assert (made["texts"], made["kinds"]) == (texts, ",".join(KINDS))


def _report(text: str) -> Report:
    pieces, planted, length = text.split("|"), [], 0
    for number, piece in enumerate(pieces):
        if number % 2:
            kind, _, pieces[number] = piece.partition("=")
            planted.append(Planted(length, length + len(pieces[number]), kind))
        length += len(pieces[number])
    return Report("".join(pieces), tuple(planted))


def test_every_word_has_the_tag_of_its_identifier() -> None:
    report = _report("Больная |name=Юрьева А.|, |weekday=ср|, |date=5.06|")
    expected = [0, NAME, NAME + 1, NAME + 1, 0, DATE, 0, DATE, DATE + 1, DATE + 1]
    assert tags_of(words_of(report.text), report.identifiers) == expected


def test_changed_texts_keep_their_labels() -> None:
    report = _report("Больная |name=Юрьева А.|, |date=5.06|, стекло |slide=1201/3|, тел. |phone=67-12-90|.")
    generator = np.random.default_rng(0)
    texts = [changed(report, generator) for _ in range(200)]
    for text, kept in texts:
        said = {one.kind: text[one.start : one.end] for one in kept}
        assert said.get("name", "Юрьева А.").lower() == "юрьева а."
        assert said.get("date", "5.06") == "5.06"
        assert len(said.get("slide", "1201/3")) == 6
        assert len(kept) + text.count("[") == 4
    assert len({text for text, _ in texts}) > 150
    assert any(text.islower() for text, _ in texts)
    assert any("[СТЕКЛО]" in text for text, _ in texts)


def test_training_learns_where_identifiers_stand() -> None:
    surnames = ("Гусарова", "Юрьева", "Лапина", "Рубцова", "Зимина", "Котова", "Белова", "Носова")
    reports = [_report(f"{word} |name={name}| осмотрена, узел {size} мм.") for size, name in enumerate(surnames, 7)
               for word in ("Больная", "Пациентка")]  # fmt: skip
    network = trained(reports, 100, seed=0)
    text = "Больная Жердева осмотрена, узел 9 мм."
    ((_, words, said),) = tag_probabilities([network], [text])
    assert [text[one.start : one.end] for one in findings(text, words, said)] == ["Жердева"]


def test_the_clinicians_words_are_no_identifiers(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "Капли тирексин утром."
    seen = (Found(6, 14, "name", "tagger"),)
    monkeypatch.setattr(
        "anamnesis.corpus.deidentification.engine.tag",
        lambda texts: [Tagged(seen) if "тирексин" in text else Tagged() for text in texts],
    )
    assert Deidentifier(tagger=True).replace([text])[0].text == "Капли [ИМЯ] утром."
    assert Deidentifier(tagger=True, further=("тирексин",)).replace([text])[0].text == text


def test_what_the_tagger_rules_out_stays_but_never_the_rows_own_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "Больная Гусарова осмотрена."
    monkeypatch.setattr(
        "anamnesis.corpus.deidentification.engine.tag",
        lambda texts: [Tagged((), tuple(words_of(text)), (0.0,) * len(words_of(text))) for text in texts],
    )
    both = Deidentifier(tagger=True)
    assert Deidentifier().replace([text])[0].text == "Больная [ИМЯ] осмотрена."
    assert both.replace([text])[0].text == text
    assert both.replace([text], ["Гусарова Мария"])[0].text == "Больная [ИМЯ] осмотрена."
