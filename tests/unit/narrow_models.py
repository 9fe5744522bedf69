"""Models of a shipped profile made narrow: the published configurations with few channels and random weights.

Classes, levels, block types, heads, attention names, special tokens and limits are those of the real models; channels,
the depth of transformers and the painters' pictures are not. A profile that names them is the shipped one's file with
other models, so that a run of the lineage shows whether the profile's parameters, the code and the real geometry fit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import torchvision.models
import transformers
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionXLInpaintPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from tiny_llava import LLAVA_TEMPLATE, ONEVISION_TEMPLATE
from tiny_sdxl import ip_adapter_tensors
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import CLIPTokenizer, PreTrainedTokenizerFast

from editfoundry.pretrained.configurations import read_configuration
from editfoundry.pretrained.segmenter import build_sam, save_sam
from editfoundry.pretraining.recipes.detector import build_tokenizer
from editfoundry.profiles import PROFILES_FOLDER, ModelReference, load_profile

ANSWER = json.dumps(
    {
        "category": "Physical-Trans",
        "input_caption": "a whole egg on a table",
        "instruction": "drop the egg on the floor",
        "output_caption": "a broken egg on a table with its yolk running out",
        "keywords": ["egg"],
    }
)
"""What the language model says to everything: a quadruple whose category it also names when it is asked for it."""
NUM_LAYERS = 2
"""Of language models and of their vision towers."""
_CLIP_VOCABULARY = 49408


def save_profile(name: str, folder: Path) -> Path:
    """Write the narrow models of a shipped profile, and the profile's own file with their folders; return the file."""
    text = (PROFILES_FOLDER / f"{name}.toml").read_text()
    for role, reference in load_profile(name).models.items():
        if reference.is_endpoint:
            continue
        torch.manual_seed(len(role))
        _SAVERS[role](reference, folder / role)
        text = text.replace(f'[{role}]\nmodel = "{reference.source}"', f'[{role}]\nmodel = "{folder / role}"')
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


def clip_tokenizer(pad_token: str | None = None) -> CLIPTokenizer:
    """A tokenizer of letters with CLIP's number of tokens and its length; start and end have the last numbers."""
    letters = [chr(code) for code in range(ord("!"), ord("~") + 1)]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
    tokens += [f"unused{number}" for number in range(len(tokens), _CLIP_VOCABULARY - 2)]
    vocabulary = {token: number for number, token in enumerate([*tokens, "<|startoftext|>", "<|endoftext|>"])}
    further = {} if pad_token is None else {"pad_token": pad_token}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77, **further)


def byte_tokenizer(marks: Mapping[str, int], start: str | None = "<s>", end: str = "</s>") -> PreTrainedTokenizerFast:
    """A token a byte, and marks with the numbers that a published configuration gives them."""
    tokens = list(dict.fromkeys([*([start] if start else []), end, *sorted(pre_tokenizers.ByteLevel.alphabet())]))
    vocabulary = {token: number for number, token in enumerate(tokens)}
    vocabulary |= {f"unused{number}": number for number in range(len(tokens), min(marks.values(), default=0))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    if start:
        template = {"single": f"{start} $A", "special_tokens": [(start, vocabulary[start])]}
        tokenizer.post_processor = processors.TemplateProcessing(**template)
    in_order = sorted(marks, key=lambda mark: marks[mark])
    tokenizer.add_special_tokens(in_order)
    assert [tokenizer.token_to_id(mark) for mark in in_order] == [marks[mark] for mark in in_order]
    known = {"bos_token": start} if start else {}
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=end, additional_special_tokens=in_order, **known
    )


def _painter(reference: ModelReference, folder: Path) -> None:
    _xl_pipeline(StableDiffusionXLPipeline, reference, folder)


def _inpainter(reference: ModelReference, folder: Path) -> None:
    _xl_pipeline(StableDiffusionXLInpaintPipeline, reference, folder)


def _xl_pipeline(pipeline_class: Any, reference: ModelReference, folder: Path) -> None:
    tokenizers = {"tokenizer": clip_tokenizer(), "tokenizer_2": clip_tokenizer(pad_token="!")}
    schedule = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
    encoders = {part: _text_encoder(_published(reference, part)) for part in ("text_encoder", "text_encoder_2")}
    unet = _unet(_published(reference, "unet"), 32, sample_size=64)
    parts = {**tokenizers, **encoders, "unet": unet, "vae": _vae(_published(reference, "vae"))}
    pipeline_class(
        **parts, scheduler=EulerDiscreteScheduler(**schedule, timestep_spacing="leading"), add_watermarker=False
    ).save_pretrained(folder)


def _editor(reference: ModelReference, folder: Path) -> None:
    schedule = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
    StableDiffusionInstructPix2PixPipeline(
        vae=_vae(_published(reference, "vae")),
        text_encoder=_text_encoder(_published(reference, "text_encoder")),
        tokenizer=clip_tokenizer(),
        unet=_unet(_published(reference, "unet"), 20, sample_size=32),
        scheduler=EulerAncestralDiscreteScheduler(**schedule),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)


def _unet(config: dict[str, Any], divisor: int, **changes: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel.from_config(_narrow_unet(config, divisor) | changes)


def _narrow_unet(config: dict[str, Any], divisor: int) -> dict[str, Any]:
    widths = [width // divisor for width in config["block_out_channels"]]
    # As wide as the narrow text encoders beside it, and a 32nd of the pooled embedding and the time ids.
    dims = ("cross_attention_dim", "addition_time_embed_dim", "projection_class_embeddings_input_dim")
    narrow = {name: config[name] // 32 for name in dims if name in config}
    return config | narrow | {"block_out_channels": widths, "norm_num_groups": 5 if widths[0] % 5 == 0 else 8}


def _vae(config: dict[str, Any]) -> AutoencoderKL:
    widths = [width // 16 for width in config["block_out_channels"]]
    return AutoencoderKL.from_config(config | {"block_out_channels": widths, "norm_num_groups": 8})


def _text_encoder(config: dict[str, Any]) -> Any:
    return getattr(transformers, config["architectures"][0])(transformers.CLIPTextConfig(**_narrow(config)))


def _controlnet(reference: ModelReference, folder: Path) -> None:
    config = _narrow_unet(_published(reference), 32) | {"conditioning_embedding_out_channels": [2, 4, 12, 32]}
    controlnet = ControlNetModel.from_config(config)
    for block in (*controlnet.controlnet_down_blocks, controlnet.controlnet_mid_block):
        # Before training they are zero.
        torch.nn.init.normal_(block.weight, std=0.1)
    controlnet.save_pretrained(folder)


def _ip_adapter(reference: ModelReference, folder: Path) -> None:
    encoder = reference.image_encoder_reference()
    config = transformers.CLIPVisionConfig(**_narrow(_published(encoder, encoder.subfolder)))
    transformers.CLIPVisionModelWithProjection(config).save_pretrained(folder / encoder.subfolder)
    painter = ModelReference(role="text_to_image", source="stabilityai/stable-diffusion-xl-base-1.0")
    tensors = ip_adapter_tensors(_unet(_published(painter, "unet"), 32), config.projection_dim)
    save_file(tensors, folder / reference.subfolder / reference.weight_name)


def _clip(reference: ModelReference, folder: Path) -> None:
    config = _published(reference)
    parts = {name: _narrow(config[name]) for name in ("text_config", "vision_config")}
    projection = {"projection_dim": config["projection_dim"] // 32}
    transformers.CLIPModel(transformers.CLIPConfig(**parts, **projection)).save_pretrained(folder)
    side = config["vision_config"]["image_size"]
    images = transformers.CLIPImageProcessor(size={"shortest_edge": side}, crop_size=side)
    transformers.CLIPProcessor(images, clip_tokenizer()).save_pretrained(folder)


def _dino(reference: ModelReference, folder: Path) -> None:
    config = _published(reference)
    built = transformers.AutoConfig.for_model(**_narrow(config))
    transformers.AutoModel.from_config(built).save_pretrained(folder)
    if config["model_type"] == "dinov2":
        transformers.BitImageProcessor(size={"shortest_edge": 256}, crop_size=224).save_pretrained(folder)
    else:
        transformers.ViTImageProcessor(size=224).save_pretrained(folder)


def _segmenter(reference: ModelReference, folder: Path) -> None:
    published = _published(reference)
    vision = _narrow(published["vision_config"]) | {"mlp_dim": 64, "output_channels": 16, "num_pos_feats": 8}
    config = transformers.SamConfig(
        vision_config=vision,
        prompt_encoder_config=published["prompt_encoder_config"] | {"hidden_size": 16, "mask_input_channels": 4},
        mask_decoder_config={"hidden_size": 16, "mlp_dim": 32, "iou_head_hidden_dim": 16},
    )
    save_sam(build_sam(config), config, folder)


def _detector(reference: ModelReference, folder: Path) -> None:
    config = _published(reference)
    narrow = {"backbone_config": config["backbone_config"] | {"embed_dim": 32, "depths": [1, 1, 1, 1]}}
    narrow |= {"text_config": config["text_config"] | {"hidden_size": 24, "intermediate_size": 32}}
    narrow |= {"d_model": 32, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "encoder_layers": 1, "decoder_layers": 2}
    values = {name: value for name, value in (config | narrow).items() if name != "model_type"}
    transformers.GroundingDinoForObjectDetection(transformers.GroundingDinoConfig(**values)).save_pretrained(folder)
    processor = transformers.GroundingDinoProcessor(
        transformers.GroundingDinoImageProcessor(), build_tokenizer(folder / "tokenizer")
    )
    processor.save_pretrained(folder)


def _depth(reference: ModelReference, folder: Path) -> None:
    config = _published(reference)
    narrow: dict[str, Any] = {"fusion_hidden_size": 16, "neck_hidden_sizes": [8, 16, 24, 24]}
    if "backbone_config" in config:
        narrow |= {"backbone_config": config["backbone_config"] | {"hidden_size": 32}, "reassemble_hidden_size": 32}
    else:
        narrow |= {"hidden_size": 32, "intermediate_size": 64}
    built = transformers.AutoConfig.for_model(**(config | narrow))
    transformers.AutoModelForDepthEstimation.from_config(built).save_pretrained(folder)
    side = 518 if "backbone_config" in config else 384
    transformers.DPTImageProcessor(size={"height": side, "width": side}).save_pretrained(folder)


def _lpips(reference: ModelReference, folder: Path) -> None:
    folder.mkdir(parents=True)
    features = torchvision.models.alexnet(weights=None).features.state_dict()
    torch.save({f"features.{name}": value for name, value in features.items()}, folder / reference.weight_name)


def _vision_language_model(reference: ModelReference, folder: Path) -> None:
    config = _published(reference)
    saver = _onevision if config["model_type"] == "llava_onevision" else _llava
    for part in saver(_narrow_parts(config)):
        part.save_pretrained(folder)


def _llava(config: dict[str, Any]) -> tuple[Any, Any]:
    vision = config["vision_config"]
    side = vision["image_size"]
    processor = transformers.LlavaProcessor(
        transformers.CLIPImageProcessor(size={"shortest_edge": side}, crop_size=side),
        byte_tokenizer({"<image>": config["image_token_index"], "<pad>": config["pad_token_id"]}),
        patch_size=vision["patch_size"],
        vision_feature_select_strategy=config["vision_feature_select_strategy"],
        chat_template=LLAVA_TEMPLATE,
        num_additional_image_tokens=1,
    )
    return transformers.LlavaForConditionalGeneration(transformers.LlavaConfig(**config)), processor


def _onevision(config: dict[str, Any]) -> tuple[Any, Any]:
    side = config["vision_config"]["image_size"]
    # Two tiles at most, since attention to the published ten takes minutes on a CPU.
    config["image_grid_pinpoints"] = [grid for grid in config["image_grid_pinpoints"] if sum(grid) <= 3 * side]
    sides, pinpoints = {"height": side, "width": side}, config["image_grid_pinpoints"]
    marks = {"<|im_start|>": 151644, "<|im_end|>": 151645}
    marks |= {"<image>": config["image_token_index"], "<video>": config["video_token_index"]}
    processor = transformers.LlavaOnevisionProcessor(
        transformers.LlavaOnevisionImageProcessor(size=sides, image_grid_pinpoints=pinpoints),
        byte_tokenizer(marks, start=None, end="<|endoftext|>"),
        transformers.LlavaOnevisionVideoProcessor(size=sides),
        num_image_tokens=(side // config["vision_config"]["patch_size"]) ** 2,
        vision_feature_select_strategy=config["vision_feature_select_strategy"],
        chat_template=ONEVISION_TEMPLATE,
    )
    return transformers.LlavaOnevisionForConditionalGeneration(transformers.LlavaOnevisionConfig(**config)), processor


def _video_language_model(reference: ModelReference, folder: Path) -> None:
    config = _published(reference)
    saver = _video_llava if config["model_type"] == "video_llava" else _next_video
    for part in saver(_narrow_parts(config)):
        part.save_pretrained(folder)


def _video_llava(config: dict[str, Any]) -> tuple[Any, Any]:
    from transformers.models.video_llava.image_processing_video_llava import VideoLlavaImageProcessor
    from transformers.models.video_llava.video_processing_video_llava import VideoLlavaVideoProcessor

    side = config["vision_config"]["image_size"]
    sides = {"size": {"shortest_edge": side}, "crop_size": {"height": side, "width": side}}
    processor = transformers.VideoLlavaProcessor(
        VideoLlavaImageProcessor(**sides),
        VideoLlavaVideoProcessor(**sides),
        byte_tokenizer({"<image>": config["image_token_index"], "<video>": config["video_token_index"]}),
        patch_size=config["vision_config"]["patch_size"],
        vision_feature_select_strategy=config["vision_feature_select_strategy"],
        num_additional_image_tokens=1,
    )
    return transformers.VideoLlavaForConditionalGeneration(transformers.VideoLlavaConfig(**config)), processor


def _next_video(config: dict[str, Any]) -> tuple[Any, Any]:
    from transformers.models.llava_next_video.video_processing_llava_next_video import LlavaNextVideoVideoProcessor

    side = config["vision_config"]["image_size"]
    sides = {"size": {"shortest_edge": side}, "crop_size": {"height": side, "width": side}}
    processor = transformers.LlavaNextVideoProcessor(
        LlavaNextVideoVideoProcessor(**sides),
        transformers.LlavaNextImageProcessor(**sides, image_grid_pinpoints=config["image_grid_pinpoints"]),
        byte_tokenizer({"<video>": config["video_token_index"], "<image>": config["image_token_index"]}),
        patch_size=config["vision_config"]["patch_size"],
        vision_feature_select_strategy=config["vision_feature_select_strategy"],
        chat_template=LLAVA_TEMPLATE.replace("'image'", "'video'").replace("<image>", "<video>"),
        num_additional_image_tokens=1,
    )
    return transformers.LlavaNextVideoForConditionalGeneration(transformers.LlavaNextVideoConfig(**config)), processor


def _language_model(reference: ModelReference, folder: Path) -> None:
    """A Qwen3 that says `ANSWER`, one token of its vocabulary, and then ends."""
    tokenizer = byte_tokenizer({"<|im_start|>": 300, "<|im_end|>": 301}, start=None, end="<|endoftext|>")
    tokenizer.add_tokens([ANSWER])
    tokenizer.eos_token = "<|im_end|>"
    tokenizer.chat_template = (
        "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
        "{% if not enable_thinking %}{{ '<think>\n\n</think>\n\n' }}{% endif %}{% endif %}"
    )
    config = _narrow(_published(reference)) | {"vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id}
    model = transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**config))
    newline, answer = tokenizer.encode("\n")[0], tokenizer.convert_tokens_to_ids(ANSWER)
    with torch.no_grad():
        words = torch.nn.init.normal_(model.model.embed_tokens.weight)
        for before, after in ((newline, answer), (answer, tokenizer.eos_token_id)):
            model.lm_head.weight[after] = 20 * words[before] / words[before].norm()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _t5(reference: ModelReference, folder: Path) -> None:
    tokenizer = byte_tokenizer({"<pad>": 300}, start=None)
    tokenizer.pad_token = "<pad>"
    narrow = {"d_model": 16, "d_ff": 32, "d_kv": 4, "num_layers": NUM_LAYERS, "num_decoder_layers": NUM_LAYERS}
    sizes = {**narrow, "num_heads": 4, "vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id}
    config = transformers.T5Config(**{**_own(_published(reference)), **sizes})
    transformers.T5ForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _narrow_parts(config: dict[str, Any]) -> dict[str, Any]:
    """Return a LLaVA's configuration with a narrow tower and a narrow language model of few layers each."""
    vision, text = _narrow(config["vision_config"]), _narrow({"num_attention_heads": 32} | config["text_config"])
    # The tower's features may be taken from its second to last layer.
    vision["num_hidden_layers"] = text["num_hidden_layers"] = NUM_LAYERS
    return _own(config) | {"vision_config": vision, "text_config": text}


def _narrow(config: dict[str, Any]) -> dict[str, Any]:
    """Return a transformer's configuration with as many heads, of two channels each."""
    width = 2 * config["num_attention_heads"]
    changes = {"hidden_size": width, "intermediate_size": 2 * width, "head_dim": 2}
    narrow = {name: value for name, value in changes.items() if name in config or name != "head_dim"}
    if "projection_dim" in config:
        narrow["projection_dim"] = config["projection_dim"] // 32
    if config.get("model_type") == "qwen3":
        narrow["num_hidden_layers"] = NUM_LAYERS
    return _own(config) | narrow


def _own(config: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in config.items() if k not in ("architectures", "torch_dtype", "_name_or_path")}


def _published(reference: ModelReference, folder: str = "") -> dict[str, Any]:
    found = read_configuration(reference, f"{folder}/config.json".lstrip("/"))
    assert found is not None
    return found


_SAVERS: dict[str, Callable[[ModelReference, Path], None]] = {
    "text_to_image": _painter,
    "inpainter": _inpainter,
    "editor_base": _editor,
    "controlnet_canny": _controlnet,
    "ip_adapter": _ip_adapter,
    "clip": _clip,
    "dino": _dino,
    "segmenter": _segmenter,
    "detector": _detector,
    "depth": _depth,
    "lpips": _lpips,
    "vision_language_model": _vision_language_model,
    "video_language_model": _video_language_model,
    "language_model": _language_model,
    "task_predictor": _t5,
    "summarizer": _t5,
}
