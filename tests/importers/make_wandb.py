"""What made the folder `wandb-0.31.0` beside this file. Run by hand, with the package of that
version (and numpy and pillow) in an environment of its own: it is large, and no test needs it.

    cd /srv/training && python make_wandb.py  # then without its folder `logs`
"""

import os

os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}

import numpy as np
import wandb

run = wandb.init(
    project="vision",
    name="small-resnet",
    group="sweep",
    config={"lr": 0.1, "opt": {"name": "adam", "betas": [0.9, 0.999]}},
    tags=["baseline", "x"],
    notes="first *try*",
    dir=".",
    settings=wandb.Settings(disable_git=True, x_disable_stats=True),
)
print("hello log")
for i in range(6):
    acc = float("nan") if i == 3 else i / 20
    run.log({"loss": 1 / (i + 1), "acc": acc, "nested": {"a": i}, "phase": "warm"}, step=i * 10)
image = wandb.Image(np.zeros((4, 4, 3), np.uint8))
run.log({"img": image, "weights": wandb.Histogram([1, 2, 3])})
run.summary["best"] = 0.5
run.finish(exit_code=3)
