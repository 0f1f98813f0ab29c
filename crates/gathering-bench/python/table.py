"""Writes a table of some 100 MB, and tells how long pandas takes for the statistics of its columns."""

import json
import sys
import time

import numpy
import pandas

random, count = numpy.random.default_rng(1), 1_900_000
days = pandas.to_timedelta(random.integers(0, 2000, count), "D")
pandas.DataFrame({
    "id": numpy.arange(count),
    "city": random.choice(["Bern", "Lyon", "Oslo", "Turin", "Ghent"], count),
    "price": random.normal(100, 25, count).round(3),
    "amount": random.integers(0, 1000, count),
    "day": (pandas.to_datetime("2020-01-01") + days).strftime("%Y-%m-%d"),
    "open": random.choice([True, False], count),
    "note": random.choice(["first choice", "second choice", "returned", "gift, wrapped"], count),
}).to_csv(sys.argv[1], index=False)
taken = []
for _ in range(3):
    started = time.perf_counter()
    described = pandas.read_csv(sys.argv[1]).describe(include="all")
    taken.append(time.perf_counter() - started)
print(json.dumps({"seconds": min(taken), "mean": float(described["price"]["mean"])}))
