"""The judge: a vision-language model that looks at an edit and says how good it is."""

from editfoundry.curation.judge.answers import Answer, parse_answer
from editfoundry.curation.judge.config import JudgeConfig
from editfoundry.curation.judge.edit_pair import EditPair
from editfoundry.curation.judge.judge import Judgement, judge_pairs
from editfoundry.curation.judge.prompts import PROMPT_VERSION
from editfoundry.curation.judge.thresholds import JudgeThresholds, check_judge

__all__ = [
    "PROMPT_VERSION",
    "Answer",
    "EditPair",
    "JudgeConfig",
    "JudgeThresholds",
    "Judgement",
    "check_judge",
    "judge_pairs",
    "parse_answer",
]
