"""Where each core of a report is drawn on its chip, and in which shade."""

import math

# Shades of load; the last is of the cores that are nearly full.
LEVELS = 5
# Columns of a chip whose mesh is not known.
COLUMNS = 16
# Cores that a page holds; whole chips are left out beyond.
MOST_CORES = 1024


def chip_map(report):
    """
    Lay out the cores of a report, chip by chip.

    A core stands where it is on the mesh: tiles row by row, and in a tile its cores,
    too, as near to a square as they come.

    Parameters
    ----------
    report : dict
        With ``cores``, and ``mesh`` where it is known.

    Returns
    -------
    dict or None
        ``chips``, each with its ``cores``, and ``columns`` and ``rows`` of cores;
        ``tile``, the columns and rows of one; ``n_left_out`` chips. None without cores.
    """
    if not report.get("cores"):
        return None
    mesh = report.get("mesh") or {}
    chips = {}
    for core in report["cores"]:
        chips.setdefault(core["chip"], []).append(core)
    fullest = max(report["cores"], key=lambda core: core["load"])
    layout, n_drawn = _layout(mesh, report["cores"]), 0
    drawn = []
    for chip, cores in sorted(chips.items()):
        if drawn and n_drawn + len(cores) > MOST_CORES:
            break
        n_drawn += len(cores)
        rows = [_placed(core, layout, core is fullest) for core in cores]
        most = max(core["load"] for core in cores)
        drawn.append({"chip": chip, "cores": rows, "load": most})
    return {
        "chips": drawn,
        "n_left_out": len(chips) - len(drawn),
        "n_cores": mesh.get("cores_per_chip"),
        **layout,
    }


def _layout(mesh, cores):
    """Return the columns and rows of a chip and of a tile, in cores."""
    per_tile = mesh.get("cores_per_tile") or 1
    columns = mesh.get("mesh_columns") or COLUMNS
    n_cores = mesh.get("cores_per_chip") or max(core["core"] for core in cores) + 1
    n_tiles = -(-n_cores // per_tile)
    wide = math.ceil(math.sqrt(per_tile))
    tall = -(-per_tile // wide)
    return {
        "per_tile": per_tile,
        "tile": (wide, tall),
        "columns": columns * wide,
        "rows": -(-n_tiles // columns) * tall,
    }


def _placed(core, layout, is_fullest):
    """Add to a core its row and column, both from 1, and its shade."""
    wide, tall = layout["tile"]
    tile, inside = divmod(core["core"], layout["per_tile"])
    tile_row, tile_column = divmod(tile, layout["columns"] // wide)
    row, column = divmod(inside, wide)
    return {
        **core,
        "row": tile_row * tall + row + 1,
        "column": tile_column * wide + column + 1,
        "level": min(int(core["load"] * LEVELS) + 1, LEVELS),
        "is_fullest": is_fullest,
    }
