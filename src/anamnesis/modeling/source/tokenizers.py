"""The tokenizer: it must be the one that its file describes, and one that the rest of the pipeline can use."""

import tempfile
from pathlib import Path

from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedConfig, PreTrainedTokenizerBase

from anamnesis.modeling.source.refusal import UnusableModelError, explained

# Russian words, single digits and groups of them, line ends, several spaces. It has only characters that every
# tokenizer for Russian text knows, and does not begin with a space, where tokenizers of one family differ.
SAMPLE = (
    "Описание: Съешь ещё этих мягких булок,  да выпей чаю (12.5 мм; 2027).\n\nЗаключение: Bethesda IV. "
    "Фолликулярная опухоль щитовидной железы, 3 из 1048576 клеток.\r\nОтвет - объём 7 мл.   Answer: A\n"
)
# Ends of a prompt and beginnings of its answer, also with other headings and categories.
BOUNDARIES = [("Заключение: Bethesda", " IV. Картина"), ("Код болезни", " J06. Острый"), ("Класс:", " 2")]
UNLIMITED = int(1e30)


def load_tokenizer(folder: Path, config: PreTrainedConfig) -> PreTrainedTokenizerBase:
    """The folder's tokenizer; its `model_max_length` is the model's context, which `encode_reports` checks.

    Raises:
        UnusableModelError: it is not what the folder's tokenizer.json describes, loses text, or does not suit the model
            or the pipeline.
    """
    with explained("loading its tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if not getattr(tokenizer, "is_fast", False):
        raise UnusableModelError(
            f"its tokenizer ({type(tokenizer).__name__}) does not say where in the text a token is; convert it to a "
            f"tokenizer.json (a fast tokenizer of transformers)."
        )
    if tokenizer.eos_token_id is None:
        raise UnusableModelError(
            "its tokenizer has no end-of-text token; add one (`eos_token` in tokenizer_config.json)."
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.model_max_length = context_length(config) or UNLIMITED
    check_splitting(tokenizer, folder)
    check_text_survives(tokenizer)
    check_template(tokenizer)
    check_boundaries(tokenizer)
    check_ids(tokenizer, config)
    check_loads_back(tokenizer, config)
    return tokenizer


def context_length(config: PreTrainedConfig) -> int | None:
    """Positions of the model, under the names that the harness looks for as well; None if nothing limits them."""
    text = config.get_text_config()
    for name in ("n_positions", "max_position_embeddings", "n_ctx"):
        if isinstance(length := getattr(text, name, None), int):
            return length
    return None


def check_splitting(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Some tokenizer classes of transformers split text their own way and ignore tokenizer.json."""
    file = folder / "tokenizer.json"
    if not file.is_file():
        return
    with explained("reading its tokenizer.json"):
        own = Tokenizer.from_file(str(file))
    own.no_truncation()
    if own.encode(SAMPLE, add_special_tokens=False).ids != _ids(tokenizer, SAMPLE):
        raise UnusableModelError(
            f"transformers reads its tokenizer as {type(tokenizer).__name__}, which splits text otherwise than its "
            f"tokenizer.json says; set `tokenizer_class` in tokenizer_config.json to PreTrainedTokenizerFast, or where "
            f"that does not help (Qwen2) give the model with the tokenizer of its own architecture."
        )


def check_text_survives(tokenizer: PreTrainedTokenizerBase) -> None:
    """All characters but white space must come back: tokenizers silently drop what they do not know."""
    back = tokenizer.decode(_ids(tokenizer, SAMPLE))
    if "".join(back.split()) != "".join(SAMPLE.split()):
        raise UnusableModelError(
            "its tokenizer loses or changes Russian text; choose a model whose tokenizer covers Cyrillic (byte-level "
            "or multilingual)."
        )


def check_template(tokenizer: PreTrainedTokenizerBase) -> None:
    """Special tokens may come before a text (Llama and Gemma begin with BOS) and never after it.

    The harness takes the answer's tokens to be those after as many as the prompt alone has: an end-of-text token after
    every prompt would be where the answer begins, and all answers of one token would be equally probable.
    """
    plain, whole = _ids(tokenizer, SAMPLE), tokenizer(SAMPLE)["input_ids"]
    if whole[-len(plain) :] != plain:
        raise UnusableModelError(
            "its tokenizer adds a token after every text; set `add_eos_token` to false in tokenizer_config.json, or "
            "take the token out of the template (post_processor) in tokenizer.json."
        )


def check_boundaries(tokenizer: PreTrainedTokenizerBase) -> None:
    """A prompt's tokens stay what they are when the answer follows, and the answer's begin where its text begins.

    Training takes the tokens that begin in the answer, the harness those after the prompt's: they must be the same.
    `encode_report` checks every report; this check finds such a tokenizer before any long work.
    """
    for prompt, answer in BOUNDARIES:
        alone, whole = tokenizer(prompt)["input_ids"], tokenizer(prompt + answer, return_offsets_mapping=True)
        begin = [start for start, end in whole["offset_mapping"][len(alone) :] if end > start]
        if whole["input_ids"][: len(alone)] != alone or not begin or min(begin) < len(prompt):
            raise UnusableModelError(
                "its tokenizer joins the end of a prompt and the beginning of the answer into one token, so that the "
                "category could neither be trained nor scored; choose a model whose tokenizer splits at spaces."
            )


def check_ids(tokenizer: PreTrainedTokenizerBase, config: PreTrainedConfig) -> None:
    """Every token that a text can hold, and every special token in use, has a row of the embedding.

    Other special tokens may be beyond it: Gemma 3 1B has one for images, and no row for it.
    """
    rows = config.get_text_config().vocab_size
    if (pad := config.get_text_config().pad_token_id or 0) >= rows:
        raise UnusableModelError(
            f"`pad_token_id` in config.json is {pad}, and the embedding has rows 0 to {rows - 1}; set it "
            f"to the id of a token that the model has, or to null."
        )
    special = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    special -= set(_in_use(tokenizer))
    beyond = {token: id for token, id in tokenizer.get_vocab().items() if id >= rows and token not in special}
    if beyond:
        first = min(beyond, key=beyond.__getitem__)
        raise UnusableModelError(
            f"its tokenizer has ids beyond the {rows} rows of its embedding ({len(beyond)} in all; the first is "
            f"{beyond[first]}, {first!r}); take these tokens out of the tokenizer, or give the model with its "
            f"embedding resized."
        )


def check_loads_back(tokenizer: PreTrainedTokenizerBase, config: PreTrainedConfig) -> None:
    """Every later stage loads the tokenizer as saved beside the model, where transformers may choose another class."""
    with tempfile.TemporaryDirectory() as folder, explained("saving its tokenizer"):
        config.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        again = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    same = again(SAMPLE)["input_ids"] == tokenizer(SAMPLE)["input_ids"]
    if not same or (again.eos_token_id, again.pad_token_id) != (tokenizer.eos_token_id, tokenizer.pad_token_id):
        raise UnusableModelError(
            f"its tokenizer ({type(tokenizer).__name__}) is loaded as another ({type(again).__name__}) once it is "
            f"saved beside the model; give it as the tokenizer.json of its own architecture."
        )


def _in_use(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """The special tokens that this pipeline or the template puts into a sequence."""
    before = tokenizer.convert_ids_to_tokens(tokenizer(SAMPLE)["input_ids"][: -len(_ids(tokenizer, SAMPLE))])
    named = [tokenizer.eos_token, tokenizer.pad_token, tokenizer.bos_token, tokenizer.unk_token]
    return [*before, *(token for token in named if token is not None)]


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]
