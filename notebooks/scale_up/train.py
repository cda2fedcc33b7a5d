"""Train a saved model on, by transformers and accelerate: one process or many, one machine or many.

    accelerate launch --cpu --num_processes 2 notebooks/scale_up/train.py \
        --model IN --texts FILE --epochs 1 --out OUT

IN is a folder of `lm.save_pretrained`, FILE anything that LunsDataset reads, OUT a folder that
`LunsformterModel.from_pretrained` opens. On graphics cards and many machines it is the same file:
`accelerate config` asks what there is, `accelerate launch` starts it there.

It learns as `lm.fit` does: the same batches for the same seed, the same loss, AdamW, clipping and
learning rate. One step of N processes:

    each process     draws the same batch, and reads every N-th text of it
                     adds up the losses of its tokens, and divides by the tokens of ALL processes
    together         add up their gradients, so each holds the whole batch's
    each process     makes the same step with it, so all models stay the same

Never take the mean of the processes' means: a process with few tokens would count as much as one
with many. And a process without a text still takes part in the step, with a loss of 0: the others
would wait for it for ever.

Each process reads all texts. OUT/log.jsonl gets a line a step; OUT/checkpoint-STEP is accelerate's,
for --resume. It holds PyTorch's own files, some of them pickled: resume only what you made.
"""

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path

NEVER = -100  # a target that PyTorch's cross-entropy leaves out; ours is -1
FILES = ("tokenizer.json", "tokenizer_config.json", "generation_config.json")
READING = ("column", "field", "split", "encoding", "delimiter")


def arguments(given=None):
    """Return what was typed."""
    parser = argparse.ArgumentParser(
        description="Train a folder of save_pretrained on, by transformers and accelerate.",
        epilog="Started by: accelerate launch --cpu --num_processes 2 notebooks/scale_up/train.py"
        " --model IN --texts FILE --epochs 1 --out OUT",
    )
    parser.add_argument("--model", required=True, help="a folder of save_pretrained")
    parser.add_argument("--texts", required=True, nargs="+", help="files, folders or globs")
    parser.add_argument("--out", required=True, help="the folder to write")
    parser.add_argument("--column", help="of a .csv or .tsv file: the column with the texts")
    parser.add_argument("--field", help='of a .json or .jsonl file: where they are, "data.text"')
    parser.add_argument("--split", default="lines", help="lines, paragraphs or file")
    parser.add_argument("--encoding", default="utf-8")
    parser.add_argument("--delimiter", help="the sign between two columns")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch_size", type=int, default=32, help="texts a step, of all processes")
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--warmup_steps", type=int, default=50)
    parser.add_argument("--total_epochs", type=int, help="where the learning rate has fallen")
    parser.add_argument("--weight_decay", type=float, default=0.01)
    parser.add_argument("--max_norm", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save_every", type=int, default=0, help="steps between two checkpoints")
    parser.add_argument("--resume", action="store_true", help="go on from OUT's last checkpoint")
    return parser.parse_args(given)


# --- processes ------------------------------------------------------------------------------------


def processes_missing():
    """How many processes were asked for when only this one was started; else 0.

    `accelerate launch --cpu --num_processes 2` starts one process and leaves two to an mpirun. It
    says so only in this way: there is an address to meet at, and nobody to meet.
    """
    if "MASTER_ADDR" not in os.environ or "WORLD_SIZE" in os.environ:
        return 0
    import psutil  # accelerate needs it, so it is there

    told = " ".join(psutil.Process().parent().cmdline()).replace("-", "_").replace("=", " ").split()
    count = told[told.index("__num_processes") + 1] if "__num_processes" in told else ""
    return int(count) if count.isdigit() else 0


def start_them(count):
    """Let PyTorch start so many processes of this file on this machine; when one dies, all end."""
    from torch.distributed.run import main

    main(["--standalone", "--nproc_per_node", str(count), os.path.abspath(__file__), *sys.argv[1:]])


# --- one step -------------------------------------------------------------------------------------


def own_rows(ids, targets, rank, count):
    """Return this process' part of a batch [B, T]: every count-th row.

    A process without a row gets the first one with nothing to predict: its loss and its gradient
    are 0, and nobody waits for it.
    """
    mine, wanted = ids[rank::count], targets[rank::count]  # [b, T] each
    return (mine, wanted) if len(mine) else (ids[:1], targets[:1] * 0 - 1)


def summed_loss(model, ids, targets, device):
    """Return the loss of a part of a batch, added up over its tokens, in nats."""
    import torch

    ids = torch.from_numpy(ids).to(device)  # [b, T]
    wanted = torch.from_numpy(targets).to(device)  # [b, T]
    wanted = wanted.masked_fill(wanted < 0, NEVER)
    # Padding stands behind a text, and a token sees only what is before it: no mask is needed.
    logits = model(input_ids=ids, use_cache=False).logits.float()  # [b, T, V]
    return torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), wanted.flatten(), ignore_index=NEVER, reduction="sum"
    )


def new_optimizer(model, weight_decay):
    """Return PyTorch's AdamW as ours: only matrices decay, and the same means."""
    import torch

    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.99), eps=1e-8)


# --- the loop -------------------------------------------------------------------------------------


def train(options):
    """Train, and write the model; every process runs this."""
    import numpy as np
    import torch
    from accelerate import Accelerator
    from transformers import AutoModelForCausalLM

    from lunsedu import LunsDataset, LunsformterModel
    from lunsedu.dataset import batches
    from lunsedu.training import Settings, learning_rate

    settings = Settings(
        batch_size=options.batch_size,
        lr=options.lr,
        warmup_steps=options.warmup_steps,
        total_epochs=options.total_epochs,
        weight_decay=options.weight_decay,
        max_norm=options.max_norm,
    )
    reading = {name: getattr(options, name) for name in READING}
    texts = options.texts[0] if len(options.texts) == 1 else options.texts
    dataset = LunsDataset(texts, **reading)
    lm = LunsformterModel.from_pretrained(options.model)  # refuses in words what it can't open
    sequences = dataset.sequences(lm.model.config.seq_len, lm.tokenizer)
    if not sequences:
        raise ValueError("there is nothing to train on: each text gives fewer than two tokens")
    del lm
    steps_an_epoch = -(-len(sequences) // settings.batch_size)
    tokens_a_batch = sum(len(ids) - 1 for ids in sequences) / steps_an_epoch
    total_steps = settings.total_epochs and settings.total_epochs * steps_an_epoch

    accelerator = Accelerator()
    count, device = accelerator.num_processes, accelerator.device
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32).train()
    optimizer = new_optimizer(model, settings.weight_decay)
    model, optimizer = accelerator.prepare(model, optimizer)
    notes = Notes(options, dataset.fingerprint, accelerator)
    done = notes.resume() if options.resume else notes.start()
    accelerator.print(f"{count} processes, {len(sequences)} sequences, from step {done}")

    rng, step = np.random.default_rng(options.seed), 0
    for _ in range(options.epochs):
        for ids, targets in batches(sequences, settings.batch_size, rng):
            step += 1
            if step <= done:  # seen before the checkpoint: only the dice are thrown again
                continue
            begin, tokens = time.perf_counter(), int((targets >= 0).sum())
            mine, wanted = own_rows(ids, targets, accelerator.process_index, count)
            loss = summed_loss(model, mine, wanted, device)
            # The gradients' MEAN over processes is taken: times their count it is the sum.
            accelerator.backward(loss * (count / tokens_a_batch))
            norm = accelerator.clip_grad_norm_(model.parameters(), settings.max_norm)
            mean = float(accelerator.reduce(loss.detach(), "sum")) / tokens  # of all tokens
            if not (np.isfinite(mean) and np.isfinite(float(norm))):
                raise FloatingPointError(
                    f"the loss became {mean} at step {step}, so training stopped: use a smaller lr"
                    f" (it was {settings.lr}), and --resume from the last checkpoint"
                )
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(
                    step - 1, settings.lr, settings.warmup_steps, total_steps
                )
            optimizer.step()
            optimizer.zero_grad()
            notes.log(step, mean, tokens, time.perf_counter() - begin)
            if options.save_every and step % options.save_every == 0:
                notes.save(step)

    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        accelerator.unwrap_model(model).save_pretrained(options.out)
        for name in FILES:  # after the model: the tokenizer's files stay as they were
            if (Path(options.model) / name).exists():
                shutil.copyfile(Path(options.model) / name, Path(options.out) / name)
        print(f"written: {options.out}", flush=True)
    accelerator.end_training()


class Notes:
    """What is written on the way: a line a step, and checkpoints that are whole or not there."""

    def __init__(self, options, fingerprint, accelerator):
        self.out, self.accelerator = Path(options.out), accelerator
        self.log_file, self.seconds = self.out / "log.jsonl", 0.0
        # what must not change between a checkpoint and going on; the number of processes may
        names = ("batch_size", "lr", "warmup_steps", "total_epochs", "weight_decay", "max_norm")
        self.terms = {name: getattr(options, name) for name in (*names, "seed")}
        self.terms["texts"] = fingerprint

    def checkpoints(self):
        """Return {step: folder} of those that are whole."""
        found = self.out.glob("checkpoint-*")
        return {int(path.name[11:]): path for path in found if path.name[11:].isdigit()}

    def start(self):
        if self.accelerator.is_main_process:
            self.out.mkdir(parents=True, exist_ok=True)
            for folder in self.checkpoints().values():
                shutil.rmtree(folder)
            self.log_file.write_text("", encoding="utf-8")
        self.accelerator.wait_for_everyone()
        return 0

    def resume(self):
        """Load the last checkpoint; return the steps done before it. Without one: start anew."""
        found = self.checkpoints()
        self.accelerator.wait_for_everyone()  # all have looked before anything is written
        if not found:
            return self.start()
        step = max(found)
        before = json.loads((found[step] / "terms.json").read_text(encoding="utf-8"))
        for name, value in self.terms.items():
            if before[name] != value:
                raise ValueError(
                    f"{found[step]} was made with {name} = {before[name]}, not {value}: use the"
                    " same, or leave --resume out to start anew"
                )
        self.accelerator.load_state(str(found[step]))
        if self.accelerator.is_main_process:  # lines behind the checkpoint are written again
            lines = self.log_file.read_text(encoding="utf-8").splitlines(keepends=True)
            self.log_file.write_text("".join(lines[:step]), encoding="utf-8")
        self.accelerator.wait_for_everyone()
        return step

    def log(self, step, loss, tokens, seconds):
        if self.accelerator.is_main_process:
            line = {"step": step, "loss": loss, "tokens": tokens, "seconds": round(seconds, 6)}
            with self.log_file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def save(self, step):
        """Write a checkpoint beside the others, then name it: a kill leaves none half-written."""
        new = self.out / "checkpoint-new"
        self.accelerator.save_state(str(new))
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            (new / "terms.json").write_text(json.dumps(self.terms), encoding="utf-8")
            old = self.checkpoints().values()
            new.replace(self.out / f"checkpoint-{step}")
            for folder in old:
                shutil.rmtree(folder)
        self.accelerator.wait_for_everyone()


def main(given=None):
    options = arguments(given)
    if count := processes_missing():
        start_them(count)
    else:
        train(options)


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError, FloatingPointError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
