"""Small models, and their folders as Hugging Face's libraries write and read them."""

import json

import numpy as np

from lunsedu import Lunsformter, LunsformterConfig, LunsformterModel, Tokenizer
from lunsedu.files.safetensors_file import open_weights

TEXTS = [
    "the cat sat on the mat.",
    "12 cats, 345 mats & 6789 hats",
    "ação é português",
    "你好 🐈 <|eos|> <|bos|>",
]

TRICKY = ["", " ", "a<|eos|>b", "<|pad|><|bos|><|eos|>", " x\n\n\ty  ", "é\u0301🐈\x00", "123 4567"]


def new_lm(seed=0, vocab_size=300, **sizes):
    """An untrained model with gains away from 1, so that a lost gain would show."""
    tokenizer = Tokenizer.train(TEXTS * 3, vocab_size)
    config = LunsformterConfig(
        vocab_size=tokenizer.vocab_size,
        **{"dim": 32, "num_heads": 4, "hidden_dim": 40, "seq_len": 48, **sizes},
        pad_id=tokenizer.pad_id,
        bos_id=tokenizer.bos_id,
        eos_id=tokenizer.eos_id,
    )
    model = Lunsformter(config, seed=seed)
    model.parameters += 0.1 * np.random.default_rng(seed).standard_normal(model.parameters.size)
    return LunsformterModel.from_parts(model, tokenizer)


def opened(interop, folder):
    """Return transformers' model and tokenizer of a folder."""
    auto = interop.transformers
    model = auto.AutoModelForCausalLM.from_pretrained(folder)
    return model.eval(), auto.AutoTokenizer.from_pretrained(folder)


def their_logits(interop, model, ids):
    with interop.torch.inference_mode():
        return model(interop.torch.tensor(np.asarray(ids))).logits.float().numpy()


def change(folder, name="config.json", **values):
    """Set fields of a JSON file; a value of ... takes the field out."""
    content = json.loads((folder / name).read_text(encoding="utf-8"))
    content.update(values)
    content = {key: value for key, value in content.items() if value is not ...}
    (folder / name).write_text(json.dumps(content), encoding="utf-8")


def tensors_of(folder):
    shapes, read = open_weights(folder)
    return {name: np.array(read(name)) for name in shapes}


def write_tensors(path, tensors, kinds=None):
    """Write safetensors by hand, so that types which numpy lacks can be written as well."""
    header, data = {}, b""
    for name, array in tensors.items():
        kind = (kinds or {}).get(name) or {"<f4": "F32", "<f2": "F16", "<f8": "F64"}[
            array.dtype.str
        ]
        offsets = [len(data), len(data) + array.nbytes]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": offsets}
        data += array.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def rewrite(folder, edit):
    tensors = tensors_of(folder)
    edit(tensors)
    write_tensors(folder / "model.safetensors", tensors)
