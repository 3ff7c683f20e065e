"""The report as one page: `report.html`, self-contained, from `report.json` and the recordings."""
