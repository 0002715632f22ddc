"""Speed, as ratios against a floor measured in the same run; never part of the tests.

Each module here is one measurement: its docstring opens with a line that says what is
compared, and its ``main()`` measures, prints the ratios and returns nothing. ``./dev bench``
lists the modules, ``./dev bench NAME`` runs one. Figures that count are kept in
``docs/benchmarks.md`` with the machine, the data's size and the durability settings.
"""
