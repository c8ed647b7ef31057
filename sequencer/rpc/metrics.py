"""Write metrics in Prometheus' text format, version 0.0.4."""

from __future__ import annotations

from collections.abc import Iterable

from sequencer.rpc.queries import Metric


def render_metrics(metrics: Iterable[Metric]) -> str:
    """Return one line per sample, with HELP and TYPE before the first of each name."""
    by_name: dict[str, list[Metric]] = {}
    for metric in metrics:
        by_name.setdefault(metric.name, []).append(metric)
    lines = []
    for name, samples in by_name.items():
        lines += [f"# HELP {name} {_escape(samples[0].help)}", f"# TYPE {name} {samples[0].kind}"]
        lines += [f"{name}{_render_labels(sample)} {sample.value:.17g}" for sample in samples]
    return "\n".join(lines) + "\n"


def _render_labels(metric: Metric) -> str:
    if not metric.labels:
        return ""
    pairs = ",".join(f'{name}="{_escape(value)}"' for name, value in sorted(metric.labels.items()))
    return f"{{{pairs}}}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
