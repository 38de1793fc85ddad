"""Makes small Parquet files of every type with pyarrow, DuckDB and Polars, and beside each what DuckDB's
to_json makes of its rows: a line a row, with NaN and infinities, which are not JSON, as texts.

    fixtures.py FOLDER
"""

import datetime as dt
import decimal
import json
import pathlib
import sys
import uuid

import duckdb
import pandas
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

D = decimal.Decimal
UTC = dt.timezone.utc
INF = float("inf")


def column(arrow_type, *values):
    return pa.array([*values, None], arrow_type)


def table(**columns):
    return pa.table(columns)


def numbers():
    return table(
        i8=column(pa.int8(), -128, 127),
        i16=column(pa.int16(), -32768, 32767),
        i32=column(pa.int32(), -(2**31), 2**31 - 1),
        i64=column(pa.int64(), -(2**63), 2**63 - 1),
        u8=column(pa.uint8(), 0, 255),
        u16=column(pa.uint16(), 0, 65535),
        u32=column(pa.uint32(), 0, 2**32 - 1),
        u64=column(pa.uint64(), 0, 2**64 - 1),
        f16=column(pa.float16(), 0.5, -2.25),
        f32=column(pa.float32(), 0.1, 1e30),
        f64=column(pa.float64(), -0.0, 123456789012345678.0),
        f64_small=column(pa.float64(), 1e-7, 5e-324),
        nan=column(pa.float64(), float("nan"), INF),
        nan32=column(pa.float32(), float("nan"), -INF),
        truth=column(pa.bool_(), True, False),
        d9=column(pa.decimal128(9, 2), D("1.50"), D("-1234567.89")),
        d18=column(pa.decimal128(18, 3), D("5"), D("-0.001")),
        d18_whole=column(pa.decimal128(18, 0), D("5"), D("999999999999999999")),
        d38=column(pa.decimal128(38, 2), D("12345678901234567890.12"), D("0.10")),
        d38_whole=column(pa.decimal128(38, 0), D("7"), D("9" * 38)),
        d76=column(pa.decimal256(76, 4), D("1.2500"), D("9" * 40 + ".0001")),
        nothing=pa.nulls(3),
    )


def times():
    day = dt.date(2024, 3, 15)
    noon = dt.datetime(2024, 3, 15, 12, 0, 0)
    parts = noon.replace(microsecond=123456)
    return table(
        date=column(pa.date32(), day, dt.date(1, 1, 1)),
        date64=column(pa.date64(), day, dt.date(9999, 12, 31)),
        t32s=column(pa.time32("s"), dt.time(12, 34, 56), dt.time(0)),
        t32ms=column(pa.time32("ms"), dt.time(12, 34, 56, 789000), dt.time(0)),
        t64us=column(pa.time64("us"), dt.time(12, 34, 56, 789001), dt.time(23, 59, 59)),
        t64ns=column(pa.time64("ns"), 45_296_000_000_001, 0),
        s=column(pa.timestamp("s"), noon, dt.datetime(1, 1, 1)),
        ms=column(pa.timestamp("ms"), parts.replace(microsecond=123000), dt.datetime(1969, 12, 31, 23, 59, 59, 999000)),
        us=column(pa.timestamp("us"), parts, noon),
        ns=column(pa.timestamp("ns"), 1_710_504_000_123_456_789, -1),
        ms_utc=column(pa.timestamp("ms", "UTC"), noon, dt.datetime(1900, 2, 28)),
        us_berlin=column(pa.timestamp("us", "Europe/Berlin"), parts.replace(tzinfo=UTC), noon.replace(tzinfo=UTC)),
        ns_offset=column(pa.timestamp("ns", "+05:30"), 1_710_504_000_123_456_789, 0),
        duration=column(pa.duration("ms"), 1500, -1),
    )


def texts():
    names = pa.array(["x", "y", "x", None])
    return table(
        utf8=column(pa.string(), "a\u0001é\u2028/\"\\", "", "𝔘\n"),
        large=column(pa.large_string(), "NA", "2024-03-15", "007"),
        view=column(pa.string_view(), "short", "longer than twelve bytes", ""),
        dictionary=names.dictionary_encode(),
        dictionary_of_numbers=pa.array([5, 6, 5, None]).dictionary_encode(),
        binary=column(pa.binary(), b"\x00ab\xff\"\\' ~", b"", b"plain"),
        large_binary=column(pa.large_binary(), b"\x7f", b"\xc3\xa9", b"x"),
        binary_view=column(pa.binary_view(), b"longer than twelve bytes", b"\n", b"x"),
        fixed=column(pa.binary(3), b"abc", b"\x00\x01\x02", b"'''"),
        uuid=pa.array([uuid.UUID(int=1).bytes, b"\xff" * 16, b"0123456789abcdef", None], pa.uuid()),
        json=pa.array(['{"b": [1, 2.50, 1e2], "a": null}', "[]", '"t"', None], pa.json_()),
    )


def nested():
    message = pa.struct([("role", pa.string()), ("content", pa.string()), ("n", pa.int32())])
    turn = {"role": "user", "content": "Why?", "n": 1}
    part = {"role": "assistant", "content": None, "n": None}
    return table(
        list=column(pa.list_(pa.int64()), [1, None, 3], []),
        large=column(pa.large_list(pa.string()), ["a", None], [""]),
        fixed=column(pa.list_(pa.int32(), 2), [1, 2], [3, None]),
        view=column(pa.list_view(pa.int32()), [1, 2], []),
        large_view=column(pa.large_list_view(pa.string()), ["a"], [None]),
        lists=column(pa.list_(pa.list_(pa.float64())), [[1.5], [], None], [[2.0, None]]),
        struct=column(message, turn, part),
        messages=column(pa.list_(message), [turn, part], [None]),
        map=column(pa.map_(pa.string(), pa.int32()), [("b", 1), ("a", None)], []),
        map_of_lists=column(pa.map_(pa.string(), pa.list_(message)), [("k", [turn])], [("k", None)]),
        map_int=column(pa.map_(pa.int32(), pa.string()), [(2, "x"), (1, "y")], [(-1, None)]),
        map_date=column(pa.map_(pa.date32(), pa.bool_()), [(dt.date(2024, 3, 15), True)], []),
        map_float=column(pa.map_(pa.float64(), pa.bool_()), [(2.0, True), (0.5, False)], []),
        deep=column(
            pa.struct([("a", pa.list_(pa.struct([("m", pa.map_(pa.string(), pa.date32()))])))]),
            {"a": [{"m": [("d", dt.date(2024, 3, 15))]}, {"m": None}, None]},
            {"a": None},
        ),
        nulls=column(pa.list_(pa.null()), [None, None], []),
        texts_in_struct=column(pa.struct([("d", pa.dictionary(pa.int32(), pa.string()))]), {"d": "x"}, {"d": None}),
    )


def of_pyarrow(folder):
    for make in (numbers, times, texts, nested):
        pq.write_table(make(), folder / f"pyarrow_{make.__name__}.parquet")
    mixed = table(n=column(pa.int64(), *range(120)), t=column(pa.string(), *(f"text {n % 20}" for n in range(120))))
    for codec in ("snappy", "gzip", "brotli", "zstd", "lz4"):
        pq.write_table(mixed, folder / f"codec_{codec}.parquet", compression=codec, row_group_size=50)
    pq.write_table(mixed, folder / "pages_v2.parquet", data_page_version="2.0", write_page_checksum=True,
                   write_page_index=True, data_page_size=200, use_dictionary=False,
                   column_encoding={"n": "DELTA_BINARY_PACKED", "t": "DELTA_BYTE_ARRAY"})
    pq.write_table(mixed, folder / "small_pages.parquet", data_page_size=200, use_dictionary=False, compression="none")
    stamps = table(t=column(pa.timestamp("ns"), 1_710_504_000_123_456_000, 0))
    pq.write_table(stamps, folder / "int96.parquet", use_deprecated_int96_timestamps=True)
    far = table(t=column(pa.timestamp("us"), dt.datetime(9999, 1, 1), dt.datetime(1, 1, 1)))
    pq.write_table(far, folder / "int96_far.parquet", use_deprecated_int96_timestamps=True)
    pq.write_table(mixed.slice(0, 0), folder / "no_rows.parquet")
    same = pa.Table.from_arrays([pa.array([1]), pa.array(["b"]), pa.array([2.5])], names=["x", "x", "x"])
    pq.write_table(same, folder / "same_names.parquet")


class NoService(pe.KmsClient):
    """Wraps keys with nothing: the files only have to be unreadable."""

    def wrap_key(self, key, _):
        return key.hex().encode()

    def unwrap_key(self, wrapped, _):
        return bytes.fromhex(wrapped.decode())


def of_pandas(folder):
    index = pandas.RangeIndex(10, 20, 2, name="n")
    rows = pandas.DataFrame({"question": list("abcde")}, index=index)
    rows.to_parquet(folder / "pandas_index.parquet", row_group_size=2)


def encrypted(folder):
    factory = pe.CryptoFactory(lambda _: NoService())
    for name, plain in (("encrypted_footer", False), ("encrypted_column", True)):
        keys = pe.EncryptionConfiguration("footer", column_keys={"column": ["secret"]}, plaintext_footer=plain)
        made = factory.file_encryption_properties(pe.KmsConnectionConfig(), keys)
        rows = table(open=pa.array([1, 2]), secret=pa.array(["a", "b"]))
        pq.write_table(rows, folder / f"{name}.parquet", encryption_properties=made)


def of_duckdb(folder):
    rows = """SELECT * FROM (VALUES
        (1::HUGEINT, INTERVAL '1 month 2 days 3.5 seconds', 'b'::ENUM('a','b'), '12:34:56.5+02'::TIMETZ,
         '{"b": 1, "a": [true]}'::JSON, '\\x00a'::BLOB, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::UUID,
         MAP{1: 'x'}, DATE '0044-03-15 (BC)', '2024-03-15 12:00:00.123456789'::TIMESTAMP_NS,
         TIMESTAMPTZ '2024-03-15 12:00:00+02', 1.5::DECIMAL(4,1), [{'a': 1}], 255::UTINYINT),
        (NULL, INTERVAL '0 seconds', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
        ) t(hugeint, intervals, enums, timetz, json, blob, uuid, map, bc, ns, zoned, dec, structs, u8)"""
    with duckdb.connect() as db:
        db.execute(f"COPY ({rows}) TO '{folder}/duckdb_types.parquet' (FORMAT parquet, COMPRESSION zstd)")
        db.execute(f"COPY (SELECT range n, 'text ' || range % 7 t, [range] l FROM range(2500)) TO "
                   f"'{folder}/duckdb_rows.parquet' (FORMAT parquet, PARQUET_VERSION v2, ROW_GROUP_SIZE 2048)")


def of_polars(folder):
    noon = dt.datetime(2024, 3, 15, 12, 0, 0, 123456)
    rows = polars.DataFrame([
        polars.Series("text", ["a", "longer than twelve bytes", None]),
        polars.Series("category", ["x", "y", None], polars.Categorical),
        polars.Series("enum", ["x", "y", None], polars.Enum(["x", "y"])),
        polars.Series("date", [noon.date(), dt.date(1900, 1, 1), None]),
        polars.Series("time", [dt.time(12, 34, 56, 7), dt.time(0), None]),
        polars.Series("moment", [noon, noon, None], polars.Datetime("ns")),
        polars.Series("zoned", [noon.replace(tzinfo=UTC)] * 2 + [None], polars.Datetime("us", "UTC")),
        polars.Series("duration", [dt.timedelta(seconds=1), dt.timedelta(0), None]),
        polars.Series("decimal", [D("1.50"), D("-2.25"), None], polars.Decimal(20, 2)),
        polars.Series("list", [[1, 2], [], None], polars.List(polars.Int8)),
        polars.Series("array", [[1, 2], [3, 4], None], polars.Array(polars.Int16, 2)),
        polars.Series("struct", [{"a": 1, "b": "x"}, {"a": None, "b": None}, None]),
        polars.Series("binary", [b"\x00", b"x", None]),
        polars.Series("null", [None, None, None], polars.Null),
        polars.Series("u64", [2**64 - 1, 0, None], polars.UInt64),
    ])
    rows.write_parquet(folder / "polars_types.parquet")
    polars.DataFrame({"wide": polars.Series([2**100, -1, None], dtype=polars.Int128)}).write_parquet(
        folder / "polars_int128.parquet")


def cell(text):
    """A value of to_json, where NaN and infinities are texts."""
    return json.dumps(json.loads(text, parse_constant=str)) if any(c in text for c in ("NaN", "Inf")) else text


def of_to_json(parquet):
    """What DuckDB makes of the rows, as lines."""
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        names = [row[0] for row in db.execute(f"DESCRIBE FROM read_parquet('{parquet}')").fetchall()]
        cells = ", ".join('to_json("%s")::VARCHAR' % name for name in names)
        rows = db.execute(f"SELECT {cells} FROM read_parquet('{parquet}')").fetchall()
    for row in rows:
        pairs = ("%s:%s" % (json.dumps(name), "null" if text is None else cell(text)) for name, text in zip(names, row))
        yield "{" + ",".join(pairs) + "}\n"


def make(folder):
    folder.mkdir(parents=True, exist_ok=True)
    of_pyarrow(folder)
    of_pandas(folder)
    encrypted(folder)
    of_duckdb(folder)
    of_polars(folder)
    for parquet in sorted(folder.glob("*.parquet")):
        if not parquet.name.startswith(("encrypted", "pandas")):
            parquet.with_suffix(".jsonl").write_text("".join(of_to_json(parquet)))


if __name__ == "__main__":
    make(pathlib.Path(sys.argv[1]))
