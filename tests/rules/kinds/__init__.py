"""Tests of the rule kinds, on a country that exists nowhere else."""
