from PIL import Image

from editfoundry.data.record import Caption, Clip, Quadruple, Triplet
from editfoundry.data.rejections import RejectedRow
from editfoundry.execution.shard_store import RowStore, ShardNotes, TripletStore

TRIPLET = Triplet(
    instruction="melt it", input_image=Image.new("RGB", (8, 8)), output_image=Image.new("RGB", (8, 8), "red")
)


def test_rows_come_back_with_their_counts_and_totals(tmp_path):
    store, path = RowStore(Caption), RowStore(Caption).path(tmp_path, "00000")
    notes = ShardNotes(rejected=[RejectedRow("x", "bad")], totals={"tokens": 3})
    written = store.write(path, [Caption(caption="a"), Caption(caption="b")], notes, "hash")
    stored = store.stored(path)
    assert (written.num_in, written.num_out, written.rejected) == (3, 2, {"bad": 1})
    assert (stored.num_in, stored.num_out, stored.rejected, stored.totals) == (3, 2, {"bad": 1}, {"tokens": 3})
    assert stored.num_shards_reused == 1
    assert store.is_done(path, "hash") and not store.is_done(path, "other")


def test_records_beyond_one_of_each_input_are_counted_as_derived(tmp_path):
    store = RowStore(Clip, with_counts=True)
    clips = [Clip(video="v", video_id="v", start=n, end=None, fingerprint="") for n in range(3)]
    store.write(store.path(tmp_path, "0"), clips, ShardNotes(num_derived=2), "hash")
    stored = store.stored(store.path(tmp_path, "0"))
    assert (stored.num_in, stored.num_derived, stored.num_out) == (1, 2, 3)


def test_triplets_come_back_with_their_counts(tmp_path):
    store = TripletStore()
    notes = ShardNotes(rejected=[RejectedRow("x", "bad")], totals={"tokens": 3})
    written = store.write(store.path(tmp_path, "00000"), iter([TRIPLET]), notes, "hash")
    assert (written.num_in, written.totals) == (2, {"tokens": 3})
    assert store.stored(store.path(tmp_path, "00000")).rejected == {"bad": 1}


def test_a_folder_fits_the_store_whose_shards_it_holds(tmp_path):
    RowStore(Caption).write(tmp_path / "rows" / "0.parquet", [Caption(caption="a")], ShardNotes(), "")
    TripletStore().write(tmp_path / "tars" / "0.tar", [TRIPLET], ShardNotes(), "")
    assert RowStore(Caption).fits(tmp_path / "rows") and not RowStore(Quadruple).fits(tmp_path / "rows")
    assert TripletStore().fits(tmp_path / "tars") and not TripletStore().fits(tmp_path / "rows")
    (tmp_path / "rows" / "notes.txt").touch()
    assert not RowStore(Caption).fits(tmp_path / "rows")
