"""All claims, in the order of the ledger."""

from __future__ import annotations

from editfoundry.claims.claim import Claim
from editfoundry.claims.rows.clip_filter import CLIP_FILTER_BEATS_RANDOM
from editfoundry.claims.rows.guidance import GUIDANCE_TRADES
from editfoundry.claims.rows.inpainting import LEARNED_DOWNSAMPLING, OBJECT_MASKING, OSCILLATING_GUIDANCE
from editfoundry.claims.rows.inpainting_prompts import ATTRIBUTES_DIFFER, SMALL_MASKS_SUFFER
from editfoundry.claims.rows.mgie import (
    BEATS_INSTRUCT_PIX2PIX,
    BEATS_TEXT_ONLY,
    END_TO_END_BEATS_FINE_TUNED,
    END_TO_END_BEATS_FROZEN,
    EXPRESSIVE_BEATS_RAW,
    MGIE_KEEPS_PLAIN_EDITS,
    WORDS_ARE_NEARER,
)
from editfoundry.claims.rows.mgie_trade_off import CURVE_LIES_ABOVE
from editfoundry.claims.rows.mllm_score import MLLM_ORDERS_EDITORS
from editfoundry.claims.rows.multi_task import MULTI_TASK_BEATS_EXPERTS, VISION_TASKS_HELP
from editfoundry.claims.rows.pair_painting import MANY_CANDIDATES, PROMPT_TO_PROMPT, SHARED_NOISE_HELPS
from editfoundry.claims.rows.plain_edits import KEEPS_PLAIN_EDITS
from editfoundry.claims.rows.post_edit import POST_EDIT_PRESERVES
from editfoundry.claims.rows.task_embedding import PREDICTED_TASK_DOES, TASK_EMBEDDING_HELPS
from editfoundry.claims.rows.task_inversion import TASK_INVERSION_COMES_CLOSE
from editfoundry.claims.rows.task_pairs import ATTENTION_WITHIN_MASKS, EACH_FILTER_HELPS, THREE_MASKS
from editfoundry.claims.rows.training import (
    CONDITIONING_DROPOUT_HELPS,
    FINE_TUNING_BEATS_SCRATCH,
    MORE_DATA_HELPS,
    ONE_DRAW_BEATS_TWO,
    ZERO_CHANNELS_HELP,
)
from editfoundry.claims.rows.turns import THRESHOLD_KEEPS_TURNS
from editfoundry.claims.rows.video_data import VIDEO_ADDS_SPATIAL
from editfoundry.claims.rows.world_instructions import BEATS_BASE, IN_EVERY_CATEGORY

CLAIMS: dict[str, Claim] = {
    claim.name: claim
    for claim in (
        BEATS_BASE, IN_EVERY_CATEGORY, KEEPS_PLAIN_EDITS, POST_EDIT_PRESERVES, VIDEO_ADDS_SPATIAL,
        CLIP_FILTER_BEATS_RANDOM, MANY_CANDIDATES, PROMPT_TO_PROMPT, SHARED_NOISE_HELPS,
        CONDITIONING_DROPOUT_HELPS, ZERO_CHANNELS_HELP, FINE_TUNING_BEATS_SCRATCH, ONE_DRAW_BEATS_TWO, MORE_DATA_HELPS,
        GUIDANCE_TRADES, MLLM_ORDERS_EDITORS,
        OBJECT_MASKING, SMALL_MASKS_SUFFER, ATTRIBUTES_DIFFER, LEARNED_DOWNSAMPLING, OSCILLATING_GUIDANCE,
        TASK_EMBEDDING_HELPS, PREDICTED_TASK_DOES, THRESHOLD_KEEPS_TURNS,
        TASK_INVERSION_COMES_CLOSE, MULTI_TASK_BEATS_EXPERTS, VISION_TASKS_HELP,
        THREE_MASKS, ATTENTION_WITHIN_MASKS, EACH_FILTER_HELPS,
        BEATS_INSTRUCT_PIX2PIX, BEATS_TEXT_ONLY, MGIE_KEEPS_PLAIN_EDITS, END_TO_END_BEATS_FINE_TUNED,
        END_TO_END_BEATS_FROZEN, EXPRESSIVE_BEATS_RAW, WORDS_ARE_NEARER, CURVE_LIES_ABOVE,
    )
}  # fmt: skip
