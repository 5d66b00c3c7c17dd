"""Scribble two classes on two slices of a stack, then segment the whole stack slice by slice.

python examples/classes_in_a_stack.py [SECONDS]
"""

import sys

import numpy as np

from unet_napari import segment, train
from unet_napari.evaluation.objects import class_dice
from unet_napari.images import nuclei

seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60

stack, truth = nuclei((24, 160, 160), count=40, seed=0)
classes = np.where(truth > 0, 2, 1)  # 1: background, 2: nucleus; 0 would be unpainted

# Every eighth column of two slices: the strokes of a hasty painter.
scribbles = np.zeros(stack.shape, np.uint8)
for z in (8, 16):
    scribbles[z, :, ::8] = classes[z, :, ::8]

model = train(stack, scribbles, task="semantic", ndim=2, seconds=seconds, seed=0)
labels = segment(stack, model)  # trained on slices of a stack, so a stack is what it expects

unseen = [z for z in range(24) if z not in (8, 16)]
dice = class_dice(classes[unseen], labels[unseen], 2)
print(f"Dice of the nuclei on unpainted slices: {dice:.2f}")
