"""Opening a dock does not hold the window up: what takes long to import is imported elsewhere."""

import subprocess
import sys
import textwrap

# Each takes 0.1 s and more.
HEAVY = {"dask.array", "scipy.ndimage", "skimage.measure", "skimage.draw", "tifffile", "zarr"}
HEAVY |= {"imagecodecs", "numba", "pandas", "torch"}

PROGRAM = """
    import sys
    import threading

    main = threading.main_thread()
    by_qt = []

    def note(event, arguments):
        if event == "import" and threading.current_thread() is main:
            by_qt.append(arguments[0])  # of import statements

    import napari
    from qtpy.QtWidgets import QApplication

    viewer = napari.Viewer(show=False)
    QApplication.processEvents()
    sys.addaudithook(note)
    for name in ("Train U-Net", "Segment with U-Net"):
        viewer.window.add_plugin_dock_widget("unet-napari", name)
    print(*by_qt, "torch" in sys.modules)
    viewer.close()
"""


def test_both_docks_open_without_importing_what_takes_long():
    """In a fresh process, and whatever napari itself has imported by then."""
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM)], capture_output=True, text=True, check=True
    )
    *imported, torch_is_there = ended.stdout.split()
    assert torch_is_there == "False"
    assert "unet_napari._napari.runs.segment_order" in imported
    assert HEAVY.isdisjoint(imported)
