"""The tokenizer and the chat of the embedded video-language model: every word of tinyworld's captions is one token."""

from __future__ import annotations

from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from editfoundry.pretraining.chat_tokens import END, PAD, START, UNKNOWN, caption_texts, word_splitter
from editfoundry.pretraining.judge_text import ANSWER, IMAGE, Example
from editfoundry.synthesis.editworld_video.storyline_prompts import load_storyline_prompts
from editfoundry.tinyworld.storyline_text import NOTHING

VIDEO = "<video>"
PROMPTS = "tinyworld"
"""The storyline prompts that the embedded models are asked."""
THEN = "▁Then"
"""The token before what has come of it."""
CHAT_TEMPLATE = (
    "{{ '<s>' }}{% for message in messages %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'video') %}{{ '<video>' }}{% endfor %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{% if message['role'] == 'assistant' %}{{ '<answer>' + content['text'] + '</s>' }}"
    "{% else %}{{ content['text'] }}{% endif %}{% endfor %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<answer>' }}{% endif %}"
)


def build_storyline_tokenizer() -> PreTrainedTokenizerFast:
    """Return the tokenizer that knows every word of descriptions and of the prompt."""
    texts = [*caption_texts(), f"apple. Then {NOTHING}.", load_storyline_prompts(PROMPTS).describe]
    splitter = word_splitter()
    words = {piece for text in texts for piece, _ in splitter.pre_tokenize_str(text)}
    special = [UNKNOWN, START, END, PAD, IMAGE, VIDEO, ANSWER]
    tokenizer = Tokenizer(models.WordLevel({token: i for i, token in enumerate([*special, *sorted(words)])}, UNKNOWN))
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    tokenizer.add_special_tokens(special)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token=UNKNOWN,
        bos_token=START,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[IMAGE, VIDEO, ANSWER],
    )


def encode_description(tokenizer: PreTrainedTokenizerFast, description: str, num_video_tokens: int) -> Example:
    """Return a whole chat's tokens, as ``CHAT_TEMPLATE`` writes it, and where the answer begins."""
    question = START + VIDEO * num_video_tokens + load_storyline_prompts(PROMPTS).describe + ANSWER
    before = tokenizer(question, add_special_tokens=False)["input_ids"]
    return before + tokenizer(description + END, add_special_tokens=False)["input_ids"], len(before)
