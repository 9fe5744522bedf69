"""The gate: a candidate becomes champion only if it is better on the same items, with 95 % confidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from editfoundry.data.hashing import file_hash, input_hash
from editfoundry.data.index import index_path, shard_paths
from editfoundry.data.split_leaks import split_folders
from editfoundry.editors.open_editor import editor_folder, find_editor
from editfoundry.errors import BadInputError
from editfoundry.evaluation.reports.before_after import BASE, FINE_TUNED
from editfoundry.evaluation.reports.run_results import METRICS_FILE, Run, read_runs
from editfoundry.lineage.params import Params
from editfoundry.lineage.stages import Paths
from editfoundry.retraining.comparison import (
    METRIC,
    EditorComparison,
    Edits,
    are_same_items,
    compare_editors,
    edits_of,
)
from editfoundry.tracking.mlflow_client import TrackedRun, source_tags, tracked_run, tracking_uri_of
from editfoundry.tracking.model_registry import (
    MODEL_NAME,
    RegisteredVersion,
    register_version,
    registry_lock,
    set_alias,
    set_version_tag,
    version_by_alias,
)

CANDIDATE = "candidate"
CHAMPION = "champion"
EXPERIMENT = "gate"
ITSELF = "itself"
"""The opponent where the candidate is the champion."""
_RUN_TAG = "gate_run"
"""Version's tag: the MLflow run that keeps its scores, item by item."""
_SAMPLER_TAG = "sampler_hash"

Evaluate = Callable[[Params, Path, Path], None]
"""Evaluates an editor's folder and leaves ``metrics.json`` in another folder."""


@dataclass(frozen=True, kw_only=True)
class GateDecision:
    """What the gate decided, and why."""

    candidate: RegisteredVersion
    opponent: str
    """The champion's version, ``base`` where there was none, or ``itself``."""
    promoted: bool
    reason: str
    comparisons: tuple[EditorComparison, ...]
    """The headline benchmark, which decides, first."""
    run_id: str
    """The MLflow run that keeps this decision."""

    @property
    def regressions(self) -> list[EditorComparison]:
        """Benchmarks on which the candidate is worse than its opponent, with 95 % confidence."""
        return [comparison for comparison in self.comparisons if comparison.is_worse]


def pass_gate(params: Params, root: Path, evaluate: Evaluate | None = None) -> GateDecision:
    """Register the lineage's editor as ``candidate``, compare it with the champion, and promote it if it is better.

    Without a champion the opponent is the base that the editor was fine-tuned from. A champion that was evaluated on
    other items, or sampled otherwise, is evaluated again. The reason is kept as a tag of the version and of a run.

    Args:
        params: profile, and settings of the evaluation.
        root: the project's folder, with checkpoint and report.
        evaluate: evaluates a champion again; by default as the report was made.

    Raises:
        BadInputError: there is no checkpoint or no report.
    """
    with registry_lock(tracking_uri_of(root), root):
        return _pass_gate_alone(params, root, evaluate)


def _pass_gate_alone(params: Params, root: Path, evaluate: Evaluate | None) -> GateDecision:
    paths, uri = Paths(root), tracking_uri_of(root)
    runs = _read_report(paths.editworld_report)
    edits = edits_of(runs, FINE_TUNED)
    tags = _version_tags(params, paths)
    options = find_editor(str(paths.editworld)).option_kinds
    candidate = register_version(paths.editworld, tags=tags, tracking_uri=uri, root=root, options=options)
    champion = version_by_alias(CHAMPION, tracking_uri=uri)
    set_alias(CANDIDATE, candidate, uri)
    with tracked_run(EXPERIMENT, f"{MODEL_NAME} {candidate.version}", {}, tags, uri, root=root) as run:
        opponent_edits: Edits
        if champion is None:
            opponent, opponent_edits = BASE, edits_of(runs, BASE)
        elif champion.version == candidate.version:
            opponent, opponent_edits = ITSELF, edits
        else:
            opponent = f"champion, version {champion.version}"
            opponent_edits = _champion_edits(champion, edits, params, root, run, evaluate or _evaluate)
        comparisons = tuple(compare_editors(edits, opponent_edits, seed=params.editworld_report.seed))
        promoted, reason = decide(comparisons, opponent)
        decision = GateDecision(
            candidate=candidate,
            opponent=opponent,
            promoted=promoted,
            reason=reason,
            comparisons=comparisons,
            run_id=run.run_id,
        )
        _keep(decision, params, run, paths.editworld_report, uri)
    if promoted:
        # A tracking server has no lock: somebody else's candidate may have become champion meanwhile.
        now = version_by_alias(CHAMPION, tracking_uri=uri)
        if (now and now.version) != (champion and champion.version):
            return _pass_gate_alone(params, root, evaluate)
        set_alias(CHAMPION, candidate, uri)
    return decision


def decide(comparisons: tuple[EditorComparison, ...], opponent: str) -> tuple[bool, str]:
    """Return whether the candidate is promoted, and why, in one line.

    It must be better on the headline benchmark, and surely worse on none.
    """
    headline = comparisons[0]
    if opponent == ITSELF:
        return False, "this version is the champion already"
    regressions = [str(comparison) for comparison in comparisons[1:] if comparison.is_worse]
    if headline.is_better and regressions:
        return False, f"better than the {opponent} ({headline}), but worse elsewhere: {'; '.join(regressions)}"
    if headline.is_better:
        return True, f"better than the {opponent}, with 95 % confidence: {headline}"
    verdict = "worse than" if headline.is_worse else "not surely better than"
    return False, f"{verdict} the {opponent}: {headline}; the interval must lie above zero"


def _version_tags(params: Params, paths: Paths) -> dict[str, str]:
    source = source_tags(paths.root)
    splits = split_folders(paths.dataset)
    indexes = [file_hash(index_path(shard)) for folder in splits.values() for shard in shard_paths(folder)]
    return {
        "data_hash": next((v for k, v in source.items() if k.startswith("dvc.")), "") or input_hash(indexes),
        "code_revision": source.get("mlflow.source.git.commit", "unknown"),
        "profile": params.profile,
        "report": str(paths.editworld_report / "report.html"),
    }


def _sampler_hash(params: Params) -> str:
    return input_hash(params.editworld_report.sampling())


def _champion_edits(
    champion: RegisteredVersion, wanted: Edits, params: Params, root: Path, run: TrackedRun, evaluate: Evaluate
) -> Edits:
    """Return the champion's edits of the wanted items: those that were kept, where they fit, else new ones."""
    cache = root / ".cache" / "champion" / champion.version
    cache.mkdir(parents=True, exist_ok=True)
    sampled_alike = champion.tags.get(_SAMPLER_TAG) == _sampler_hash(params)
    if sampled_alike and _RUN_TAG in champion.tags:
        run.client.download_artifacts(champion.tags[_RUN_TAG], METRICS_FILE, str(cache))
        kept = _kept_edits(cache)
        if kept is not None and are_same_items(kept, wanted):
            return kept
    editor = editor_folder(champion.uri, root / ".cache" / "registered", tracking_uri_of(root))
    evaluate(params, editor, cache / "report")
    return edits_of(_read_report(cache / "report"), FINE_TUNED)


def _kept_edits(folder: Path) -> Edits | None:
    """Return the edits that were kept of the champion; None where they are of another layout than today's."""
    try:
        return edits_of(_read_report(folder), FINE_TUNED)
    except BadInputError:
        return None


def _evaluate(params: Params, editor: Path, output: Path) -> None:
    from editfoundry.evaluation.lineage_report import evaluate_checkpoint

    evaluate_checkpoint(params, editor, output)


def _keep(decision: GateDecision, params: Params, run: TrackedRun, report: Path, uri: str) -> None:
    told = {
        "gate_reason": decision.reason,
        "gate_opponent": decision.opponent,
        "gate_promoted": str(decision.promoted).lower(),
    }
    for name, value in told.items():
        run.set_tag(name, value)
    for comparison in decision.comparisons:
        for end in ("value", "low", "high"):
            run.log_metric(f"{comparison.benchmark}_{METRIC}_{end}", getattr(comparison.difference, end))
    for name in (METRICS_FILE, "summary.json", "report.html"):
        run.log_artifact(report / name)
    if decision.opponent == ITSELF:
        return
    sampler = _sampler_hash(params)
    for name, value in {**told, _RUN_TAG: run.run_id, _SAMPLER_TAG: sampler}.items():
        set_version_tag(decision.candidate, name, value, uri)


def _read_report(folder: Path) -> list[Run]:
    try:
        return read_runs(folder)
    except BadInputError as error:
        raise BadInputError(f"{error}; run editworld_report first") from error
