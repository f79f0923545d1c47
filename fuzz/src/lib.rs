//! Fuzz targets: one test a place that takes bytes from outside (`tests/`).
