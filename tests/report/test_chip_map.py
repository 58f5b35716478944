"""Every core has a place of its own, in its tile."""

from hypothesis import given
from hypothesis import strategies as st

from nengo_hybrid.report import chip_map as module
from nengo_hybrid.report.chip_map import chip_map

LOIHI = {"cores_per_chip": 128, "cores_per_tile": 4, "mesh_columns": 8}


def core(number, *, chip=0, load=0.5):
    return {"chip": chip, "core": number, "load": load, "limits": {}, "populations": {}}


def places(drawn):
    return [(row["row"], row["column"]) for row in drawn["chips"][0]["cores"]]


def test_cores_stand_tile_by_tile():
    # Four cores to a tile, two by two; the ninth tile begins the second row of tiles.
    drawn = chip_map(
        {"cores": [core(n) for n in (0, 1, 2, 3, 4, 31, 32)], "mesh": LOIHI}
    )
    assert (drawn["columns"], drawn["rows"], drawn["tile"]) == (16, 8, (2, 2))
    wanted = [(1, 1), (1, 2), (2, 1), (2, 2), (1, 3), (2, 16), (3, 1)]
    assert places(drawn) == wanted


def test_cores_of_an_unknown_mesh_stand_in_rows_of_16():
    mesh = dict.fromkeys(LOIHI)
    for report in ({"cores": [core(0), core(17)]}, {"cores": [core(17)], "mesh": mesh}):
        drawn = chip_map(report)
        assert (drawn["columns"], drawn["rows"], drawn["tile"]) == (16, 2, (1, 1))
        assert places(drawn)[-1] == (2, 2)


@given(
    n_cores=st.integers(1, 200), per_tile=st.integers(1, 9), columns=st.integers(1, 9)
)
def test_no_two_cores_share_a_place(n_cores, per_tile, columns):
    mesh = {
        "cores_per_chip": n_cores,
        "cores_per_tile": per_tile,
        "mesh_columns": columns,
    }
    drawn = chip_map({"cores": [core(n) for n in range(n_cores)], "mesh": mesh})
    found = places(drawn)
    assert len(set(found)) == n_cores
    assert max(row for row, _ in found) <= drawn["rows"]
    assert max(column for _, column in found) <= drawn["columns"]


def test_shades_go_by_fifths_and_the_fullest_core_is_chosen():
    loads = [0.0, 0.19, 0.2, 0.79, 0.8, 1.0, 1.0]
    rows = [core(n, load=load) for n, load in enumerate(loads)]
    (chip,) = chip_map({"cores": rows, "mesh": LOIHI})["chips"]
    assert [row["level"] for row in chip["cores"]] == [1, 1, 2, 4, 5, 5, 5]
    chosen = [row["core"] for row in chip["cores"] if row["is_fullest"]]
    assert chosen == [5]
    assert chip["load"] == 1.0


def test_chips_beyond_what_a_page_holds_are_left_out(monkeypatch):
    monkeypatch.setattr(module, "MOST_CORES", 5)
    rows = [core(n, chip=chip) for chip in (2, 0, 1) for n in range(3)]
    drawn = chip_map({"cores": rows, "mesh": LOIHI})
    assert [chip["chip"] for chip in drawn["chips"]] == [0]
    assert drawn["n_left_out"] == 2


def test_no_map_without_cores():
    assert chip_map({}) is None
    assert chip_map({"cores": []}) is None
