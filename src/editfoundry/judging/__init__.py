"""The judge: a vision-language model that looks at an edit and says how good it is."""

from editfoundry.judging.answers import Answer, parse_answer
from editfoundry.judging.edit_pair import EditPair
from editfoundry.judging.judge import Judgement, judge_pairs
from editfoundry.judging.judge_config import JudgeConfig
from editfoundry.judging.judge_prompts import PROMPT_VERSION
from editfoundry.judging.judge_thresholds import JudgeThresholds, check_judge

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
