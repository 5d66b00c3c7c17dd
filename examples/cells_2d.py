"""Paint half an image, train on it, segment all of it.

python examples/cells_2d.py [SECONDS]
"""

import sys

from unet_napari import segment, train
from unet_napari.evaluation.objects import average_precision
from unet_napari.images import nuclei

seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60

# An image of touching nuclei and the true label of each. In real life: tifffile.imread(...).
image, truth = nuclei((512, 512), count=120, seed=0)

# Only the left half is painted. Unpainted pixels near painted cells count as background; those
# farther away are ignored, so that the nuclei of the right half are not learned as background.
painted = truth.copy()
painted[:, 256:] = 0

model = train(image, painted, task="cells", ndim=2, seconds=seconds, seed=0)
labels = segment(image, model)

print(f"{labels.max()} objects in all")
print(f"AP50 on the unpainted half: {average_precision(truth[:, 256:], labels[:, 256:]):.2f}")
model.save("nuclei-2d.unet")
