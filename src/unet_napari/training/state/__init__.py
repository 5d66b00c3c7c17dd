"""The state of a training that was stopped, so that it can be continued.

It may import all of `training`, and `model`. ``state_file`` and ``stored_paint`` are free of torch.
"""
