"""The role ``task_predictor``: a tiny T5 that tells Emu Edit's task of an instruction."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast, T5Config, T5ForSequenceClassification

from editfoundry.data.atomic import atomic_file
from editfoundry.data.hashing import input_hash
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.task_predictor import MAX_TOKENS, load_task_predictor
from editfoundry.pretraining.model_trainee import PretrainingConfig, PretrainingResult, fit
from editfoundry.pretraining.parallel_drawing import mapped
from editfoundry.pretraining.task_wordings import FURTHER_WORDINGS, further_instruction
from editfoundry.profiles import Profile
from editfoundry.tinyworld.scene_sampling import random_stream
from editfoundry.tinyworld.tasks.task_sampling import MADE_TASKS, SAMPLERS

NUM_INSTRUCTIONS = 30_000
FURTHER_SHARE = 0.5
"""Of the instructions: those in wordings of the recipe's own, see `task_wordings`."""
NUM_MEASURED = 1500
UNKNOWN_SHARE = 0.15
"""Of the words: those that are hidden, so that words which were never seen lead nowhere."""
PAD, END, UNKNOWN = "<pad>", "</s>", "<unk>"
CONFIG = PretrainingConfig(
    num_steps=2500, batch_size=64, learning_rate=3e-3, weight_decay=0.05, max_grad_norm=1.0, ema_decay=0.995
)


def task_predictor_config(vocabulary_size: int) -> T5Config:
    """Return the embedded T5's size."""
    return T5Config(
        vocab_size=vocabulary_size,
        d_model=64,
        d_kv=16,
        d_ff=128,
        num_layers=2,
        num_decoder_layers=1,
        num_heads=4,
        dropout_rate=0.1,
        classifier_dropout=0.1,
        tie_word_embeddings=True,
        id2label={number: str(task) for number, task in enumerate(MADE_TASKS)},
        label2id={str(task): number for number, task in enumerate(MADE_TASKS)},
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
    )


def train_task_predictor(
    work_dir: Path,
    device: torch.device,
    config: PretrainingConfig = CONFIG,
    num_instructions: int = NUM_INSTRUCTIONS,
) -> tuple[T5ForSequenceClassification, PreTrainedTokenizerFast, PretrainingResult]:
    """Train on instructions of all tasks in turns: the training split's, and as many in further wordings."""
    texts = _instructions(work_dir / "data", num_instructions)
    tokenizer = build_tokenizer(texts)
    torch.manual_seed(config.seed)
    model = T5ForSequenceClassification(task_predictor_config(len(tokenizer))).to(device)
    encoded = [torch.tensor(ids) for ids in tokenizer(texts, truncation=True, max_length=MAX_TOKENS)["input_ids"]]
    unknown = tokenizer.unk_token_id

    def step_loss(t5: nn.Module, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(num_instructions, (config.batch_size,), generator=generator).tolist()
        ids = nn.utils.rnn.pad_sequence([encoded[index] for index in chosen], batch_first=True, padding_value=0)
        hidden = torch.rand(ids.shape, generator=generator) < UNKNOWN_SHARE
        ids = torch.where(hidden & (ids > unknown), unknown, ids).to(device)
        labels = torch.tensor([index % len(MADE_TASKS) for index in chosen]).to(device)
        return t5(input_ids=ids, attention_mask=(ids != 0).long(), labels=labels).loss

    result = fit(model, step_loss, config, work_dir / "task_predictor")
    return model, tokenizer, result


def build_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """Return a tokenizer of the words and marks of ``texts``, in lower case; all others are unknown to it."""
    counts = Counter(word for text in texts for word in re.findall(r"\w+|[^\w\s]", text.lower()))
    words = [word for word, count in sorted(counts.items()) if count > 1]
    vocabulary = {word: number for number, word in enumerate([PAD, END, UNKNOWN, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, UNKNOWN))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {END}", special_tokens=[(END, 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        model_max_length=MAX_TOKENS,
    )


def instruction_of(number: int) -> str:
    """Return the training instruction of a number; the tasks take turns."""
    random, task = random_stream("task_predictor", number), MADE_TASKS[number % len(MADE_TASKS)]
    if random.random() < FURTHER_SHARE:
        return further_instruction(random, task)
    return SAMPLERS[task](random, "train", False).instruction


def measure_task_predictor(profile: Profile, runtime: Runtime, num_asked: int = NUM_MEASURED) -> dict[str, float]:
    """Return the shares of instructions whose task is told, in wordings that training never had and in trained ones.

    All are about things of the test split. Beside them what the most frequent task gets, said to everything: the
    control; and the lowest share of a task.
    """
    predictor = load_task_predictor(profile, runtime)
    tasks = [MADE_TASKS[number % len(MADE_TASKS)] for number in range(num_asked)]
    measures: dict[str, float] = {}
    for name, held_out in (("held_out_wordings", True), ("trained_wordings", False)):
        streams = (random_stream("measure tasks", held_out, number) for number in range(num_asked))
        texts = [SAMPLERS[task](one, "test", held_out).instruction for task, one in zip(tasks, streams, strict=True)]
        told = list(zip(tasks, predictor.predict(texts), strict=True))
        measures[f"accuracy_in_{name}"] = sum(task == found for task, found in told) / num_asked
        own = {task: [found == task for other, found in told if other == task] for task in tasks}
        measures[f"lowest_of_a_task_in_{name}"] = min(sum(right) / len(right) for right in own.values())
    measures["accuracy_of_the_most_frequent_task"] = max(Counter(tasks).values()) / num_asked
    return measures


def _instructions(folder: Path, count: int) -> Sequence[str]:
    """Return the first instructions, drawn once."""
    digest = input_hash("task_predictor", FURTHER_SHARE, dict(FURTHER_WORDINGS))
    path = folder / f"task-instructions-{count}-{digest[:12]}.json"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        texts = [text for block in mapped(instruction_of, range(count)) for text in block]
        with atomic_file(path) as file:
            file.write(json.dumps(texts).encode())
    return list(json.loads(path.read_text()))
