"""How large the ledger's arms are."""

from __future__ import annotations

from dataclasses import dataclass

from editfoundry.data.bounds import check_at_least


@dataclass(frozen=True, kw_only=True)
class ClaimsConfig:
    """Sizes of the ledger's arms; with the defaults the embedded profile takes some hours of two CPU cores."""

    num_world_items: int = 280
    """World instructions that editors are compared on, about 40 of each category."""
    num_plain_items: int = 120
    """Plain add, change and remove edits."""
    num_plain_training_items: int = 400
    """The same, for editors that differ in how they were trained on plain edits."""
    num_ambiguous_items: int = 258
    """Instructions that only the picture makes clear."""
    num_category_items: int = 98
    """World instructions of the one category that video data should help."""
    num_guidance_items: int = 150
    """Plain edits at each image guidance scale."""
    num_post_edit_items: int = 280
    """World instructions with and without post-edit."""
    num_judged_items: int = 98
    """World instructions that the vision-language model judges, of each editor."""
    num_task_items: int = 300
    """Edits of Emu Edit's tasks, which take turns."""
    num_turn_items: int = 240
    """Turns of sessions of four."""
    num_inverted_items: int = 100
    """Edits of the one task that is learnt from few examples."""
    num_caption_pairs: int = 400
    """Caption pairs that candidates are painted of."""
    num_painted_pairs: int = 120
    """Caption pairs that are painted with and without shared attention and noise."""
    num_candidates: int = 8
    """Candidates of a caption pair; InstructPix2Pix's are 100."""
    num_task_pairs: int = 120
    """Edits that Emu Edit's candidates are made of."""
    num_inpainting_items: int = 360
    """Prompts of tinyworld's EditBench, three of each picture."""
    num_inpainting_pictures: int = 3000
    """Captioned pictures that an inpainter is trained on."""
    num_inpainting_steps: int = 600
    """Optimizer steps of an inpainter."""
    inpainting_learning_rate: float = 8e-4
    """Peak rate of an inpainter, which starts at the painter's weights."""
    inpainting_guidance_scale: float = 12.0
    """High weight of the prompt where guidance oscillates, or does not."""
    num_cascade_pictures: int = 16_384
    """Scenes that a cascade of pixel-space models is trained on."""
    num_cascade_steps: int = 2000
    """Optimizer steps of such a cascade, about an hour of a core."""
    num_training_triplets: int = 4000
    """Triplets that an arm is trained on."""
    num_training_steps: int = 320
    """Optimizer steps of an arm."""
    num_plain_training_steps: int = 200
    """Optimizer steps of an arm that starts at the text-to-image model and learns plain edits."""
    num_ambiguous_training_steps: int = 500
    """Optimizer steps of an arm that learns instructions which only the picture makes clear."""
    ambiguous_plain_share: float = 0.25
    """Share of plain edits among the triplets of such an arm."""
    ambiguous_learning_rate: float = 1e-3
    """Its peak rate."""
    num_task_training_triplets: int = 14_000
    """Triplets of all tasks but one that an editor is trained on, which learns that one from few examples."""
    num_task_training_steps: int = 2000
    num_inversion_steps: int = 300
    """Steps on the few examples."""
    num_multi_task_items: int = 240
    """Edits that an editor of all tasks is compared on, in equal parts of each task."""
    num_multi_task_triplets: int = 9000
    """Triplets of all tasks; an editor that learns only some has these tasks' share, of triplets as of steps."""
    num_multi_task_steps: int = 600
    training_batch_size: int = 32
    learning_rate: float = 2e-3
    """Peak rate of AdamW."""
    change_weight: float = 4.0
    """Weight of the loss where a pair differs."""
    num_inference_steps: int = 15
    """Sampler steps of every arm."""
    guidance_scale: float = 4.0
    """Weight of the instruction or caption, but where a claim says otherwise; EditWorld's and Emu Edit's editors are
    sampled as their folders say."""
    image_guidance_scale: float = 1.5
    """Weight of the input picture, likewise."""
    batch_size: int = 32
    """Edits made at once."""
    seed: int = 0
    """Of benchmarks, noise, training and bootstrap."""

    def __post_init__(self) -> None:
        check_at_least(self, 1, *(name for name in vars(self) if name.startswith("num_")))
