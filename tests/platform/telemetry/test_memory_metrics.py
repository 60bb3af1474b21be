"""What is counted of memory, in Prometheus' words."""

from __future__ import annotations

from gateway.platform.telemetry.families import exposition
from gateway.platform.telemetry.memories import MemoryCounters


def test_families__of_planted_counts__say_what_became_of_writes_and_recalls() -> None:
    counted = MemoryCounters()
    counted.written("stored", 3)
    counted.written("proposed")
    counted.changed("forget")
    counted.recalled(memories=4, cache_hit=False, degraded=False, seconds=0.02)
    counted.recalled(memories=2, cache_hit=False, degraded=True, seconds=0.3)
    counted.recalled(memories=0, cache_hit=True, degraded=True)
    lines = exposition({"a:1": counted.families()}).decode().splitlines()
    told = {line for line in lines if not line.startswith("#") and "_bucket" not in line}
    assert told == {
        'ikiro_memory_writes_total{outcome="stored",process="a:1"} 3.0',
        'ikiro_memory_writes_total{outcome="proposed",process="a:1"} 1.0',
        'ikiro_memory_changes_total{change="forget",process="a:1"} 1.0',
        'ikiro_memory_recalls_total{answer="full",process="a:1"} 1.0',
        'ikiro_memory_recalls_total{answer="degraded",process="a:1"} 1.0',
        'ikiro_memory_recalls_total{answer="cached",process="a:1"} 1.0',
        'ikiro_memory_recalled_total{process="a:1"} 6.0',
        'ikiro_memory_recall_seconds_sum{process="a:1"} 0.32',
        'ikiro_memory_recall_seconds_count{process="a:1"} 2.0',
    }
