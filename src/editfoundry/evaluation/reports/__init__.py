"""Reports of benchmark runs, comparisons of runs, the guidance trade-off and data set statistics."""

from editfoundry.evaluation.reports.write import write_reports

__all__ = ["write_reports"]
