"""Makes the table of prices; see dev/prices/make. Python's own library alone."""

import json
import re
import sys
import zipfile
from decimal import Decimal
from pathlib import Path

HERE = Path(__file__).parent
TABLE = HERE.parents[1] / "crates/dset-core/src/money/prices.json"
KINDS = {  # ours: litellm's
    "input": "input_cost_per_token",
    "cached_input": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
    "output": "output_cost_per_token",
}
TIERS = ["flex", "priority", "ultrafast"]


def read(path):
    return json.loads(path.read_text(), parse_float=Decimal)


def text(price):
    """Dollars a million tokens as a plain decimal."""
    return f"{price.normalize():f}"


def rates(entry, suffix=""):
    """The prices of the kinds of tokens under names with this suffix; None where there is none."""
    found = {}
    for ours, theirs in KINDS.items():
        price = entry.get(theirs + suffix)
        # A zero there means that the provider does not charge for writing its cache.
        if price is not None and not (ours.startswith("cache_write") and price == 0):
            found[ours] = text(Decimal(price) * 1_000_000)
    reasoning = entry.get("output_cost_per_reasoning_token" + suffix)
    if reasoning is not None and reasoning != entry.get("output_cost_per_token" + suffix):
        found["reasoning"] = text(Decimal(reasoning) * 1_000_000)
    return found if "input" in found and "output" in found else None


def peak_windows(off_peak):
    """The hours that lie in none of litellm's windows of the cheap tariff, by weekday."""
    cheap = {day: set() for day in range(1, 8)}
    for window in off_peak["windows"]:
        hours = window["hours_utc"]
        for span in [hours] if isinstance(hours, str) else hours:
            start, end = (int(h) * 60 + int(m) for h, m in (t.split(":") for t in span.split("-")))
            for day in window["weekdays"]:
                cheap[day].update(range(start, end or 1440))
    spans = {}
    for day, minutes in cheap.items():
        dear = sorted(set(range(1440)) - minutes)
        edges = [m for m in dear if m - 1 not in dear], [m + 1 for m in dear if m + 1 not in dear]
        clock = lambda m: f"{m // 60:02}:{m % 60:02}"
        found = tuple((clock(a), clock(b)) for a, b in zip(*edges))
        if found:
            spans.setdefault(found, []).append(day)
    return [{"utc": [list(s) for s in found], "weekdays": days, "is": "peak"}
            for found, days in spans.items()]


def from_litellm(named, entry, seen):
    base = rates(entry)
    made = {"provider": named["provider"], "model": named["model"]}
    if named.get("aliases"):
        made["aliases"] = named["aliases"]
    made |= {"from": None, "until": None, "seen": seen, "base": base,
             "source": entry.get("source", "litellm, which names no page")}
    if off_peak := entry.get("off_peak_pricing"):
        made |= {"when": peak_windows(off_peak), "off_peak": rates(off_peak)}
    lengths = {int(m[1]) for key in entry if (m := re.fullmatch(r"input_cost_per_token_above_(\d+)k_tokens", key))}
    if lengths:
        made["above_input_tokens"] = [
            {"above": k * 1000, "rates": rates(entry, f"_above_{k}k_tokens")} for k in sorted(lengths)]
    if batch := rates(entry, "_batches"):
        made["batch"] = batch
    if tier := {name: found for name in TIERS if (found := rates(entry, "_" + name))}:
        made["tier"] = tier
    if named.get("cache_write_on_request"):
        made["cache_write_on_request"] = True
    return made


def half(found):
    return {kind: text(Decimal(price) / 2) for kind, price in found.items()}


def correct(entries, correction):
    """Lays one correction over the table: its acts in their order."""
    by = {"source": correction["source"], "seen": correction["seen"]}
    for act in correction["acts"]:
        is_meant = lambda e: e["provider"] == act["provider"] and act.get("model", e["model"]) == e["model"]
        meant = [entry for entry in entries if is_meant(entry)]
        match act["do"]:
            case "add":
                entries.append({"provider": act["provider"], "model": act["model"], "from": None,
                                "until": None, **by, **act["entry"]})
            case "replace":  # by prices of several times
                if not meant:
                    sys.exit(f"a correction is about nothing: {act}")
                at = entries.index(meant[0])
                same = {k: v for k, v in meant[0].items() if k in ("provider", "model", "aliases")}
                entries[at:at + 1] = [
                    {**same, "from": None, "until": None, **by, **one} for one in act["entries"]]
            case "set":
                if not meant:
                    sys.exit(f"a correction is about nothing: {act}")
                for entry in meant:
                    entry["base"] |= act.get("base", {})
                    entry |= {**by, **act.get("entry", {})}
            case "half-batch":  # where no source says what a batch costs
                for entry in meant:
                    if "batch" not in entry:
                        entry |= {"batch": half(entry["base"]), "note": act["note"]}
            case "remove":
                entries[:] = [entry for entry in entries if not is_meant(entry)]


class Any:
    """Stands for whatever genai-prices builds its list of."""

    def __init__(self, *args, **fields):
        self.args = args
        self.__dict__.update(fields)

    def __getattr__(self, name):
        return None


def genai(wheel):
    """The base prices of genai-prices by (provider, model id), each as a list of dicts: its hours and
    dates do not say which weekday, so any of them counts as agreeing. Its data is a module of plain
    constructors, which is run with names that only keep what they are given."""
    source = wheel.read("genai_prices/data.py").decode()
    source = re.sub(r"^(from|import) .*$", "", source, flags=re.M)
    names = set(re.findall(r"\b([A-Za-z_]\w*)\(", source))
    import datetime
    scope = {name: Any for name in names} | {"Decimal": Decimal, "datetime": datetime}
    scope |= {name: Any for name in re.findall(r": (?:list\[)?'?([A-Z]\w+)", source) if name not in scope}
    exec("from __future__ import annotations\n" + source, scope)
    found = {}
    plain = lambda price: price.base if isinstance(price, Any) else price
    for provider in scope["providers"]:
        for model in provider.models:
            prices = model.prices if isinstance(model.prices, list) else [Any(prices=model.prices)]
            found[provider.id, model.id] = [
                {"input": plain(p.prices.input_mtok), "cached_input": plain(p.prices.cache_read_mtok),
                 "output": plain(p.prices.output_mtok)} for p in prices]
    return found


def disagreements(entries, named, other):
    """Where genai-prices has no price like the table's newest."""
    compared = 0
    newest = {(e["provider"], e["model"]): e for e in entries}
    for one in named["models"]:
        entry = newest.get((one["provider"], one["model"]))
        key = one.get("genai") or (named["genai_providers"].get(one["provider"]), one["model"])
        theirs = other.get(tuple(key))
        if entry is None or theirs is None:
            continue
        compared += 1
        ours = [entry["base"]] + [entry[k] for k in ["off_peak"] if k in entry]
        agree = lambda a, b: all(
            a.get(k) is None or b.get(k) is None or Decimal(a[k]) == b[k] for k in KINDS)
        if not any(agree(a, b) for a in ours for b in theirs):
            shown = lambda d: " / ".join(
                f"{k} {text(Decimal(d[k]))}" for k in ["input", "cached_input", "output"] if d.get(k) is not None)
            name = f"{one['provider']}/{one['model']}"
            yield f"{name}: table {shown(ours[0])}; genai-prices {shown(theirs[-1])}"
    print(f"compared with genai-prices: {compared} models")


def main(wheels, act):
    wheel = lambda name: zipfile.ZipFile(next(Path(wheels).glob(f"{name}-*.whl")))
    pins = [line.split()[0].replace("==", " ") for line in (HERE / "requirements.txt").read_text().splitlines()
            if "==" in line]
    litellm = json.loads(wheel("litellm-1.110.2").read(
        "litellm/model_prices_and_context_window_backup.json"), parse_float=Decimal)
    named = read(HERE / "models.json")
    entries, problems = [], []
    for one in named["models"]:
        entry = litellm.get(one["litellm"])
        if entry is None or rates(entry) is None:
            problems.append(f"{one['provider']}/{one['model']}: litellm has no {one['litellm']}")
            continue
        entries.append(from_litellm(one, entry, named["as_of"]))
    before = json.loads(json.dumps(entries, default=str))
    for path in sorted((HERE / "corrections").glob("*.json")):
        correct(entries, read(path))
    changed = [f"{e['provider']}/{e['model']}" for e in before if e not in json.loads(json.dumps(entries, default=str))]
    lines = ",\n".join("  " + json.dumps(entry, default=str) for entry in entries)
    head = {"schema": "prices/2", "as_of": named["as_of"], "made_of": pins}
    table = json.dumps(head)[:-1] + ', "prices": [\n' + lines + "\n]}\n"
    for line in problems:
        print("missing:", line)
    for name in changed:
        print("corrected:", name)
    for line in disagreements(entries, named, genai(wheel("genai_prices-0.2.3"))):
        print("disagree:", line)
    print(f"{len(entries)} prices of {len({(e['provider'], e['model']) for e in entries})} models")
    if act == "check":
        sys.exit(0 if TABLE.read_text() == table else "the table is not what these files make")
    TABLE.write_text(table)


main(*sys.argv[1:])
