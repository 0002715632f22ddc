"""Trails: reading one, exporting it in the background, and who has done so."""
