"""What the engine says of a training."""

from unet_napari.training.events import Started, Step

STARTED = Started(
    chosen=("a patch of 64, because",),
    device="cpu",
    patch=(64, 64),
    batch=4,
    samples=1,
    parameters=1000,
    validation="a fifth",
)
STEP = Step(
    step=12, epoch=3, epochs=9, loss=0.25, learning_rate=1e-3, fraction=0.4, seconds_left=130
)
