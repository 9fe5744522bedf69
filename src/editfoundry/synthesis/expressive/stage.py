"""The stage ``express``: triplet shards in, the same triplets with expressive instructions out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from editfoundry.data.fields import triplet_fields
from editfoundry.data.hashing import input_hash
from editfoundry.data.index import index_path, shards_of
from editfoundry.data.record import Triplet
from editfoundry.data.rejections import RejectedRow
from editfoundry.data.shards import count_triplets, read_triplets
from editfoundry.data.stage_result import StageResult
from editfoundry.data.untrusted import BROKEN
from editfoundry.execution.progress import Progress
from editfoundry.execution.runner import run_stage
from editfoundry.execution.shard_stage import Shard, ShardStage
from editfoundry.execution.shard_store import ShardNotes, TripletStore
from editfoundry.pretrained.chat import ChatAnswer
from editfoundry.pretrained.identity import model_identity
from editfoundry.pretrained.journal import JUDGE_SUFFIX, Journal, journal_path
from editfoundry.pretrained.judge_model import load_judge_model, remembering
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.summarizer import Summarizer, load_summarizer
from editfoundry.pretrained.vision_endpoint import VisionEndpoint
from editfoundry.profiles import Profile
from editfoundry.synthesis.expressive.config import TRUTH, ExpressiveConfig
from editfoundry.synthesis.expressive.question import AT_LENGTH, PROMPT, long_question

if TYPE_CHECKING:
    from editfoundry.pretrained.judge_model import JudgeModel

STAGE = "express"
NO_ANSWER, NO_SUMMARY, NO_CAPTION = "no answer", "no summary", "no output caption"
BROKEN_ANSWER = "broken character in answer"
"""Why a triplet gets no expressive instruction, and is left out."""


@dataclass(frozen=True)
class Writers:
    """The models that write, loaded once."""

    teller: JudgeModel | None
    """Says what an edit will look like; None where the truth is taken."""
    summarizer: Summarizer | None
    """None leaves what is said as long as it is."""

    @contextmanager
    def remembering(self, shard: Path) -> Iterator[Writers]:
        """Yield writers whose endpoint, if it is one that tells, keeps its answers beside a shard."""
        with remembering(self.teller, shard) as teller:
            yield replace(self, teller=teller)


@dataclass(frozen=True)
class ExpressiveStage(ShardStage[Path, Writers, Triplet]):
    """Triplets with expressive instructions."""

    source: Path
    """Folder of triplet shards, or one shard."""
    config: ExpressiveConfig
    profile: Profile
    device: str = "auto"

    name: ClassVar[str] = STAGE
    store: ClassVar[TripletStore] = TripletStore()

    @cached_property
    def _identity(self) -> list[object]:
        return [PROMPT + AT_LENGTH, *(model_identity(self.profile, role) for role in self.config.roles)]

    def shards(self) -> list[Shard[Path]]:
        """Return the triplet shards."""
        return [Shard(path.stem, path, count_triplets(path)) for path in shards_of(self.source)]

    def digest(self, shard: Shard[Path], target: Path) -> str:
        """Hash the triplets' index, the parameters, the models and the question."""
        return input_hash(index_path(shard.source), self.config, self._identity)

    def setup(self) -> Writers:
        """Load the vision-language model and the summarizer, as far as they are asked for."""
        runtime, roles = choose_runtime(self.device), self.config.roles
        return Writers(
            teller=load_judge_model(self.profile, runtime) if roles else None,
            summarizer=load_summarizer(self.profile, runtime) if "summarizer" in roles else None,
        )

    def process(self, models: Writers, shard: Shard[Path], target: Path, notes: ShardNotes) -> Iterator[Triplet]:
        """Yield a shard's triplets in order; one about which nothing is said is rejected."""
        triplets = read_triplets(shard.source)
        with closing(Journal(journal_path(target))) as journal, models.remembering(target) as writers:
            while batch := list(islice(triplets, self.config.records_per_batch)):
                yield from self._expressed(batch, writers, journal, notes.rejected)

    def leftovers(self, target: Path) -> list[Path]:
        """Return the journals of what the models wrote, and of what an endpoint answered."""
        return [journal_path(target), journal_path(target, JUDGE_SUFFIX)]

    def _expressed(
        self, batch: Sequence[Triplet], models: Writers, journal: Journal, rejected: list[RejectedRow]
    ) -> Iterator[Triplet]:
        told = self._told(batch, models, journal)
        short = self._shortened(told, models, journal)
        for triplet, said, kept in zip(batch, told, short, strict=True):
            reason = self._why_unusable(said, kept)
            if reason:
                rejected.append(RejectedRow(triplet.id, reason, said, triplet_fields(triplet)))
                continue
            facts = {**self._written_by(models), **({"said": said} if said != kept else {})}
            yield replace(triplet, expressive_instruction=kept, provenance={**triplet.provenance, "expressive": facts})

    def _why_unusable(self, said: str, kept: str) -> str:
        """Return why a triplet is left out; nothing where it gets its instruction."""
        if not said:
            return NO_CAPTION if self.config.source == TRUTH else NO_ANSWER
        if BROKEN in said:
            return BROKEN_ANSWER
        return "" if kept else NO_SUMMARY

    def _told(self, batch: Sequence[Triplet], models: Writers, journal: Journal) -> list[str]:
        teller, most = models.teller, self.config.max_new_tokens
        if teller is None:
            return [triplet.output_caption for triplet in batch]

        def ask(places: Sequence[int]) -> list[str]:
            chosen = [batch[place] for place in places]
            questions = [long_question(triplet.instruction) for triplet in chosen]
            return teller.generate([(triplet.input_image,) for triplet in chosen], questions, most)

        if isinstance(teller, VisionEndpoint):
            texts = ask(range(len(batch)))
        else:
            keys = [input_hash("told", self._identity, most, triplet.id) for triplet in batch]
            texts = _remembered(keys, ask, journal)
        return [" ".join(text.split()) for text in texts]

    def _shortened(self, told: Sequence[str], models: Writers, journal: Journal) -> list[str]:
        summarizer = models.summarizer
        if summarizer is None:
            return list(told)
        keys = [input_hash("short", self._identity, text) for text in told]
        return _remembered(keys, lambda places: summarizer.summarize([told[place] for place in places]), journal)

    def _written_by(self, models: Writers) -> dict[str, Any]:
        named = {"vision_language_model": models.teller, "summarizer": models.summarizer}
        found = {role: model.name for role, model in named.items() if model is not None}
        return found or {"source": TRUTH}


def _remembered(keys: Sequence[str], ask: Callable[[Sequence[int]], list[str]], journal: Journal) -> list[str]:
    """Return what a model wrote for each key, asking for what the journal has not."""
    missing = [place for place, key in enumerate(keys) if journal.get(key) is None]
    for place, text in zip(missing, ask(missing) if missing else [], strict=True):
        journal.add(keys[place], ChatAnswer(text=text))
    journal.sync()
    return [answer.text if (answer := journal.get(key)) is not None else "" for key in keys]


def express(
    source: Path,
    output: Path,
    config: ExpressiveConfig,
    profile: Profile,
    device: str = "auto",
    progress: Progress | None = None,
    only: str | None = None,
    replace: bool = False,
) -> StageResult:
    """Write each shard of ``source`` again, its triplets with expressive instructions.

    A shard is there when it was made of the same triplets, parameters and models. What is interrupted goes on with what
    the models have written already.

    Args:
        source: folder of triplet shards, or one shard.
        output: folder of the shards that are written.
        config: whose words, and how short.
        profile: names the roles ``vision_language_model`` and ``summarizer``.
        device: ``auto``, ``cpu``, ``cuda``.
        progress: called with triplets done and triplets in all.
        only: a shard to work on alone.
        replace: whether shards of other triplets may be replaced.

    Raises:
        BadInputError: ``source`` holds no shard or a damaged one, or ``output`` something else.
        MissingModelError: a model is not on this machine.
        UnavailableError: the model's endpoint left questions unanswered.
    """
    stage = ExpressiveStage(source, config, profile, device)
    return run_stage(stage, output, only=only, progress=progress, replace=replace)
