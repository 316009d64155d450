"""How an exported model is asked, in files that other programs read: chat template, generation settings, Modelfile."""

import json

from transformers import GenerationConfig, PreTrainedTokenizerBase

from anamnesis.rendering import prompt
from anamnesis.settings.rendering import Headings

# Where an answer ends besides the end-of-text token, as in evaluation (tasks/domain/report_generation.yaml).
END = "\n"
DESCRIPTION = "\0"


def parts_of_prompt(headings: Headings) -> tuple[str, str]:
    """What comes before and after the description."""
    before, _, after = prompt(DESCRIPTION, headings).partition(DESCRIPTION)
    return before, after


def chat_template(headings: Headings, tokenizer: PreTrainedTokenizerBase) -> str:
    """The prompt of a report as a Jinja template whose one message is the description.

    It writes the tokens that the tokenizer puts before a text, because none are added to a rendered template.
    """
    plain, whole = tokenizer("A", add_special_tokens=False)["input_ids"], tokenizer("A")["input_ids"]
    start = tokenizer.decode(whole[: len(whole) - len(plain)])
    # JSON strings are Jinja strings.
    before, after = (json.dumps(part, ensure_ascii=False) for part in parts_of_prompt(headings))
    return (
        "{%- if messages | length != 1 or messages[0]['role'] != 'user' -%}"
        "{{- raise_exception('Give one message of the user: the description.') -}}"
        "{%- endif -%}"
        f"{{{{- {json.dumps(start, ensure_ascii=False)} -}}}}{{{{- {before} -}}}}"
        f"{{{{- messages[0]['content'] | trim -}}}}{{{{- {after} -}}}}"
    )


def end_tokens(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The end-of-text token, and every token with a line break.

    Evaluation cuts an answer at the first line break. As tokens these stop a model everywhere; `stop_strings` would ask
    the caller of `generate` for the tokenizer.
    """
    ids = sorted(set(tokenizer.get_vocab().values()) - {tokenizer.eos_token_id})
    texts = tokenizer.batch_decode([[token] for token in ids])
    return [tokenizer.eos_token_id, *(token for token, text in zip(ids, texts, strict=True) if END in text)]


def generation_settings(tokenizer: PreTrainedTokenizerBase, max_new_tokens: int) -> GenerationConfig:
    """Greedy decoding up to the end of the answer, as in evaluation."""
    return GenerationConfig(
        do_sample=False,
        max_new_tokens=max_new_tokens,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=end_tokens(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
    )


def modelfile(gguf: str, headings: Headings, end_of_text: str, max_new_tokens: int) -> str:
    """Ollama's description of the model. It reads quoted text as it is, so that a line break is written as one."""
    before, after = parts_of_prompt(headings)
    return (
        f'FROM ./{gguf}\nTEMPLATE """{before}{{{{ .Prompt }}}}{after}"""\n'
        f'PARAMETER stop "{END}"\nPARAMETER stop "{end_of_text}"\n'
        f"PARAMETER temperature 0\nPARAMETER num_predict {max_new_tokens}\n"
    )
