"""Makes the arms that claims compare, each once: what is there, of the same models and settings, is taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from editfoundry.claims.scores import ArmScores, scores_of
from editfoundry.claims.triplets import write_category_triplets, write_plain_triplets
from editfoundry.data.hashing import input_hash
from editfoundry.data.record import WORLD_CATEGORIES, short_hash
from editfoundry.editors.families.instruct_pix2pix.family import options_in
from editfoundry.editors.open_editor import find_editor
from editfoundry.editors.post_edit.post_edit_config import PostEditConfig
from editfoundry.errors import BadInputError, MissingModelError
from editfoundry.evaluation.benchmark_run import run_benchmark
from editfoundry.evaluation.benchmarks.item import Benchmark, BenchmarkItem
from editfoundry.evaluation.contestants import Contestant
from editfoundry.evaluation.contestants_by_name import EditorOptions, contestants_by_name
from editfoundry.evaluation.controls import ANOTHER_INSTRUCTION, INSTRUCTION_CONTROLS
from editfoundry.evaluation.json_file import write_json
from editfoundry.evaluation.metrics.all_metrics import METRICS
from editfoundry.evaluation.metrics.metric_models import MetricModels
from editfoundry.evaluation.reports.run_results import Run, read_run
from editfoundry.lineage.claims_config import ClaimsConfig
from editfoundry.pretrained.clip import ClipEncoder, load_clip
from editfoundry.pretrained.identity import model_identity
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.text_to_image import load_text_to_image
from editfoundry.pretraining.model_trainee import PretrainingConfig
from editfoundry.profiles import EMBEDDED_FOLDER, Profile
from editfoundry.synthesis.emu_edit.config import EmuPairConfig
from editfoundry.tinyworld.outcome import RULE_VERSION

if TYPE_CHECKING:
    from editfoundry.pretrained.text_to_image import Painter

Progress = Callable[[int, int], None]
_SHIPPED, _SHIPPED_EMU_EDIT = EMBEDDED_FOLDER / "editworld", EMBEDDED_FOLDER / "emu_edit"


@dataclass(frozen=True, eq=False)
class Workbench:
    """Models, settings and the folder that keeps finished arms."""

    profile: Profile
    runtime: Runtime
    config: ClaimsConfig
    work_dir: Path
    editor: Path | None = None
    """EditWorld's editor, where the person names one; otherwise the shipped one, or one trained here."""
    mgie: Path | None = None
    """Folder of MGIE's arms by their names in `recipes.mgie`, where a person names one; else they are trained here."""
    progress: Progress | None = None
    """Called with edits done and edits in all of the arm at hand."""
    emu_pairs: EmuPairConfig = field(default_factory=EmuPairConfig)
    """How the profile makes Emu Edit's pairs."""
    arms: list[Run] = field(default_factory=list)
    """The arms that were made or taken so far, each once."""

    @cached_property
    def clip(self) -> ClipEncoder:
        """The profile's CLIP, loaded once."""
        return load_clip(self.profile, self.runtime)

    @cached_property
    def painter(self) -> Painter:
        """The profile's text-to-image model, loaded once."""
        return load_text_to_image(self.profile, self.runtime)

    def contestant(
        self,
        source: str,
        given: Mapping[str, Any] | None = None,
        *,
        own_guidance: bool = False,
        post_edit: PostEditConfig | None = None,
        keep_below: float | None = None,
    ) -> Contestant:
        """Return an editor by its name, with the ledger's sampling where nothing else is said.

        Args:
            source: the editor's name or folder.
            given: options that differ from the ledger's.
            own_guidance: takes the guidance that the editor's folder says suits it, in the place of the ledger's.
            post_edit: follows the editor with EditWorld's post-edit.
            keep_below: keeps the input's pixels where less than this changed.
        """
        known = set(find_editor(source, self.profile).option_names)
        if own_guidance:
            known -= {"guidance_scale", "image_guidance_scale"}
        sampling = {name: value for name, value in options_in(self.config).items() if name in known}
        options = EditorOptions(given={**sampling, **(given or {})}, post_edit=post_edit, keep_below=keep_below)
        return contestants_by_name([source], self.profile, self.runtime, options)[-1]

    def scores(
        self,
        contestant: Contestant,
        benchmark: Benchmark,
        models: Callable[[], MetricModels] | None = None,
        model_roles: Sequence[str] = ("clip",),
        with_control: bool = True,
    ) -> ArmScores:
        """Edit a benchmark and score the edits, or take what is there; an interrupted arm goes on where it stopped.

        The same pictures are edited by another item's instruction beside it: the arm's control.

        Args:
            contestant: the editor.
            benchmark: what is asked for.
            models: loads the metrics' models; by default CLIP alone.
            model_roles: the profile's roles that ``models`` loads.
            with_control: whether to edit by another item's instruction, too.
        """
        controls = [control for control in INSTRUCTION_CONTROLS if with_control and control.name == ANOTHER_INSTRUCTION]
        identities = [model_identity(self.profile, role) for role in model_roles]
        seed, items = self.config.seed, [_item_facts(item) for item in benchmark.items]
        digest = input_hash(
            benchmark.name,
            items,
            list(contestant.identity),
            dict(contestant.settings),
            identities,
            seed,
            [metric.name for metric in METRICS],
            RULE_VERSION,
            [control.name for control in controls],
        )
        folder = self.work_dir / "arms" / digest[:16]
        done = folder / "arm.json"
        if not done.is_file():
            load = models or (lambda: MetricModels({"clip": self.clip}))
            run_benchmark(
                [contestant],
                benchmark,
                folder,
                models=load(),
                seed=seed,
                batch_size=self.config.batch_size,
                controls=controls,
                progress=self.progress,
            )
            write_json(done, {"editor": contestant.description, "benchmark": benchmark.name})
        run = read_run(folder)
        if all(run.folder != known.folder for known in self.arms):
            self.arms.append(run)
        return scores_of(run)

    def editworld(self) -> str:
        """Return the folder of EditWorld's editor: the one named, the shipped one, or one trained on all categories."""
        if self.editor is not None:
            return str(self.editor)
        is_embedded = self.profile.model("editor_base").source.startswith("package:")
        if is_embedded and (_SHIPPED / "model_index.json").is_file():
            return str(_SHIPPED)
        return self.trained([WORLD_CATEGORIES])

    def emu_edit(self) -> str:
        """Return the folder of the embedded Emu Edit editor.

        Raises:
            MissingModelError: it is not in the package, or the profile's models are others.
        """
        is_embedded = self.profile.model("editor_base").source.startswith("package:")
        if is_embedded and (_SHIPPED_EMU_EDIT / "model_index.json").is_file():
            return str(_SHIPPED_EMU_EDIT)
        raise MissingModelError(
            f"profile {self.profile.name!r} has no Emu Edit editor: use the profile embedded, and train the editor "
            "with: editfoundry tinyworld pretrain emu_edit"
        )

    def trained(self, branches: Sequence[Sequence[str]]) -> str:
        """Fine-tune the profile's base on tinyworld's pairs of these categories; return the checkpoint's folder.

        An interrupted training resumes, a finished one is taken.
        """
        chosen = self.config
        count = chosen.num_training_triplets
        digest = input_hash([list(branch) for branch in branches], count, chosen.seed)[:16]
        dataset = self.work_dir / "triplets" / digest
        write_category_triplets(dataset, count, branches, chosen.seed)
        return self._train(
            editor=self.profile.model("editor_base").location,
            dataset=dataset,
            output=self.work_dir / "checkpoints" / digest,
            num_steps=chosen.num_training_steps,
            train_text_encoder=True,
        )

    def trained_on_plain_edits(self, settings: Mapping[str, Any], share: float = 1.0) -> str:
        """Train an editor from the profile's text-to-image model on tinyworld's plain edits; return its folder.

        An interrupted training resumes, a finished one is taken.

        Args:
            settings: of `InstructPix2PixTraining`, where they differ from those that all arms have.
            share: of the training triplets, the first ones.
        """
        chosen = self.config
        count = max(1, round(share * chosen.num_training_triplets))
        dataset = self.work_dir / "triplets" / f"plain-{count}-{chosen.seed}"
        write_plain_triplets(dataset, count, chosen.seed)
        digest = input_hash("plain", dict(settings), count, chosen.seed)[:16]
        return self._train(
            editor=self.profile.model("text_to_image").location,
            dataset=dataset,
            output=self.work_dir / "checkpoints" / digest,
            num_steps=chosen.num_plain_training_steps,
            **settings,
        )

    def _train(self, *, num_steps: int, **settings: Any) -> str:
        from editfoundry.editors.families.instruct_pix2pix.training_config import InstructPix2PixTraining
        from editfoundry.editors.train import train_editor

        chosen = self.config
        # The trainer itself tells whether a checkpoint has other settings, data or starting weights.
        config = InstructPix2PixTraining(
            work_dir=self.work_dir / "training",
            num_steps=num_steps,
            batch_size=chosen.training_batch_size,
            learning_rate=chosen.learning_rate,
            num_warmup_steps=min(20, num_steps // 4),
            ema_decay=0.98,
            change_weight=chosen.change_weight,
            checkpoint_every=50,
            seed=chosen.seed,
            **settings,
        )
        train_editor(config)
        return str(config.output)

    def trained_on_ambiguous(self, name: str) -> str:
        """Return the folder of one of MGIE's arms: of those that are named, or one trained here.

        All arms start from EditWorld's editor and learn from the same triplets for the same steps; an interrupted
        training resumes, a finished one is taken.

        Args:
            name: of `recipes.mgie.VARIANTS`, or `recipes.mgie.BASELINE`, the InstructPix2Pix editor.

        Raises:
            BadInputError: the folder that is named lacks the arm, or the editor to start at is an MGIE editor.
        """
        from editfoundry.editors.families.mgie.model import MLLM_FOLDER
        from editfoundry.pretraining.recipes import mgie

        if self.mgie is not None:
            folder = self.mgie / name
            if not (folder / "model_index.json").is_file():
                raise BadInputError(f"{folder}: no editor; editfoundry tinyworld pretrain {name} --out {self.mgie}")
            return str(folder)
        chosen, work_dir = self.config, self.work_dir / "mgie"
        config = PretrainingConfig(
            num_steps=chosen.num_ambiguous_training_steps,
            batch_size=chosen.training_batch_size,
            learning_rate=chosen.ambiguous_learning_rate,
            num_warmup_steps=min(20, chosen.num_ambiguous_training_steps // 4),
            ema_decay=0.98,
            seed=chosen.seed,
        )
        start, triplets = self.editworld(), (chosen.num_training_triplets, chosen.ambiguous_plain_share)
        if (Path(start) / MLLM_FOLDER).is_dir():
            raise BadInputError(f"{start} is an MGIE editor, but MGIE's claims start at one with a text encoder")
        if name == mgie.BASELINE:
            mgie.train_baseline(work_dir, start, config, *triplets)
        else:
            mllm = self.profile.model("vision_language_model").location
            mgie.train_mgie(work_dir, start, mllm, config, name, *triplets)
        return str(work_dir / name)


def _item_facts(item: BenchmarkItem) -> list[str]:
    """Return what an item's edit and scores depend on."""
    pictures = [item.open_input(), item.open_truth()]
    hashes = [short_hash(picture.tobytes()) for picture in pictures if picture is not None]
    task = [item.task] if item.task else []
    return [item.id, item.instruction, item.input_caption or "", item.output_caption or "", *task, *hashes]
